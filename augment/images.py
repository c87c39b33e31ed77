"""The one type that flows through every room: labelled images, real or synthetic."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.pseudonym import pseudonym, salt_of
from synthaug.augment.reading import DataSource

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Indices = npt.NDArray[np.int64]

PARTS = ("train", "val", "test")

# Where a synthetic image came from: enough to make it again. A real image has an empty generator.
PROVENANCE = np.dtype([("generator", "S64"), ("seed", "<i8"), ("index", "<i8")])


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images with their labels; what follows has one row per image.

    Attributes:
        pixels: (N, C, H, W) uint8 or uint16, C of 1 or 3, in memory or memory-mapped.
        labels: (N,) int64, indices into `class_names`.
        class_names: one name per class; where there are two, normal is 0 and abnormal 1.
        synthetic: (N,) bool, True where the image was made by a generator.
        groups: (N,) patient or source identifier as text, or None where unknown. Never split across sets.
        provenance: (N,) records of generator (SHA-256 of its file, empty for a real image), seed and index,
            or None where every image is real.
        split: (N,) text, "train", "val" or "test", or None where the set is not divided.
        passed_over: files that stood there and were not read, counted by reason.
        by_rules: whether earlier `reading.RULES` would have given other pixels.
        former: gives the images (or more of their part) as rules 1 read them, where that is so.

    Raises:
        DataError: the arrays disagree with each other or with these shapes.
    """

    pixels: Pixels
    labels: Indices
    class_names: tuple[str, ...]
    synthetic: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    groups: npt.NDArray[np.str_] | None = None
    provenance: npt.NDArray[np.void] | None = None
    split: npt.NDArray[np.str_] | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)
    by_rules: bool = False
    former: Callable[[], "LabeledImages"] | None = None

    def __post_init__(self) -> None:
        if not len(self.synthetic):  # not said: real
            object.__setattr__(self, "synthetic", np.zeros(len(self.labels), dtype=bool))
        if self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3):
            raise DataError(f"images of shape {self.pixels.shape}: expected (N, 1 or 3, H, W)")
        if self.pixels.dtype not in (np.uint8, np.uint16):
            raise DataError(f"images of type {self.pixels.dtype}: expected uint8 or uint16")
        for name in ("labels", "synthetic", "groups", "provenance", "split"):
            column = getattr(self, name)
            if column is not None and column.shape != (len(self.pixels),):
                raise DataError(f"{len(self.pixels)} images, {name} {column.shape}: expected one per image")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            found = f"{self.labels.min()}..{self.labels.max()}"
            raise DataError(f"labels {found}: expected 0..{len(self.class_names) - 1}, one per class name")
        if self.split is not None and (unknown := set(np.unique(self.split).tolist()) - set(PARTS)):
            raise DataError(f"split {', '.join(sorted(unknown))!r}: expected {', '.join(PARTS)}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.image_shape))
        origins = [
            f"{name}: {counts}" for name, counts in self.counts_by_origin().items() if any(counts.values())
        ]
        return f"LabeledImages({len(self)} of {shape} {self.pixels.dtype}; {'; '.join(origins) or 'empty'})"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def take(self, indices: npt.ArrayLike) -> "LabeledImages":
        """The images at `indices` (integers or a boolean mask), in that order."""
        rows = np.asarray(indices)
        rows = rows if rows.dtype == bool else rows.astype(np.int64)  # an empty list is of no integer type
        return replace(
            self,
            pixels=self.pixels[rows],
            labels=self.labels[rows],
            synthetic=self.synthetic[rows],
            groups=None if self.groups is None else self.groups[rows],
            provenance=None if self.provenance is None else self.provenance[rows],
            split=None if self.split is None else self.split[rows],
        )

    def of_class(self, label: int) -> "LabeledImages":
        """The images whose label is `label`."""
        return self.take(np.flatnonzero(self.labels == label))

    def counts(self) -> dict[str, int]:
        """Images per class, in the order of `class_names`; classes without images count 0."""
        numbers = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(n) for name, n in zip(self.class_names, numbers, strict=True)}

    def counts_by_origin(self) -> dict[str, dict[str, int]]:
        """Images per class, real and synthetic apart."""
        synthetic = np.bincount(self.labels[self.synthetic], minlength=len(self.class_names)).tolist()
        made = dict(zip(self.class_names, synthetic, strict=True))
        return {"real": {name: n - made[name] for name, n in self.counts().items()}, "synthetic": made}

    def batches(self, size: int) -> Iterator["LabeledImages"]:
        """The images in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

    def digest(self) -> str:
        """SHA-256 over pixels, labels and class names: the same content gives the same text."""
        state = hashlib.sha256(repr((self.class_names, self.pixels.shape, str(self.pixels.dtype))).encode())
        state.update(self.labels.tobytes())
        for start in range(0, len(self), 4096):
            state.update(self.pixels[start : start + 4096].tobytes())
        return state.hexdigest()


def concatenate(parts: Sequence[LabeledImages]) -> LabeledImages:
    """All images of `parts` in order.

    Groups and splits survive when every part with a real image has them; other synthetic images get the group
    "synthetic" and the split "train".

    Raises:
        DataError: the parts differ in class names, image shape or bit depth.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.class_names != first.class_names:
            raise DataError(f"classes {part.class_names} beside {first.class_names}: expected the same names")
        if part.image_shape != first.image_shape or part.pixels.dtype != first.pixels.dtype:
            found = f"{part.image_shape} {part.pixels.dtype} beside {first.image_shape} {first.pixels.dtype}"
            raise DataError(f"images of {found}: expected one shape and depth, resize one of them")
    return LabeledImages(
        pixels=np.concatenate([part.pixels for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        class_names=first.class_names,
        synthetic=np.concatenate([part.synthetic for part in parts]),
        groups=_joined([part.groups for part in parts], parts, "synthetic"),
        provenance=(
            np.concatenate([_provenance(part) for part in parts])
            if any(part.provenance is not None for part in parts)
            else None
        ),
        split=_joined([part.split for part in parts], parts, "train"),
    )


def _joined(
    columns: Sequence[npt.NDArray[np.str_] | None], parts: Sequence[LabeledImages], of_synthetic: str
) -> npt.NDArray[np.str_] | None:
    """One column of those of the parts; None where none, or not every part with a real image, has it."""
    known = [column is not None for column in columns]
    if not any(known) or not all(has or part.synthetic.all() for has, part in zip(known, parts, strict=True)):
        return None
    filled = [
        np.full(len(part), of_synthetic) if column is None else column
        for column, part in zip(columns, parts, strict=True)
    ]
    return np.concatenate(filled)


def _provenance(part: LabeledImages) -> npt.NDArray[np.void]:
    return np.zeros(len(part), PROVENANCE) if part.provenance is None else part.provenance


@dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test images of one data set; no group stands in two of them.

    Attributes:
        name: what the data set is called in tables and files.
        official: True when the split is the data set's own, False when it was drawn here.
        source: where `load_dataset` read it from; None for images put together in memory.

    Raises:
        DataError: a patient (group) is in more than one part.
    """

    train: LabeledImages
    val: LabeledImages
    test: LabeledImages
    name: str = "data"
    official: bool = False
    source: DataSource | None = None

    def __post_init__(self) -> None:
        parts = {"train": self.train, "val": self.val, "test": self.test}
        groups = {
            name: set() if part.groups is None else set(part.groups.tolist()) - {"synthetic"}
            for name, part in parts.items()
        }
        for one, other in combinations(parts, 2):
            if shared := groups[one] & groups[other]:
                raise DataError(
                    f"{self.name}: {len(shared)} groups in both {one} and {other}, the first is "
                    f"{pseudonym(min(shared), salt_of(self.name))}: expected each patient in one split"
                )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={getattr(self, name)!r}" for name in PARTS)
        return f"Splits({self.name!r}, {sizes})"

    def map(self, change: Callable[[LabeledImages], LabeledImages]) -> "Splits":
        """The same splits with every part changed."""
        return replace(self, train=change(self.train), val=change(self.val), test=change(self.test))

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, the same in every part."""
        return self.train.class_names

    def joined(self) -> LabeledImages:
        """All images, train first, then val and test, each with its split."""
        parts = zip(PARTS, (self.train, self.val, self.test), strict=True)
        return concatenate([replace(part, split=np.full(len(part), name)) for name, part in parts])
