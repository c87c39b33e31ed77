"""Adaptive augmentation: the probability of DiffAugment, controlled by the discriminator's overfitting."""

import math

from torch import Tensor

from synthaug.generators.config import GANConfig

INTERVAL = 4  # steps between two evaluations of held-out images
MOMENTUM = 0.97  # of the moving means of logits, per evaluation
STEP = 0.002  # of p, per evaluation
MAX_P = 0.6  # above, the discriminator separates little and augmentations may leak into samples
MIN_GAP = 1e-3  # least gap between mean logits of training and fake images


class AdaptiveAugment:
    """The probability p that an image is augmented, adapted during training (ADA, Karras et al. 2020).

    No fixed p fits every data set: augmentation slows a training on 47,000 images down without benefit, while
    a discriminator overfits to 500 images without it. Held-out images measure overfitting: their mean logit
    equals that of the training images at first, and approaches that of the fakes as the discriminator
    memorises,

        r = (train - held out) / (train - fake),

    ADA's r_v. Above `config.overfit` p grows, below it shrinks.

    Args:
        config: `diffaugment_share` is the initial p, `overfit` the target of r; 0 keeps p fixed.

    Attributes:
        p: in [0, MAX_P].
    """

    def __init__(self, config: GANConfig):
        self.p, self.target = config.diffaugment_share, config.overfit
        self.means = [math.nan] * 3  # of logits of training, held-out and fake images; NaN before the first

    def due(self, step: int) -> bool:
        """Whether held-out images are evaluated at this step."""
        return self.target > 0 and step % INTERVAL == 0

    def observe(self, real: Tensor, held_out: Tensor, fake: Tensor) -> None:
        """Update p from the logits that one discriminator gave to the three sets, (N,) each."""
        new = [logits.mean().item() for logits in (real, held_out, fake)]
        if math.isnan(self.means[0]):
            self.means = new
        self.means = [MOMENTUM * a + (1 - MOMENTUM) * b for a, b in zip(self.means, new, strict=True)]
        step = STEP if self.overfit > self.target else -STEP
        self.p = min(MAX_P, max(0.0, self.p + step))

    @property
    def overfit(self) -> float:
        """r: 0 where held-out images get the logits of training images, 1 where they get those of fakes."""
        real, held_out, fake = self.means
        return (real - held_out) / max(MIN_GAP, real - fake)

    @property
    def state(self) -> list[float]:
        """All that changes during training, for a checkpoint."""
        return [self.p, *self.means]

    @state.setter
    def state(self, state: list[float]) -> None:
        self.p, *self.means = state
