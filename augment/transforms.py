"""Changing images: size, colour channels, and the classical augmentation that synthetic images must beat."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from synthaug.augment.grey import is_coloured, luma, mean
from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.reading import RULES, ReadOptions


def resize(images: LabeledImages, size: int) -> LabeledImages:
    """Square images of side `size` by antialiased bicubic interpolation (PIL's, as MedMNIST was made)."""
    if images.image_shape[1:] == (size, size):
        return images
    return replace(images, pixels=resize_pixels(images.pixels, size))


def squared(images: LabeledImages, fit: str) -> LabeledImages:
    """Square images: the centre of those given ("crop"), or all of them between black bars ("pad")."""
    _, height, width = images.image_shape
    if height == width:
        return images
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return replace(images, pixels=images.pixels[..., top : top + side, left : left + side])
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    padded = np.zeros((*images.pixels.shape[:2], side, side), images.pixels.dtype)
    padded[..., top : top + height, left : left + width] = images.pixels
    return replace(images, pixels=padded)


def resize_pixels(pixels: Pixels, size: int) -> Pixels:
    """(N, C, H, W) uint8 or uint16 -> (N, C, size, size) of the same type."""
    limit = np.iinfo(pixels.dtype).max
    resized = np.empty((*pixels.shape[:2], size, size), pixels.dtype)
    for image, out in zip(pixels, resized, strict=True):
        for plane, target in zip(image, out, strict=True):
            # 8-bit planes by PIL's 8-bit filter, deeper ones through its float mode
            source = plane if plane.dtype == np.uint8 else plane.astype(np.float32)
            scaled = np.asarray(Image.fromarray(source).resize((size, size), Image.Resampling.BICUBIC))
            target[:] = scaled if plane.dtype == np.uint8 else scaled.round().clip(0, limit)
    return resized


def with_channels(images: LabeledImages, channels: int, rules: int = RULES) -> LabeledImages:
    """Grey repeated to RGB, or RGB to grey: luma, or by `rules` 1 the mean of the channels."""
    have = images.image_shape[0]
    if have == channels:
        return images
    if channels == 3:
        return replace(images, pixels=images.pixels.repeat(3, axis=1))
    grey = luma(images.pixels, 1) if rules > 1 else mean(images.pixels, 1)
    return replace(images, pixels=grey, by_rules=images.by_rules or is_coloured(images.pixels, 1))


def matching(images: LabeledImages, other: LabeledImages) -> LabeledImages:
    """The images in the size, channels and bit depth of another, square, set."""
    channels, side, _ = other.image_shape
    images = with_channels(resize(images, side), channels)
    return with_bits(images, 8 * other.pixels.dtype.itemsize)


def with_bits(images: LabeledImages, bits: int) -> LabeledImages:
    """8 bits per pixel stretched to 16, so that white stays white, or 16 cut to the upper 8."""
    if 8 * images.pixels.dtype.itemsize == bits:
        return images
    if bits == 8:
        return replace(images, pixels=(images.pixels >> 8).astype(np.uint8))
    return replace(images, pixels=images.pixels.astype(np.uint16) * np.uint16(257))


def as_asked(images: LabeledImages, reading: ReadOptions) -> LabeledImages:
    """The images with the side or shape, the channels and the bits that are asked for, where any are."""
    if reading.size is not None:
        images = resize(squared(images, reading.fitting), reading.size)
    elif reading.fit is not None:
        images = squared(images, reading.fit)
    if reading.channels is not None:
        images = with_channels(images, reading.channels, reading.rules)
    return images if reading.bits is None else with_bits(images, reading.bits)


def to_unit_range(pixels: Pixels) -> Tensor:
    """uint8 or uint16 (N, C, H, W) -> float32 tensor in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max)


def classical_augmentation() -> Callable[[Tensor], Tensor]:
    """torchvision's transforms of a (C, H, W) image in [0, 1]: pose, zoom and exposure, no mirror image.

    Rotation by ±10°, shifts by ±8 %, zoom 0.9-1.1, brightness and contrast ±20 %. No left-right flip: the
    heart has a side.
    """
    augmentation: Callable[[Tensor], Tensor] = v2.Compose(
        [
            v2.RandomAffine(
                degrees=10,
                translate=(0.08, 0.08),
                scale=(0.9, 1.1),
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.ColorJitter(brightness=0.2, contrast=0.2),
        ]
    )
    return augmentation
