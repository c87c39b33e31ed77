"""Sample quality during a generator's training: distance to held-out images, and diversity."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import Indices, LabeledImages, Splits
from synthaug.evaluation.fidelity.features import Extractor, Features
from synthaug.evaluation.fidelity.metrics import Pair, kid
from synthaug.evaluation.protocol import SMALLEST, by_content, in_mix

HALVINGS = 20
MOST = 512  # images; an evaluation must take seconds, and KID is unbiased at any number


@dataclass(frozen=True)
class SampleQuality:
    """Fidelity and diversity of one set of samples.

    Attributes:
        kid: kernel distance of the samples to the held-out images, lower is better, about 0 for real ones.
        recall: share of the held-out images within reach of a sample (Kynkäänniemi et al. 2019), 0 to 1.
        diversity: mean distance of two samples of a class, as a share of that of two held-out images of it,
            in the class where that is least.
    """

    kid: float
    recall: float
    diversity: float


@dataclass(frozen=True, eq=False)
class SampleMonitor:
    """Compares samples with at most 512 held-out images, of which they must have the labels.

    Args:
        val: held-out real images, at least ten.
        extractor: the features to compare in.
        train: what the generator learns from.

    Attributes:
        noise: standard deviation of KID between random halves of the held-out images; smaller differences
            are not significant.
        floor: KID of training images to the held-out ones. A classifier of few images knows them by heart, so
            that they stand apart in its features: no sample need be nearer than they are.
    """

    val: LabeledImages
    extractor: Extractor
    train: LabeledImages
    noise: float = field(init=False)
    floor: float = field(init=False)
    held_out: Features = field(init=False)
    spreads: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "val", by_content(self.val, MOST))
        object.__setattr__(self, "held_out", self.extractor.of_batch(self.val))
        object.__setattr__(self, "spreads", self._spreads(self.held_out))
        object.__setattr__(self, "noise", self._noise())
        object.__setattr__(self, "floor", self._floor())

    @property
    def labels(self) -> Indices:
        """(N,) the classes to sample: those of the held-out images."""
        return self.val.labels

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> SampleQuality:
        """Evaluate samples (N, C, H, W) of `labels`."""
        features = self.extractor.of_batch(LabeledImages(pixels, self.labels, self.val.class_names))
        pair = Pair(self.held_out, features)
        spreads = self._spreads(features)
        return SampleQuality(
            kid=kid(pair),
            recall=pair.overlap.recall,
            diversity=min(
                (spreads[label] / real for label, real in self.spreads.items() if real), default=1.0
            ),
        )

    def _noise(self) -> float:
        rng = np.random.default_rng(0)
        halves = (np.array_split(rng.permutation(len(self.val)), 2) for _ in range(HALVINGS))
        return float(np.std([kid(Pair(*(self.held_out.take(half) for half in pair))) for pair in halves]))

    def _floor(self) -> float:
        """Of as many training images as have the held-out mix of classes; -∞ where those are too few."""
        mix = {label: n for label, n in enumerate(self.val.counts().values()) if n}
        have = np.bincount(self.train.labels, minlength=len(self.val.class_names))
        rows = in_mix(self.train.labels, mix, min(1.0, *(have[label] / n for label, n in mix.items())))
        if len(rows) < SMALLEST:
            return -np.inf
        return kid(Pair(self.held_out, self.extractor.of_batch(self.train.take(rows))))

    def _spreads(self, features: Features) -> dict[int, float]:
        """Mean distance of two images, of each class with enough of them."""
        rows_of = {label: np.flatnonzero(self.labels == label) for label in np.unique(self.labels).tolist()}
        return {
            label: float(
                np.linalg.norm(features.vectors[rows] - features.vectors[np.roll(rows, 1)], axis=1).mean()
            )
            for label, rows in rows_of.items()
            if len(rows) >= SMALLEST
        }


def can_monitor(real: Splits) -> bool:
    """Whether there are two classes to tell apart, ten validation images, and one of every class at least."""
    counts = real.val.counts().values()
    return len(counts) >= 2 and min(counts) > 0 and sum(counts) >= SMALLEST


def sample_monitor_for(real: Splits, extractor: Extractor) -> SampleMonitor:
    """A monitor that compares samples with the validation split; see `can_monitor`."""
    return SampleMonitor(real.val, extractor, real.train)
