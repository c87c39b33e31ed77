"""Do synthetic images give training images away? Nearness, near copies and a membership attack, with a floor.

Every number stands beside its floor, the same number for held-out real images in the synthetic ones' place:
real images of other patients are as near to the training images as anything may be that copied none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import fisher_exact

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.memorization.near_copies import CopyDetector
from synthaug.evaluation.memorization.nearness import Nearness, Space, measure_space, proportion
from synthaug.evaluation.neighbours import Distances, Vectors
from synthaug.evaluation.protocol import content_order
from synthaug.evaluation.statistics import Estimate

ALIGNED = "aligned pixels"
PIXEL_SIDE = 32  # pixels; plain pixel distances are taken at this size or below
CLOSEST = 8  # pairs kept for a picture
CHANCE = 1e-3  # probability under which a surplus of near copies is not an accident

FeatureSets = Mapping[str, tuple[Vectors, Vectors, Vectors]]


class NearestPair(NamedTuple):
    """A synthetic image's row, the row of its nearest training image, and their distance."""

    synthetic: int
    train: int
    distance: float


class ReportRow(NamedTuple):
    """One line of the report's table, in words."""

    measure: str
    synthetic: str
    floor: str
    meaning: str


@dataclass(frozen=True, eq=False)
class Memorization:
    """What is said of synthetic images as copies of training images.

    Attributes:
        n, n_train, n_floor: synthetic, training and held-out real images.
        threshold: the distance below which an image is a near copy.
        copied, copied_floor: share of near copies among synthetic and held-out images, with 95 % intervals.
        near_copies: every one, the nearest first.
        closest: the closest pairs, near copies or not.
        distances, floor_distances: (n,) and (n_floor,) to the nearest training image, in aligned pixels.
        spaces: aligned pixels, pixels, then the features.
        note: what to know of the threshold, or empty.
    """

    n: int
    n_train: int
    n_floor: int
    threshold: float
    copied: Estimate
    copied_floor: Estimate
    near_copies: tuple[NearestPair, ...]
    closest: tuple[NearestPair, ...]
    distances: Distances
    floor_distances: Distances
    spaces: tuple[Space, ...]
    note: str

    @property
    def passed(self) -> bool:
        """No near copy was found."""
        return not self.near_copies

    @property
    def beyond_chance(self) -> bool:
        """More near copies than the rule's false alarms explain.

        Where it flags no held-out image, one near copy is too many; where it flags some (slices of a series
        resemble each other), a surplus that has a probability under 1 in 1,000 (Fisher's exact test).
        """
        wrong = round(self.copied_floor.value * self.n_floor)
        if not wrong or self.passed:
            return not self.passed
        k = len(self.near_copies)
        table = np.array([[k, self.n - k], [wrong, self.n_floor - wrong]])
        return bool(fisher_exact(table, "greater").pvalue < CHANCE)

    @property
    def near_copy_shares(self) -> tuple[float, float]:
        """Of the synthetic and of the held-out images."""
        return self.copied.value, self.copied_floor.value

    @property
    def sentence(self) -> str:
        """For a radiologist: what was looked for, what was found, and how often the rule errs."""
        k, wrong = len(self.near_copies), round(self.copied_floor.value * self.n_floor)
        outcome = "none is a near copy"
        if k:
            outcome = f"{k:,} {'is a near copy' if k == 1 else 'are near copies'} ({k / self.n:.2%})"
            if not self.beyond_chance:
                outcome += ", no more than the rule's false alarms explain"
        note = f" Note: {self.note}." if self.note else ""
        return (
            f"Each of {self.n:,} synthetic images was compared with all {self.n_train:,} training images, "
            f"also shifted by up to 2 pixels, mirrored, brighter or darker, and with noise: {outcome}. The "
            f"same rule flags {wrong:,} of {self.n_floor:,} real images that were never trained on "
            f"({self.copied_floor.value:.2%}).{note}"
        )

    @property
    def rows(self) -> list[ReportRow]:
        """The table of the report."""
        low, high = (f"[{e.low:.2%}, {e.high:.2%}]" for e in (self.copied, self.copied_floor))
        rows = [
            ReportRow(
                "near copies",
                f"{self.copied.value:.2%} {low}",
                f"{self.copied_floor.value:.2%} {high}",
                "training images that came back; the floor shows how often the rule errs",
            )
        ]
        return rows + [row for space in self.spaces for row in _rows(space)]

    def as_dict(self) -> dict[str, Any]:
        """For report.json: every number is finite, what was not measured is None."""
        return {
            "passed": self.passed,
            "beyond_chance": self.beyond_chance,
            "sentence": self.sentence,
            "n": self.n,
            "n_train": self.n_train,
            "n_floor": self.n_floor,
            "threshold": self.threshold,
            "near_copy_share": asdict(self.copied),
            "near_copy_share_floor": asdict(self.copied_floor),
            "near_copies": [pair._asdict() for pair in self.near_copies],
            "closest": [pair._asdict() for pair in self.closest],
            "spaces": [asdict(space) for space in self.spaces],
            "note": self.note,
        }


