"""Do synthetic images give training images away? Nearness, near copies and a membership attack, with a floor.

Every number stands beside its floor, the same number for held-out real images in the synthetic ones' place:
real images of other patients are as near to the training images as anything may be that copied none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import betabinom

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.memorization.near_copies import ENOUGH, LARGEST, CopyDetector
from synthaug.evaluation.memorization.nearness import Nearness, Space, measure_space, proportion
from synthaug.evaluation.neighbours import Distances, Vectors
from synthaug.evaluation.protocol import by_content, content_order
from synthaug.evaluation.statistics import Estimate

ALIGNED = "aligned pixels"
PIXEL_SIDE = 32  # pixels; plain pixel distances are taken at this size or below
CLOSEST = 8  # pairs kept for a picture
CHANCE = 0.01  # of a red light for images that copied nothing, whatever their number

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
        floor_units: held-out images or, where patients are known, patients: what false alarms are counted in.
        floor_alarms: of these, how many the rule flags (a patient by any image).
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
    floor_units: int
    floor_alarms: int
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
        """More near copies than the rule's false alarms explain (`more_than_chance`)."""
        return more_than_chance(len(self.near_copies), self.n, self.floor_alarms, self.floor_units)

    @property
    def near_copy_shares(self) -> tuple[float, float]:
        """Of the synthetic and of the held-out images."""
        return self.copied.value, self.copied_floor.value

    @property
    def sentence(self) -> str:
        """For a radiologist: what was looked for, what was found, and how often the rule errs."""
        k, wrong = len(self.near_copies), round(self.copied_floor.value * self.n_floor)
        few = k and not self.beyond_chance and self.floor_units < ENOUGH
        outcome = "none is a near copy"
        if k:
            outcome = f"{k:,} {'is a near copy' if k == 1 else 'are near copies'} ({k / self.n:.2%})"
            if not self.beyond_chance:
                outcome += ", no more than the rule's false alarms explain"
                outcome += (
                    f" as far as {self.floor_units} held-out images or patients can tell" if few else ""
                )
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
            "floor_units": self.floor_units,
            "floor_alarms": self.floor_alarms,
            "threshold": self.threshold,
            "near_copy_share": asdict(self.copied),
            "near_copy_share_floor": asdict(self.copied_floor),
            "near_copies": [pair._asdict() for pair in self.near_copies],
            "closest": [pair._asdict() for pair in self.closest],
            "spaces": [asdict(space) for space in self.spaces],
            "note": self.note,
        }


def more_than_chance(copies: int, n: int, alarms: int, units: int) -> bool:
    """Whether so many near copies among n images have a probability under 1 % if the images copied nothing.

    Of the held-out units `alarms` lie below the threshold, which is no higher than the next one of their
    distances. How many of n new images lie below that one has a beta-binomial distribution, whatever the
    distribution of distances (Wilks 1942, "Statistical prediction"): so the probability is exact, also where
    no held-out unit lies below the threshold.
    """
    return bool(
        copies and units > alarms and betabinom.sf(copies - 1, n, alarms + 1, units - alarms) < CHANCE
    )


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

    All synthetic images are looked at, and near copies are counted among all held-out ones (2,000 at most).
    Distances in vectors have a floor of as many held-out images as synthetic ones, or all where they are
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
    alarms = fresh.distances < detector.threshold
    patients = by_content(held_out, LARGEST).groups
    if patients is not None:
        alarms_by = np.array([alarms[patients == patient].any() for patient in np.unique(patients)])
    else:
        alarms_by = alarms
    order = np.argsort(nearest.distances, kind="stable")
    pairs = [NearestPair(int(i), int(nearest.rows[i]), float(nearest.distances[i])) for i in order]
    aligned = Space(
        ALIGNED,
        Nearness.of(nearest.distances, nearest.second),
        Nearness.of(fresh.distances, fresh.second),
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
        n_floor=len(alarms),
        floor_units=len(alarms_by),
        floor_alarms=int(alarms_by.sum()),
        threshold=detector.threshold,
        copied=proportion(below),
        copied_floor=proportion(alarms),
        near_copies=tuple(pairs[: int(below.sum())]),
        closest=tuple(pairs[:CLOSEST]),
        distances=nearest.distances,
        floor_distances=fresh.distances,
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
