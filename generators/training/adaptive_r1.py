"""The R1 penalty's weight, adapted per class to how well the discriminator separates real from fake."""

import torch
from torch import Tensor

from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.config import GANConfig

SIDE = 64  # px; the penalty sums over pixels, so its weight goes with their number
SPEED = 0.1  # of log γ, per penalty and unit of logit
MOMENTUM = 0.98  # of the moving mean gap of a class, per batch that contains it
MIN_FRACTION = 0.2  # of the initial γ


class AdaptiveR1Weight:
    """The weight γ of the R1 penalty during a training, one for every class.

    No fixed γ fits every data set or class: a value that trains well on 47,000 images of six modalities keeps
    the discriminator of 1,400 radiographs from separating real from fake at all. The controlled quantity is
    the gap between the mean logits of real and of fake images of a class: where it exceeds `logit_gap`, γ
    grows, otherwise it shrinks, as ADA controls its augmentation probability (Karras et al. 2020).

    Args:
        config: `r1` is the initial γ, `logit_gap` the target; 0 keeps γ fixed.
        side: of the images, in pixels.
        classes: number of classes; images of `UNKNOWN` class have a γ of their own.

    Attributes:
        gammas: (1 + classes,) float64, the first for `UNKNOWN`.
        gaps: moving means of logit gaps, NaN for classes not seen yet.
    """

    def __init__(self, config: GANConfig, side: int, classes: int):
        self.initial = config.r1 * (side / SIDE) ** 2
        self.target = config.logit_gap
        self.gammas = torch.full((1 + classes,), self.initial, dtype=torch.float64)
        self.gaps = torch.full_like(self.gammas, torch.nan)

    def observe(self, real: Tensor, fake: Tensor, labels: Tensor) -> None:
        """Update the gaps from the logits of real and of fake images, (N,) each, and their labels."""
        rows = labels.cpu() - UNKNOWN
        counts = torch.bincount(rows, minlength=len(self.gaps))
        sums = torch.zeros_like(self.gaps).index_add_(0, rows, (real - fake).cpu().double())
        new, there = sums / counts, counts > 0
        moved = torch.where(self.gaps.isnan(), new, MOMENTUM * self.gaps + (1 - MOMENTUM) * new)
        self.gaps = torch.where(there, moved, self.gaps)

    def updated(self, labels: Tensor) -> Tensor:
        """Adapt γ, then return that of each image, (N,), for the next penalty."""
        if self.target:
            wide = torch.nan_to_num(self.gaps - self.target, posinf=0.0, neginf=0.0)
            self.gammas = (self.gammas * torch.exp(SPEED * wide)).clamp(min=MIN_FRACTION * self.initial)
        return self.gammas[labels.cpu() - UNKNOWN].float().to(labels.device)

    @property
    def mean(self) -> float:
        """Mean γ of the classes that have been seen."""
        seen = self.gammas[~self.gaps.isnan()]
        return seen.mean().item() if len(seen) else self.initial

    @property
    def state(self) -> list[float]:
        """All that changes during training, for a checkpoint."""
        return [*self.gammas.tolist(), *self.gaps.tolist()]

    @state.setter
    def state(self, state: list[float]) -> None:
        self.gammas, self.gaps = torch.tensor(state, dtype=torch.float64).view(2, -1)