def measure_memorization(
    train: LabeledImages,
    held_out: LabeledImages,
    synthetic: LabeledImages,
    features: FeatureSets | None = None,
    *,
    detector: CopyDetector | None = None,
    seed: int = 0,
) -> Memorization:
    """Hold synthetic images against the training images they may have copied.

    All synthetic images are looked at. The floor has as many held-out images, or all of them where they are
    fewer, chosen by their content: no number depends on the order of images.

    Args:
        train: real images that the generator may have seen.
        held_out: real images that it has not, of the validation split.
        synthetic: of any size and channels.
        features: by name, vectors (N, D) of train, held-out and synthetic images, in their order.
        detector: fitted on these training images; None fits one with `held_out`.
        seed: of the choice of images, and of the bootstrap.

    Raises:
        DataError: no synthetic images, or features of other images.
    """
    if not len(synthetic):
        raise DataError("no synthetic images: expected some to look for copies among")
    for name, vectors in (features or {}).items():
        have, want = [len(v) for v in vectors], [len(train), len(held_out), len(synthetic)]
        if have != want:
            raise DataError(f"{name} features of {have} images: expected {want}, extract them again")
    detector = detector or CopyDetector.fit(train, held_out)
    nearest, fresh = detector.search(synthetic), detector.held_out
    m = min(len(synthetic), len(fresh.distances))
    order = np.argsort(nearest.distances, kind="stable")
    pairs = [NearestPair(int(i), int(nearest.rows[i]), float(nearest.distances[i])) for i in order]
    aligned = Space(
        ALIGNED,
        Nearness.of(nearest.distances, nearest.second),
        Nearness.of(fresh.distances[:m], fresh.second[:m]),
    )
    pixels = _pixels(train, train), _pixels(held_out, train), _pixels(synthetic, train)
    orders = content_order(train, seed), content_order(held_out, seed)
    spaces = [
        measure_space(name, train, held_out, vectors, orders, seed)
        for name, vectors in {"pixels": pixels, **(features or {})}.items()
    ]
    below = nearest.distances < detector.threshold
    return Memorization(
        n=len(synthetic),
        n_train=len(train),
        n_floor=m,
        threshold=detector.threshold,
        copied=proportion(below),
        copied_floor=proportion(fresh.distances[:m] < detector.threshold),
        near_copies=tuple(pairs[: int(below.sum())]),
        closest=tuple(pairs[:CLOSEST]),
        distances=nearest.distances,
        floor_distances=fresh.distances[:m],
        spaces=(aligned, *spaces),
        note=detector.note,
    )


def _pixels(images: LabeledImages, train: LabeledImages) -> Vectors:
    """(N, D) float32 in 0..1: the images as they lie, in the training images' channels, 32 px at most."""
    channels, side, _ = train.image_shape
    small = with_channels(resize(images, min(side, PIXEL_SIDE)), channels).pixels
    return small.reshape(len(small), -1) / np.float32(np.iinfo(small.dtype).max)


def _rows(space: Space) -> list[ReportRow]:
    made, floor = space.synthetic, space.floor
    rows = [
        ReportRow(
            f"distance to the nearest training image, median ({space.name})",
            f"{made.quantiles['50%']:.3g}",
            f"{floor.quantiles['50%']:.3g}",
            "well below the floor: nearer to the training images than new real images are",
        ),
        ReportRow(
            f"nearest / second nearest training image, median ({space.name})",
            f"{made.nndr_median:.3f}",
            f"{floor.nndr_median:.3f}",
            "well below the floor: on top of single training images",
        ),
    ]
    if made.authenticity and floor.authenticity:
        one, other = (
            f"{e.value:.1%} [{e.low:.1%}, {e.high:.1%}]" for e in (made.authenticity, floor.authenticity)
        )
        meaning = "below the floor: nearer to training images than these are to each other"
        rows.append(ReportRow(f"authenticity ({space.name})", one, other, meaning))
    if space.membership and space.membership_floor:
        one, other = str(space.membership), str(space.membership_floor)
        meaning = "0.5: the synthetic images do not show who was trained on; above 0.5: they do"
        rows.append(ReportRow(f"membership attack, AUROC ({space.name})", one, other, meaning))
    return rows
