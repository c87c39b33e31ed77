"""Images whose truth is known, and a classifier small enough to train thousands of times.

A truth is a disease: a smooth pattern, drawn once, that a faint copy of hides under the noise of every
abnormal image and is subtracted from every normal one. All that tells the classes apart is its amplitude, so
the best possible AUROC is known, and how far a classifier stays below it depends on the number of labels
alone: twice the labels are a true gain, and anything made of the labels at hand is none.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats
from timm.models import register_model
from torch import nn

from synthaug.augment.images import LabeledImages

SIDE = 16
SEPARATION = 2.0  # between the classes' means, in standard deviations along the pattern
NOISE = 36.0  # grey levels
SMOOTH = 1.5  # pixels, of the pattern
CLASS_NAMES = ("normal", "abnormal")
BEST_AUROC = float(stats.norm.cdf(SEPARATION / 2**0.5))

CLASSIFIER = "timm/null_perceptron"


@dataclass(frozen=True)
class Truth:
    """One disease; each experiment has its own."""

    seed: int

    @property
    def pattern(self) -> npt.NDArray[np.float64]:
        """(SIDE, SIDE) of length 1, of mean 0."""
        field = np.random.default_rng([self.seed, 0]).normal(size=(SIDE, SIDE))
        smooth = ndimage.gaussian_filter(field, SMOOTH, mode="nearest")
        smooth -= smooth.mean()
        return np.asarray(smooth / np.linalg.norm(smooth))

    def draw(self, counts: list[int], seed: int) -> LabeledImages:
        """New patients, counts[label] of each class, one image each."""
        rng = np.random.default_rng([self.seed, 1, seed])
        labels = np.repeat(np.arange(len(counts)), counts)
        signs = (labels - 0.5)[:, None, None, None]
        pixels = 128 + NOISE * (
            rng.normal(size=(len(labels), 1, SIDE, SIDE)) + SEPARATION * signs * self.pattern
        )
        return LabeledImages(pixels.round().clip(0, 255).astype(np.uint8), labels, CLASS_NAMES)


@register_model
def null_perceptron(num_classes: int = 2, in_chans: int = 1, **_: object) -> nn.Module:
    """4 thousand parameters: the pixels, normalised, and sixteen hidden units.

    Registered with timm, so that an experiment builds it by name as it builds any other network; it is shown
    images enlarged to 32 px and takes that back first.
    """
    inputs = in_chans * SIDE * SIDE
    return nn.Sequential(
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.LayerNorm(inputs),
        nn.Linear(inputs, 16),
        nn.ReLU(),
        nn.Linear(16, num_classes),
    )
