"""How steep the discriminator may be: the R1 penalty's weight, steered by how well it tells images apart."""

import torch
from torch import Tensor

from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.config import GANConfig

SIDE = 64  # px; the penalty sums over pixels, so its weight goes with their number
SPEED = 0.1  # of log γ, per penalty and unit of logit
REMEMBERED = 0.98  # of the mean gap of a class, per batch that has it
LEAST = 0.2  # of the first γ


class AdaptiveR1Weight:
    """The weight γ of the R1 penalty during a training, one for every class.

    No single γ fits: one that makes six kinds of scan out of 47,000 images leaves the discriminator of 1,400
    radiographs telling nothing apart, and one that head CT needs leaves it blind for what chest CT has. What
    γ is for fits all of them: a gap between the mean logits of real and of fake images of a class that is
    neither nothing nor wide. Where it is wider than asked for, γ grows, else it shrinks, as ADA steers its
    augmentation (Karras et al. 2020).

    Args:
        config: `r1` is the first γ, `logit_gap` the gap asked for; 0 keeps γ.
        side: of the images, in pixels.
        classes: how many there are; images of `UNKNOWN` class have a γ of their own.

    Attributes:
        gammas: (1 + classes,) float64, first that of `UNKNOWN`.
        gaps: moving means, not a number where no image of the class was seen yet.
    """

    def __init__(self, config: GANConfig, side: int, classes: int):
        self.first = config.r1 * (side / SIDE) ** 2
        self.wanted = config.logit_gap
        self.gammas = torch.full((1 + classes,), self.first, dtype=torch.float64)
        self.gaps = torch.full_like(self.gammas, torch.nan)

    def observe(self, real: Tensor, fake: Tensor, labels: Tensor) -> None:
        """Take in the logits of a batch of real images and of fakes, (N,) each, and the labels of both."""
        rows = labels.cpu() - UNKNOWN
        counts = torch.bincount(rows, minlength=len(self.gaps))
        sums = torch.zeros_like(self.gaps).index_add_(0, rows, (real - fake).cpu().double())
        new, there = sums / counts, counts > 0
        moved = torch.where(self.gaps.isnan(), new, REMEMBERED * self.gaps + (1 - REMEMBERED) * new)
        self.gaps = torch.where(there, moved, self.gaps)

    def steered(self, labels: Tensor) -> Tensor:
        """γ of each image (N,) for the next penalty."""
        if self.wanted:
            wide = torch.nan_to_num(self.gaps - self.wanted, posinf=0.0, neginf=0.0)
            self.gammas = (self.gammas * torch.exp(SPEED * wide)).clamp(min=LEAST * self.first)
        return self.gammas[labels.cpu() - UNKNOWN].float().to(labels.device)

    @property
    def mean(self) -> float:
        """γ, of the classes that have been seen."""
        seen = self.gammas[~self.gaps.isnan()]
        return seen.mean().item() if len(seen) else self.first

    @property
    def numbers(self) -> list[float]:
        """All that changes, for a checkpoint."""
        return [*self.gammas.tolist(), *self.gaps.tolist()]

    @numbers.setter
    def numbers(self, numbers: list[float]) -> None:
        self.gammas, self.gaps = torch.tensor(numbers, dtype=torch.float64).view(2, -1)
