"""How many images DiffAugment changes, steered by how far the discriminator knows its images by heart."""

import math

from torch import Tensor

from synthaug.generators.config import GANConfig

EVERY = 4  # steps between two looks at held-out images
REMEMBERED = 0.97  # of the mean logits, per look
SPEED = 0.002  # of the share, per look
MOST = 0.6  # above, the discriminator tells little apart, and the generator may learn the changes
NARROW = 1e-3  # a gap of logits below this counts as none


class AdaptiveAugment:
    """The share of images that are augmented during a training.

    No share fits every data set: augmentation slows a training on 47,000 images down for nothing, while 500
    are soon known by heart without it. Images that the discriminator is never trained on tell: their mean
    logit is that of the training images at first, and that of the fakes once it knows nothing else,

        r = (train - held out) / (train - fake),

    ADA's r_v (Karras et al. 2020). Above `config.overfit` the share grows, below it shrinks.

    Args:
        config: `diffaugment_share` is the first share, `overfit` the r asked for; 0 keeps the share.
    """

    def __init__(self, config: GANConfig):
        self.share, self.wanted = config.diffaugment_share, config.overfit
        self.means = [math.nan] * 3  # of logits of training, held-out and fake images; none yet

    def due(self, step: int) -> bool:
        """Whether this step looks at held-out images."""
        return self.wanted > 0 and step % EVERY == 0

    def observe(self, real: Tensor, held_out: Tensor, fake: Tensor) -> None:
        """Take in the logits of images that were shown to the same discriminator, and move the share."""
        new = [logits.mean().item() for logits in (real, held_out, fake)]
        if math.isnan(self.means[0]):
            self.means = new
        self.means = [REMEMBERED * a + (1 - REMEMBERED) * b for a, b in zip(self.means, new, strict=True)]
        towards = SPEED if self.overfit > self.wanted else -SPEED
        self.share = min(MOST, max(0.0, self.share + towards))

    @property
    def overfit(self) -> float:
        """r: 0 where held-out images are judged as training images are, 1 where they are judged as fakes."""
        real, held_out, fake = self.means
        return (real - held_out) / max(NARROW, real - fake)

    @property
    def numbers(self) -> list[float]:
        """All that changes, for a checkpoint."""
        return [self.share, *self.means]

    @numbers.setter
    def numbers(self, numbers: list[float]) -> None:
        self.share, *self.means = numbers
