"""Which images of two sets are the same: exact fingerprints, and sketches that survive a change of size."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from synthaug.augment.errors import GateError
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import RULES
from synthaug.augment.transforms import resize, with_bits, with_channels

CANONICAL_SIZE = 28  # the smallest size in use
SKETCH_SIDE = 16
STEP = 3  # grey levels between neighbours that count as a change: flat background stays 0 at every size
# Bits of 256. Measured at 28 to 128 px: nine in ten images differ by at most 8 (HAM10000: 10) from themselves
# at another size; different chest radiographs by 16 or more, adjacent CT slices by as few as none.
SAME = 8
STRUCTURED = 24  # bits that a sketch must have set to recognise an image by: a black image has none
SAMPLE = 4000  # images among which the usual distance is looked for


@dataclass(frozen=True, eq=False)
class SeenImages:
    """What a generator remembers of the images it was trained on, to refuse them as test images.

    Attributes:
        fingerprints: (N,) uint64, sorted, see `canonical_fingerprints`.
        sketches: (N, 32) uint8, see `image_sketches`.
        rules: the oldest `reading.RULES` that any of the images was read by.
    """

    fingerprints: npt.NDArray[np.uint64]
    sketches: npt.NDArray[np.uint8]
    rules: int = RULES

    @classmethod
    def of(cls, images: LabeledImages) -> "SeenImages":
        """Of a training set."""
        return cls(np.unique(canonical_fingerprints(images)), np.unique(image_sketches(images), axis=0))

    @classmethod
    def none(cls) -> "SeenImages":
        """Of no image."""
        return cls(np.zeros(0, np.uint64), np.zeros((0, 32), np.uint8))

    def __len__(self) -> int:
        return len(self.fingerprints)

    def __or__(self, other: "SeenImages") -> "SeenImages":
        """The images of both."""
        return SeenImages(
            np.union1d(self.fingerprints, other.fingerprints),
            np.unique(np.concatenate([self.sketches, other.sketches]), axis=0),
            min(self.rules, other.rules),
        )

    def as_read(self, images: LabeledImages) -> LabeledImages:
        """The images (or all of their part) as they were read when these were."""
        return images.former() if self.rules < RULES and images.former is not None else images

    @cached_property
    def usual_bits(self) -> int:
        """The largest distance of sketches, at most `SAME` bits, that fewer than 1 % of the images have.

        To another of the same set. Where images resemble each other, as slices of a series do, only equal
        sketches (0 bits) tell a copy from a neighbour.
        """
        some = self.sketches[:: max(1, len(self.sketches) // SAMPLE)]
        if len(self.sketches) < 2:
            return SAME
        nearest = _bits_to_nearest(some, self.sketches, at_least=1)
        return max((bits for bits in range(1, SAME + 1) if (nearest <= bits).mean() < 0.01), default=0)

    def look_alikes(self, images: LabeledImages) -> npt.NDArray[np.bool_]:
        """(N,) bool: is the image, or its mirror image, one of these, as far as a sketch can tell?

        Equal pixels at 28 px count, and sketches within `usual_bits`. An image with hardly any structure has
        no sketch to be recognised by: only equal pixels count there.
        """
        found = np.isin(canonical_fingerprints(images), self.fingerprints)
        if not len(self.sketches):
            return found
        for pixels in (images.pixels, images.pixels[..., ::-1]):
            sketches = image_sketches(replace(images, pixels=pixels))
            structured = np.unpackbits(sketches, axis=1).sum(axis=1) >= STRUCTURED
            found |= structured & (_bits_to_nearest(sketches, self.sketches) <= self.usual_bits)
        return found


def image_fingerprints(images: LabeledImages) -> npt.NDArray[np.uint64]:
    """BLAKE2b of each image's pixels, (N,) uint64: equal for equal images of one size."""
    digests = [
        hashlib.blake2b(pixels.tobytes(), digest_size=8).digest()
        for batch in images.batches(4096)
        for pixels in batch.pixels
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def canonical_fingerprints(images: LabeledImages) -> npt.NDArray[np.uint64]:
    """`image_fingerprints` of the images reduced to 28 px and 8 bits, (N,) uint64.

    An image and its own smaller version agree where both were reduced by the same antialiased bicubic
    filter, as the sizes of MedMNIST were.
    """
    return image_fingerprints(resize(with_bits(images, 8), CANONICAL_SIZE))


def image_sketches(images: LabeledImages) -> npt.NDArray[np.uint8]:
    """A 256-bit difference hash of each image, (N, 32) uint8, about the same at every size.

    One bit for each of 16 × 16 places: is the next place to the right more than `STEP` levels brighter?
    """
    grey = with_channels(images, 1, rules=1).pixels[:, 0]  # by one rule for ever
    eight_bit = (grey >> 8).astype(np.uint8) if grey.dtype == np.uint16 else grey
    shape = (SKETCH_SIDE + 1, SKETCH_SIDE)
    small = [np.asarray(Image.fromarray(p).resize(shape, Image.Resampling.BILINEAR)) for p in eight_bit]
    stack = np.array(small, dtype=np.int16).reshape(-1, SKETCH_SIDE, SKETCH_SIDE + 1)
    return np.packbits((np.diff(stack, axis=2) > STEP).reshape(len(stack), -1), axis=1)


def refuse_leak(test: LabeledImages, seen: SeenImages, who: str) -> None:
    """Stop when test images were among those a generator was trained on, at this size or another.

    One equal image is a leak. Sketches catch other sizes: it is a leak when more than 2 % of the test images
    (and more than four) have a look-alike among the seen ones; more than half of them, where the test set has
    look-alikes within itself, as series of CT slices have and radiographs do not.

    Args:
        who: the generator or file, in words.

    Raises:
        GateError: a leak.
    """
    if leaked := count_known(test, seen):
        raise GateError(
            f"{leaked} of {len(test)} test images were in the training set of {who}: the test would not "
            "be one; use the split it was trained on or another generator"
        )


def count_known(images: LabeledImages, seen: SeenImages) -> int:
    """How many of the images a generator was trained on, by the rule of `refuse_leak`; 0 for chance alone.

    Where it remembers them as earlier rules read them, they are read so too.
    """
    before = seen.as_read(images)
    former = 0 if before is images else _count_known(before, seen)
    return max(_count_known(images, seen), former)


def _count_known(images: LabeledImages, seen: SeenImages) -> int:
    equal = int(np.isin(canonical_fingerprints(images), seen.fingerprints).sum())
    sketches = image_sketches(images)
    alike = int(_have_look_alike(sketches, seen.sketches).sum())
    usual = int(_have_look_alike(sketches, sketches, itself=True).sum())
    few = max(4, 0.02 * len(images))  # chance look-alikes
    too_many = few if usual <= few else 0.5 * len(images)
    return max(equal, alike if alike > too_many else 0)


def _have_look_alike(
    sketches: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8], itself: bool = False
) -> npt.NDArray[np.bool_]:
    """(N,): is there another sketch within `SAME` bits? `itself` leaves out each sketch's own place."""
    if not len(others):
        return np.zeros(len(sketches), dtype=bool)
    return _bits_to_nearest(sketches, others, itself=itself) <= SAME


def _bits_to_nearest(
    sketches: npt.NDArray[np.uint8],
    others: npt.NDArray[np.uint8],
    *,
    itself: bool = False,
    at_least: int = 0,
) -> npt.NDArray[np.float32]:
    """(N,) bits between each sketch and the nearest other one, of those that differ in `at_least` bits."""
    signs = [2 * np.unpackbits(s, axis=1).astype(np.float32) - 1 for s in (sketches, others)]
    bits = signs[0].shape[1]
    found = []
    for start in range(0, len(sketches), 512):  # ±1 vectors: their product counts equal bits
        distances = (bits - signs[0][start : start + 512] @ signs[1].T) / 2
        if itself:
            rows = np.arange(len(distances))
            distances[rows, start + rows] = bits
        distances[distances < at_least] = bits
        found.append(distances.min(axis=1))
    return np.concatenate(found)
