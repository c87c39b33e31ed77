"""JPEG coding that images went through: its quality read from their pixels, and images coded again.

Quality differs between the sources of a collection. Where it differs between classes, a classifier can learn
the coding instead of the anatomy; where only real images have it, it tells them from synthetic ones.
"""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages

BLOCK = 8  # px
QUALITIES = range(40, 97)  # above, rounding to grey levels hides the quantisation
UNCHANGED = 0.1  # grey levels: mean absolute change by coding again at the same quality stays below
NONE = 0  # no coding found
AT_ONCE = 128  # px; side of the part of an image that is looked at
BLOCKS_NEEDED = 4
PER_CLASS = 50  # images that are looked at; few enough to differ by a fifth of chance at random
SHORTCUT = 1.3  # times chance, that the class is read from the coding alone

Grey = npt.NDArray[np.uint8]


def jpeg_quality(image: npt.NDArray[np.uint8]) -> int | None:
    """The quality that an image was last coded at, on libjpeg's scale.

    Coding is idempotent: at the same quality, on the same grid of 8 × 8 blocks, it changes almost nothing
    (Farid 2009, "Exposing digital forgeries from JPEG ghosts"). Blocks that are constant or reach black or
    white say nothing and are left out.

    Args:
        image: (C, H, W); the luminance of RGB is used.

    Returns:
        `NONE` where coding at no quality leaves the image as it is (it was never coded, or resized or cropped
        since), None where too few blocks can tell.
    """
    grey = _luminance(image)[:AT_ONCE, :AT_ONCE]
    grey = grey[: grey.shape[0] // BLOCK * BLOCK, : grey.shape[1] // BLOCK * BLOCK]
    blocks = _blocks(grey)
    lowest, highest = (extreme(axis=1) for extreme in (blocks.min, blocks.max))
    telling = (lowest > 0) & (highest < 255) & (highest - lowest > 2)
    if telling.sum() < BLOCKS_NEEDED:
        return None
    change = {q: np.abs(_blocks(_coded(grey[None], q)[0]) - blocks)[telling].mean() for q in QUALITIES}
    best = min(QUALITIES, key=lambda quality: (change[quality], quality))  # finer tables may divide it
    return best if change[best] < UNCHANGED else NONE


def class_qualities(images: LabeledImages, per_class: int = PER_CLASS) -> dict[str, Counter[int]]:
    """How many images of each class were coded at each quality, of so many evenly spread over the class.

    Images of which nothing can be said are not counted, such as all of 16 bits.
    """
    counts: dict[str, Counter[int]] = {name: Counter() for name in images.class_names}
    if images.pixels.dtype != np.uint8:
        return counts
    for label, name in enumerate(images.class_names):
        rows = np.flatnonzero(images.labels == label)
        chosen = rows[:: max(1, -(-len(rows) // per_class))]
        qualities = (jpeg_quality(image) for image in images.pixels[chosen])
        counts[name] = Counter(quality for quality in qualities if quality is not None)
    return counts


def coding_shortcut(images: LabeledImages) -> str:
    """Names the coding from which a classifier could read the class; empty where it could not.

    It could where the most frequent class at each quality is the right one for more images (each class
    weighing the same) than by chance, `SHORTCUT` times as many.

    Args:
        images: with labels.
    """
    qualities = {name: counts for name, counts in class_qualities(images).items() if counts}
    if len(qualities) < 2:
        return ""
    shares = {name: {q: n / counts.total() for q, n in counts.items()} for name, counts in qualities.items()}
    every = {quality for of_class in shares.values() for quality in of_class}
    right = sum(max(of_class.get(q, 0.0) for of_class in shares.values()) for q in every) / len(shares)
    chance = 1 / len(shares)
    if right < SHORTCUT * chance:
        return ""
    words = ", ".join(
        f"{name} {_in_words(counts.most_common(1)[0][0])}" for name, counts in sorted(qualities.items())
    )
    return (
        f"JPEG quality differs by class ({words}): it alone tells the class of {right:.0%} of images, "
        f"chance {chance:.0%}; a classifier can learn the coding instead of the anatomy"
    )


def usual_qualities(images: LabeledImages) -> npt.NDArray[np.int64]:
    """(K,) the most frequent quality of each class, `NONE` where most images were not coded."""
    counts = class_qualities(images).values()
    return np.array([count.most_common(1)[0][0] if count else NONE for count in counts], dtype=np.int64)


def recode(images: LabeledImages, qualities: Sequence[int] | npt.NDArray[np.int64]) -> LabeledImages:
    """Each image coded as JPEG and decoded again.

    Args:
        images: (N, 1 or 3, H, W) of 8 bits.
        qualities: (N,) on libjpeg's scale; `NONE` leaves an image as it is.

    Raises:
        DataError: images of 16 bits.
    """
    if images.pixels.dtype != np.uint8:
        raise DataError("JPEG coding: found images of 16 bits, expected 8: read them with --bits 8")
    pixels = images.pixels.astype(np.uint8)  # a copy
    for quality in np.unique(qualities):
        rows = np.flatnonzero(np.asarray(qualities) == quality)
        pixels[rows] = recode_pixels(pixels[rows], int(quality))
    return replace(images, pixels=pixels)


def recode_pixels(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """(N, 1 or 3, H, W), all at one quality."""
    if quality == NONE or not len(pixels):
        return pixels
    return np.stack([_coded(image, quality) for image in pixels])


def _in_words(quality: int) -> str:
    return str(quality) if quality != NONE else "not coded"


def _coded(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """(C, H, W) through libjpeg and back."""
    picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=quality)
    pixels = np.asarray(Image.open(file))
    planes: npt.NDArray[np.uint8] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return planes


def _blocks(grey: Grey) -> npt.NDArray[np.int16]:
    """(H, W), multiples of 8 -> (blocks, 64)."""
    rows, columns = (side // BLOCK for side in grey.shape)
    split = grey.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    return split.reshape(rows * columns, BLOCK**2).astype(np.int16)


def _luminance(image: npt.NDArray[np.uint8]) -> Grey:
    grey: Grey = (
        image[0] if len(image) == 1 else np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"))
    )
    return grey
