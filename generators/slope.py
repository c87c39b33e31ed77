"""How steep the discriminator may be: the R1 penalty's weight, steered by how well it tells images apart."""

import math

from torch import Tensor

from synthaug.generators.config import GANConfig

SIDE = 64  # px; the penalty sums over pixels, so its weight goes with their number
SPEED = 0.1  # of log γ, per penalty and unit of logit
REMEMBERED = 0.95  # of the mean gap, per batch
LEAST = 0.2  # of the first γ


class SlopeWeight:
    """The weight γ of the R1 penalty during a training.

    No single γ fits: one that makes six kinds of scan out of 47,000 images leaves the discriminator of 1,400
    radiographs telling nothing apart. What γ is for fits all of them: a gap between the mean logits of real
    and of fake images that is neither nothing nor wide. Where it is wider than asked for, γ grows, else it
    shrinks, as ADA steers its augmentation (Karras et al. 2020).

    Args:
        config: `r1` is the first γ, `logit_gap` the gap asked for; 0 keeps γ.
        side: of the images, in pixels.
    """

    def __init__(self, config: GANConfig, side: int):
        self.first = self.gamma = config.r1 * (side / SIDE) ** 2
        self.wanted = config.logit_gap
        self.gap = math.nan  # moving mean; none yet

    def observe(self, real: Tensor, fake: Tensor) -> None:
        """Take in the logits of a batch of real images, and of one of fakes."""
        gap = (real.mean() - fake.mean()).item()
        self.gap = gap if math.isnan(self.gap) else REMEMBERED * self.gap + (1 - REMEMBERED) * gap

    def steered(self) -> float:
        """γ for the next penalty."""
        if self.wanted:
            self.gamma = max(LEAST * self.first, self.gamma * math.exp(SPEED * (self.gap - self.wanted)))
        return self.gamma

    @property
    def numbers(self) -> list[float]:
        """All that changes, for a checkpoint."""
        return [self.gamma, self.gap]

    @numbers.setter
    def numbers(self, numbers: list[float]) -> None:
        self.gamma, self.gap = numbers
