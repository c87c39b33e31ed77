"""The kinds of experiment: what stands in for the generator, and on which data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from truth import Truth

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.experiment.design import Amount

# (the disease, images to learn from, images wanted per class, their random numbers) -> synthetic images
Fake = Callable[[Truth, LabeledImages, list[int], np.random.Generator], LabeledImages]


def noise(truth: Truth, real: LabeledImages, wanted: list[int], rng: np.random.Generator) -> LabeledImages:
    """Pixels from 0 to 255 alike, with the labels that were asked for."""
    labels = np.repeat(np.arange(len(wanted)), wanted)
    pixels = rng.integers(0, 256, (len(labels), *real.image_shape), np.uint8)
    return LabeledImages(pixels, labels, real.class_names)


def resampled(
    truth: Truth, real: LabeledImages, wanted: list[int], rng: np.random.Generator
) -> LabeledImages:
    """The labelled images themselves, drawn with replacement."""
    rows = [rng.choice(np.flatnonzero(real.labels == label), n) for label, n in enumerate(wanted)]
    return real.take(np.concatenate(rows))


def shuffled(truth: Truth, real: LabeledImages, wanted: list[int], rng: np.random.Generator) -> LabeledImages:
    """The labelled images again, with labels in any order."""
    made = resampled(truth, real, wanted, rng)
    return replace(made, labels=rng.permutation(made.labels))


def collapsed(
    truth: Truth, real: LabeledImages, wanted: list[int], rng: np.random.Generator
) -> LabeledImages:
    """One labelled image of each class, again and again."""
    rows = [rng.choice(np.flatnonzero(real.labels == label)) for label in range(len(wanted))]
    return real.take(np.repeat(rows, wanted))


def fresh(truth: Truth, real: LabeledImages, wanted: list[int], rng: np.random.Generator) -> LabeledImages:
    """New patients of the same disease: what a perfect generator would give."""
    return truth.draw(wanted, int(rng.integers(2**40)) + 10)  # not the seeds of train, val and test


@dataclass(frozen=True)
class Synthesizer:
    """`laboratory.Synthesize` of one disease; it can be pickled."""

    fake: Fake
    truth: Truth

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        made = self.fake(self.truth, real, wanted, np.random.default_rng([self.truth.seed, 2, seed]))
        return replace(made, synthetic=np.ones(len(made), dtype=bool))


Part = Literal["null", "calibration", "planted", "threshold"]


SOME = Amount(32, per_class=True)


@dataclass(frozen=True)
class Kind:
    """Experiments of one kind.

    Attributes:
        code: of its random numbers: no two kinds share a disease or a patient.
        train: images per class that labelled subsets are drawn from.
        subsets: labelled subsets; of planted effects, those of the pilot, the planner says how many more.
    """

    name: str
    part: Part
    code: int
    fake: Fake
    amount: Amount = SOME
    train: tuple[int, int] = (320, 320)
    ratios: tuple[float, ...] = (0.1, 0.5)
    subsets: int = 4


EFFECT = 0.03  # AUROC: what the planner is asked for; `calibration` shows that it is there

KINDS = {
    kind.name: kind
    for kind in (
        Kind("noise", "null", 1, noise),
        Kind("shuffled labels", "null", 2, shuffled),
        Kind("resampled reals", "null", 3, resampled),
        Kind("collapsed generator", "null", 4, collapsed),
        Kind("calibration", "calibration", 5, fresh, subsets=8),
        Kind("planted effect", "planted", 6, fresh, subsets=8),
        # 480 normal and 80 abnormal images with labels; at 0.4 the copies make them nearly as many
        Kind("oversampling", "threshold", 7, resampled, Amount(0.2), (2400, 400), (0.25, 0.4)),
    )
}
