"""Grids of images as one PNG."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from synthaug.augment.images import Pixels


def image_grid(pixels: Pixels, columns: int | None = None, scale: int = 1) -> npt.NDArray[np.uint8]:
    """Tile images row by row.

    Args:
        pixels: (N, C, H, W) uint8 or uint16 (shown by its upper eight bits).
        columns: images per row; as square as can be by default.
        scale: whole-number enlargement by pixel repetition.

    Returns:
        (rows, columns, 3) uint8 RGB with a white line of 2 pixels between images.
    """
    n, _, height, width = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    eight_bit = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    sheet = np.full((rows * (height + 2) - 2, columns * (width + 2) - 2, 3), 255, np.uint8)
    for k in range(n):
        top, left = (k // columns) * (height + 2), (k % columns) * (width + 2)
        sheet[top : top + height, left : left + width] = eight_bit[k].transpose(1, 2, 0)
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def save_grid(pixels: Pixels, path: Path, columns: int | None = None, scale: int = 1) -> None:
    """Write `image_grid` as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image_grid(pixels, columns, scale)).save(path)
