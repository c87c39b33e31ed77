"""Image files into one array: mixed sizes and modes, in parallel, naming the file that is broken."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from synthaug.augment.errors import DataError
from synthaug.augment.progress import progress_bar

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
GREEN = slice(1, 2)  # equal to the other channels in a grey picture, the sharpest in a colour one
COLOUR_TOLERANCE = 8  # grey levels; JPEG leaves a grey picture stored as RGB that close to grey


def decode_images(
    names: Sequence[str], open_file: Callable[[str], IO[bytes]], size: int | None, channels: int | None
) -> npt.NDArray[np.uint8]:
    """Decode files to (N, C, side, side) uint8.

    Each is cropped to its central square and resized with anti-aliasing where it is not of that side.

    Args:
        names: what to decode; used in error messages.
        open_file: gives a name's bytes.
        size: the side; None keeps the files' own where all are the same square, and is 64 otherwise.
        channels: 1 or 3; None gives 3 only where a picture is coloured (grey stored as RGB is grey).

    Raises:
        DataError: a file is no whole image.
    """

    def header(name: str) -> tuple[int, int]:
        with _naming(name), open_file(name) as file, Image.open(file) as image:
            return image.size

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if size is None:
            sizes = set(pool.map(header, names))
            width, height = next(iter(sizes))
            size = width if len(sizes) == 1 and width == height else 64
        side = size
        decoded = np.zeros((len(names), channels or 3, side, side), np.uint8)

        def decode(k: int) -> None:
            with _naming(names[k]), open_file(names[k]) as file, Image.open(file) as image:
                rgb = _square(image, side)
                decoded[k] = rgb[GREEN] if channels == 1 else rgb

        with progress_bar("decode", len(names)) as advance:
            for _ in pool.map(decode, range(len(names))):
                advance(1)
    if channels is None and not any(_is_coloured(decoded[k : k + 1024]) for k in range(0, len(names), 1024)):
        return decoded[:, GREEN].copy()
    return decoded


def _square(image: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        deep = np.asarray(upright, dtype=np.float64)
        depth = 65535 if deep.max() > 255 else 1 if upright.mode == "F" and deep.max() <= 1 else 255
        upright = Image.fromarray((deep * (255 / depth)).clip(0, 255).astype(np.uint8))
    rgb = upright.convert("RGB")
    if rgb.size != (side, side):
        rgb = ImageOps.fit(rgb, (side, side), method=Image.Resampling.BICUBIC)
    return np.asarray(rgb).transpose(2, 0, 1)


def _is_coloured(pixels: npt.NDArray[np.uint8]) -> bool:
    return bool((pixels.max(axis=1) - pixels.min(axis=1) > COLOUR_TOLERANCE).any())


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turn whatever a decoder says of a broken file into one line that names it."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name}: expected a whole image, found {reason}: replace or remove it") from None
