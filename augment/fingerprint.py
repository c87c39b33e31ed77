"""A 64-bit fingerprint per image, to see which images of two sets are the same."""

import hashlib

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import GateError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import resize

CANONICAL_SIZE = 28  # the smallest size in use


def image_fingerprints(images: LabeledImages) -> npt.NDArray[np.uint64]:
    """BLAKE2b of each image's pixels, (N,) uint64: equal for equal images of one size."""
    digests = [
        hashlib.blake2b(pixels.tobytes(), digest_size=8).digest()
        for batch in images.batches(4096)
        for pixels in batch.pixels
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def canonical_fingerprints(images: LabeledImages) -> npt.NDArray[np.uint64]:
    """`image_fingerprints` of the images reduced to 28 px, (N,) uint64.

    An image and its own smaller version agree where both were reduced by the same antialiased bicubic
    filter, as the sizes of MedMNIST were.
    """
    return image_fingerprints(resize(images, CANONICAL_SIZE))


def refuse_leak(test: LabeledImages, seen: npt.NDArray[np.uint64], who: str) -> None:
    """Stop when test images were among those a generator was trained on.

    Args:
        seen: canonical fingerprints of the generator's training images.
        who: the generator, in words.

    Raises:
        GateError: at least one test image was seen.
    """
    leaked = int(np.isin(canonical_fingerprints(test), seen).sum())
    if leaked:
        raise GateError(
            f"{leaked} of {len(test)} test images were in the training set of {who}: the test would not "
            "be one; use the split it was trained on or another generator"
        )
