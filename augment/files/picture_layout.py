"""What pictures of mixed sizes, depths and levels are decoded to, by their headers."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, NamedTuple

from PIL import Image, ImageFile

from synthaug.augment.errors import DataError
from synthaug.augment.files.walk import PICTURES
from synthaug.augment.levels import bits_in_use, scale_of
from synthaug.augment.reading import ReadOptions

Opener = Callable[[str], IO[bytes]]


@contextmanager
def opened(name: str, open_file: Opener) -> Iterator[Image.Image]:
    """The one image that a file holds; a photograph's preview (MPO) is no other image."""
    with open_file(name) as file, Image.open(file, formats=tuple(PICTURES)) as image:
        try:
            pages = getattr(image, "n_frames", 1)
        except (EOFError, KeyError, TypeError):  # what Pillow says of a further page that is cut short
            raise ValueError("broken pages, expected one image") from None
        if pages > 1 and image.format != "MPO":
            raise ValueError(f"{pages} pages, expected one image")
        yield image


class Header(NamedTuple):
    """Size (width, height) and depth: 8 bits, 16 bits of grey, or 48 for more than Pillow hands out."""

    size: tuple[int, int]
    deep: int


def header_of(name: str, open_file: Opener) -> Header:
    """Size and depth of one file, without decoding it."""
    with opened(name, open_file) as image:
        if image.mode.startswith("I"):
            return Header(image.size, 16)
        tile = image.tile[0] if isinstance(image, ImageFile.ImageFile) and image.tile else None
        raw = tile.args if tile else ""
        raw = raw[0] if isinstance(raw, tuple) and raw else raw
        return Header(image.size, 48 if ";16" in str(raw) else 8)


class PictureLayout(NamedTuple):
    """What files are decoded to; without a number of channels, to 3, of which the pictures may need 1."""

    bits: int
    channels: int | None
    height: int
    width: int


class Levels(NamedTuple):
    """How levels become those of 16 bits: the bits in use, where known, and the rules of `reading.RULES`."""

    fit: str
    known: int | None
    rules: int

    def scale(self, kind: str, high: float, bits: int) -> float:
        """What takes levels up to `high` to those of 16 bits: fractions end at 1, others at the bits in use.

        By rules 1, whole numbers up to 255 are of 8 bits where that many are wanted, all others of 16.
        """
        if kind == "F" and high <= 1:
            return 65535.0
        if self.rules > 1:
            return scale_of(self.known or bits_in_use(high))
        return 257.0 if high <= 255 and (kind == "F" or bits == 8) else 1.0


def layout_for(
    headers: Mapping[str, Header], reading: ReadOptions, stored: tuple[int, int, int] | None
) -> PictureLayout:
    """What files with these headers are decoded to.

    Args:
        stored: the (C, H, W) that they are known to have.

    Raises:
        DataError: one has more than 8 bits where it cannot be read with more.
    """
    bits = _bits(headers, reading.bits) if headers else 8
    height, width = _shape(headers.values(), reading.size, stored)
    channels = reading.channels
    if channels is None and reading.size is None and stored is not None and stored[1:] == (height, width):
        channels = stored[0]
    if channels is None and bits == 16 and all(header.deep == 16 for header in headers.values()):
        channels = 1
    return PictureLayout(bits, channels, height, width)


def _bits(headers: Mapping[str, Header], asked: int | None) -> int:
    """8 or 16: as asked, else 16 where all files have that many."""
    if asked == 8 or (asked is None and any(header.deep == 8 for header in headers.values())):
        return 8
    for name, header in headers.items():
        if header.deep == 48:
            raise DataError(
                f"{name}: found 16 bits per channel with colour or alpha, of which 8 can be read: "
                "ask for --bits 8, or convert it to 16-bit grey"
            )
    return 16


def _shape(
    headers: Collection[Header], size: int | None, stored: tuple[int, int, int] | None
) -> tuple[int, int]:
    """(H, W)."""
    if size is not None:
        return size, size
    sizes = {header.size for header in headers}
    width, height = sizes.pop() if len(sizes) == 1 else (64, 64)
    return (height, width) if width == height or (stored and stored[1:] == (height, width)) else (64, 64)
