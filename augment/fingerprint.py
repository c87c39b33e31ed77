"""A 64-bit fingerprint per image, to see whether one set holds images of another."""

import hashlib

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import resize

CANONICAL_SIZE = 28  # the smallest size in use: a 64 px image and its own 28 px version agree


def image_fingerprints(images: LabeledImages) -> npt.NDArray[np.uint64]:
    """BLAKE2b of each image reduced to 28 px, (N,) uint64.

    Equal images give equal numbers, and so does an image beside its own smaller version where both were
    reduced by the same antialiased bicubic filter (as the sizes of MedMNIST were).
    """
    digests = [
        hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=8).digest()
        for batch in images.batches(4096)
        for pixels in resize(batch, CANONICAL_SIZE).pixels
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
