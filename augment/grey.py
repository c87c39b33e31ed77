"""Colour to grey: one conversion for every format."""

from typing import cast

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import Pixels

LUMA = (19595, 38470, 7471)  # ITU-R BT.601's 0.299, 0.587 and 0.114 of 2**16, as Pillow has them


def luma(pixels: Pixels, axis: int) -> Pixels:
    """The grey of colours, of the same type; `axis` has the three channels, and one afterwards."""
    red, green, blue = np.moveaxis(pixels, axis, 0).astype(np.uint32)
    grey = (red * LUMA[0] + green * LUMA[1] + blue * LUMA[2] + (1 << 15)) >> 16
    return cast(Pixels, np.expand_dims(grey, axis).astype(pixels.dtype))


def mean(pixels: Pixels, axis: int) -> Pixels:
    """The mean of the channels: what reading was by rules 1, and what sketches are taken of."""
    grey: Pixels = pixels.mean(axis=axis, keepdims=True).round().astype(pixels.dtype)
    return grey


def is_coloured(pixels: npt.NDArray[np.generic], axis: int) -> bool:
    """Whether the channels differ anywhere."""
    first, *others = np.moveaxis(pixels, axis, 0)
    return any(not np.array_equal(first, other) for other in others)
