"""Which images are held against which, so that a number means something.

The reference is the real training split. The synthetic images and the *floor*, held-out real images of the
validation split, are both scored against it with the same n and the same class mix: a synthetic set that
scores its floor is, for this metric, as good as new real images. Images are chosen and ordered by a hash of
their content, so no number depends on the order in which they came.
"""

import hashlib
import logging
from dataclasses import dataclass

import numpy as np

from synthaug.augment.blend import match_classes
from synthaug.augment.errors import DataError
from synthaug.augment.images import Indices, LabeledImages, Splits
from synthaug.augment.transforms import resize, with_channels

log = logging.getLogger("synthaug")

LARGEST = 10_000  # images per set; more cost time and change little
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
    """At most `largest` images of each set; the synthetic ones in the real ones' classes, size and channels.

    Raises:
        DataError: fewer than ten images, or no class name that the real set has.
    """
    channels, side, _ = real.train.image_shape
    pool = match_classes(synthetic, real.class_names)
    if min(len(pool), len(real.val)) < SMALLEST:
        found = f"{len(pool)} synthetic images, {len(real.val)} held-out real ones"
        raise DataError(f"{found}: expected at least {SMALLEST} of each to score fidelity")
    chosen = by_content(pool, largest, seed)
    return Sets(
        by_content(real.train, largest, seed),
        by_content(real.val, largest, seed),
        with_channels(resize(chosen, side), channels),
    )


def by_content(images: LabeledImages, n: int, seed: int = 0) -> LabeledImages:
    """`n` of the images (all, where there are fewer), chosen and ordered by a keyed hash of their pixels."""
    key = int(seed).to_bytes(8, "little")
    digests = [
        hashlib.blake2b(pixels.tobytes(), digest_size=16, key=key).digest() + int(label).to_bytes(4, "big")
        for batch in images.batches(4096)
        for pixels, label in zip(batch.pixels, batch.labels, strict=True)
    ]
    order = sorted(range(len(images)), key=digests.__getitem__)
    return images.take(np.array(order[:n], dtype=np.int64))


def parts_of(sets: Sets) -> list[Part]:
    """Overall and each class; one of fewer than ten images in any set is left out with a warning.

    "Overall" compares sets of the same class proportions, the held-out real images': a class-balanced
    synthetic set is not marked down for being balanced.
    """
    found = [_of_equal_proportions(sets)]
    for label, name in enumerate(sets.reference.class_names):
        rows = {key: np.flatnonzero(images.labels == label) for key, images in sets.items()}
        n = min(len(rows["floor"]), len(rows["synthetic"]))
        found.append(Part(name, rows["reference"], rows["floor"][:n], rows["synthetic"][:n]))
    kept = []
    for part in found:
        fewest = min(len(part.reference), part.n)
        if fewest < SMALLEST:
            log.warning("%s left out: %d images, expected %d or more", part.name, fewest, SMALLEST)
        else:
            kept.append(part)
    return kept


def _of_equal_proportions(sets: Sets) -> Part:
    """Rows of each set in the class proportions of the floor."""
    have = {name: np.array(list(images.counts().values())) for name, images in sets.items()}
    mix = np.maximum(have["floor"], 1)  # every class of the floor has images, or it would not be validated on
    scale = {name: float((counts / mix).min()) for name, counts in have.items()}
    scale["floor"] = scale["synthetic"] = min(1.0, scale["synthetic"])
    rows = {
        name: np.concatenate(
            [np.flatnonzero(images.labels == k)[: int(scale[name] * n)] for k, n in enumerate(mix)]
        )
        for name, images in sets.items()
    }
    return Part("overall", **rows)
