"""Images in arrays of any usual layout and type, as pixels (N, C, H, W), and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.images import Pixels


@dataclass(frozen=True)
class ImageLayout:
    """How an array holds images.

    Attributes:
        shape: of one image within the array.
        axes: "CHW", "HWC" or "HW" of an image; flattened arrays are reshaped to it.
        flat: whether images are rows of features.
        dtype: of the array: uint8, uint16 or floating point from 0 to 1.
    """

    shape: tuple[int, ...]
    axes: str
    flat: bool
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, array: npt.NDArray[Any], shape: tuple[int, ...] | None = None) -> "ImageLayout":
        """The layout of (N, C, H, W), (N, H, W, C), (N, H, W), or (N, features) with the shape of an image.

        Raises:
            DataError: the array has another form or type.
        """
        flat = array.ndim == 2
        if flat and shape is None:
            raise DataError(f"flat images {array.shape}: expected shape=(H, W) or shape=(C, H, W) too")
        inner = tuple(shape) if flat and shape is not None else array.shape[1:]
        if flat and int(np.prod(inner)) != array.shape[1]:
            raise DataError(f"{array.shape[1]} features an image: expected {int(np.prod(inner))} of {inner}")
        if len(inner) == 2:
            axes = "HW"
        elif len(inner) == 3 and inner[0] in (1, 3):
            axes = "CHW"
        elif len(inner) == 3 and inner[2] in (1, 3):
            axes = "HWC"
        else:
            raise DataError(f"images {array.shape}: expected (N, C, H, W), (N, H, W, C) or (N, H, W)")
        if array.dtype not in (np.uint8, np.uint16) and not np.issubdtype(array.dtype, np.floating):
            raise DataError(f"pixels of type {array.dtype}: expected uint8, uint16, or floats from 0 to 1")
        return cls(inner, axes, flat, array.dtype)

    def to_pixels(self, array: npt.NDArray[Any]) -> Pixels:
        """The array as (N, C, H, W) uint8 or uint16.

        Raises:
            DataError: floats outside 0 to 1, NaN or Inf.
        """
        images = array.reshape(len(array), *self.shape)
        images = images[:, None] if self.axes == "HW" else images
        images = images.transpose(0, 3, 1, 2) if self.axes == "HWC" else images
        if np.issubdtype(self.dtype, np.floating):
            if not np.isfinite(images).all():
                raise DataError("images contain NaN or Inf: expected floats from 0 to 1")
            if len(images) and (images.min() < 0 or images.max() > 1):
                raise DataError(
                    f"pixels of {images.min():g} to {images.max():g}: expected floats from 0 to 1"
                )
            images = (images * 255).round().astype(np.uint8)
        return np.ascontiguousarray(images)

    def from_pixels(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Pixels (N, C, H, W) in this layout and type."""
        images: npt.NDArray[Any] = pixels
        if np.issubdtype(self.dtype, np.floating):
            images = pixels.astype(self.dtype) / np.iinfo(pixels.dtype).max
        images = images.transpose(0, 2, 3, 1) if self.axes == "HWC" else images
        images = images[:, 0] if self.axes == "HW" else images
        return images.reshape(len(images), -1) if self.flat else images
