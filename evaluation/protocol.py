"""Which images are held against which, so that a number means something.

The reference is the real training split. The synthetic images and the *floor*, held-out real images of the
validation split, are both scored against it with the same n and the same class mix: a synthetic set that
scores its floor is, for this metric, as good as new real images. Images are chosen and ordered by a hash of
their content, so no number depends on the order in which they came.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synthaug.augment.blend import match_classes
from synthaug.augment.errors import DataError
from synthaug.augment.images import Indices, LabeledImages, Splits
from synthaug.augment.transforms import matching

LARGEST = 10_000  # images per set; more cost time and change little
RARE = 50  # images that every class may keep, whatever its share
SMALLEST = 10  # images per set and part; fewer say nothing


@dataclass(frozen=True, eq=False)
class Sets:
    """The three sets of a comparison, of one size, one number of channels and one list of class names."""

    reference: LabeledImages
    floor: LabeledImages
    synthetic: LabeledImages

    def items(self) -> list[tuple[str, LabeledImages]]:
        """(name, images) of each."""
        return [("reference", self.reference), ("floor", self.floor), ("synthetic", self.synthetic)]


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of each of the `Sets` that one number is about; `floor` and `synthetic` are equally many.

    Attributes:
        name: "overall" or a class name.
    """

    name: str
    reference: Indices
    floor: Indices
    synthetic: Indices

    @property
    def n(self) -> int:
        """Images in the floor, and in the synthetic set."""
        return len(self.synthetic)


def comparable_sets(real: Splits, synthetic: LabeledImages, *, largest: int = LARGEST, seed: int = 0) -> Sets:
    """At most `largest` images of each set; the synthetic ones in the real ones' classes, size and depth.

    Where there are more, classes keep their shares, but a rare one up to 50 images.

    Raises:
        DataError: fewer than ten images, no class name that the real set has, or real images that are not
            square.
    """
    _, side, width = real.train.image_shape
    if side != width:
        raise DataError(f"{real.name}: images of {side}×{width} pixels: expected square ones, give --size")
    pool = match_classes(synthetic, real.class_names)
    if min(len(pool), len(real.val)) < SMALLEST:
        counts = f"{len(pool)} synthetic images, {len(real.val)} held-out real ones"
        raise DataError(f"{counts}: expected at least {SMALLEST} of each to score fidelity")
    return Sets(
        _some(real.train, largest, seed),
        _some(real.val, largest, seed),
        matching(_some(pool, largest, seed), real.train),
    )


def _some(images: LabeledImages, largest: int, seed: int) -> LabeledImages:
    """The images in the order of `by_content`; where they are too many, every class by its share."""
    order = content_order(images, seed)
    if len(images) > largest:
        labels = images.labels[order]
        counts = np.bincount(labels, minlength=len(images.class_names))
        quotas = np.maximum(counts * largest // len(images), RARE)
        chosen = [np.flatnonzero(labels == label)[:quota] for label, quota in enumerate(quotas)]
        order = order[np.sort(np.concatenate(chosen))]
    return images.take(order)


def by_content(images: LabeledImages, n: int, seed: int = 0) -> LabeledImages:
    """`n` of the images (all, where there are fewer), chosen and ordered by `content_order`."""
    return images.take(content_order(images, seed)[:n])


def content_order(images: LabeledImages, seed: int = 0) -> Indices:
    """(N,) the rows in the order of a keyed hash of their pixels: the same whatever order they came in."""
    key = int(seed).to_bytes(8, "little")
    digests = [
        hashlib.blake2b(pixels.tobytes(), digest_size=16, key=key).digest() + int(label).to_bytes(4, "big")
        for batch in images.batches(4096)
        for pixels, label in zip(batch.pixels, batch.labels, strict=True)
    ]
    return np.array(sorted(range(len(images)), key=digests.__getitem__), dtype=np.int64)


def parts_of(sets: Sets) -> list[Part]:
    """Each class, and overall where there are two or more; a class of fewer than ten images has no part.

    "Overall" compares sets of the same class proportions, the held-out real images': a class-balanced
    synthetic set is not marked down for being balanced. It is made of the classes that have a part.

    Raises:
        DataError: no class has ten images in every set.
    """
    classes = []
    for label, name in enumerate(sets.reference.class_names):
        rows = {key: np.flatnonzero(images.labels == label) for key, images in sets.items()}
        n = min(len(rows["floor"]), len(rows["synthetic"]))
        if min(n, len(rows["reference"])) >= SMALLEST:
            classes.append(Part(name, rows["reference"], rows["floor"][:n], rows["synthetic"][:n]))
    if not classes:
        counts = "; ".join(f"{key} {images.counts()}" for key, images in sets.items())
        raise DataError(f"{counts}: expected {SMALLEST} images of a class in each of them to score fidelity")
    return classes if len(classes) == 1 else [_overall(sets, classes), *classes]


def left_out(sets: Sets, parts: Sequence[Part]) -> dict[str, int]:
    """Classes that have no part, with how many synthetic images they have."""
    judged = {part.name for part in parts}
    return {name: n for name, n in sets.synthetic.counts().items() if name not in judged}


def _overall(sets: Sets, classes: Sequence[Part]) -> Part:
    """Rows of each set in the class proportions of the floor."""
    labels = [sets.reference.class_names.index(part.name) for part in classes]
    have = {name: np.array(list(images.counts().values()))[labels] for name, images in sets.items()}
    scale = {name: float((counts / have["floor"]).min()) for name, counts in have.items()}
    scale["floor"] = scale["synthetic"] = min(1.0, scale["synthetic"])
    mix = dict(zip(labels, have["floor"].tolist(), strict=True))
    rows = {name: in_mix(images.labels, mix, scale[name]) for name, images in sets.items()}
    return Part("overall", **rows)


def in_mix(labels: Indices, mix: Mapping[int, int], scale: float) -> Indices:
    """The first rows of each class, `scale` times as many as `mix` says."""
    rows = [np.flatnonzero(labels == label)[: int(scale * n)] for label, n in mix.items()]
    return np.concatenate(rows)
