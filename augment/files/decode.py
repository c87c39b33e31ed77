"""Image files into one array: mixed sizes, modes and depths, in parallel, naming what is broken."""

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from synthaug.augment.errors import DataError
from synthaug.augment.files.walk import PICTURES
from synthaug.augment.grey import is_coloured, luma
from synthaug.augment.images import Pixels
from synthaug.augment.levels import bits_in_use, scale_of
from synthaug.augment.progress import progress_bar
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
Opener = Callable[[str], IO[bytes]]
GREEN = slice(1, 2)  # equal to the other channels in a grey picture, the sharpest in a colour one
PHOTOMETRIC = 262  # the tag of a TIFF file; 0 is white (TIFF 6.0, page 37)
GREYS = ("L", "LA", "1")
COLOUR_TOLERANCE = 8  # grey levels of 255; JPEG leaves a grey picture stored as RGB that close to grey
NAMED = 10  # bad files in a warning; the rest is counted


class Decoded(NamedTuple):
    """What `decode_files` gives.

    Attributes:
        pixels: (N, C, H, W) of the files that could be read.
        bad: why, by the name of each other file.
        depths: bits per channel that the files read have, 8 or 16, and of colour 48; empty where the reading
            does not depend on them.
        highest: the highest level of files of whole numbers with more than 8 bits.
        in_use: bits of the levels of all of them, 16 where there are none.
        by_rules: whether earlier rules of reading would have given other pixels.
    """

    pixels: Pixels
    bad: dict[str, str]
    depths: dict[str, int]
    highest: dict[str, float]
    in_use: int
    by_rules: bool


def decode_images(names: Sequence[str], open_file: Opener, size: int | None, channels: int | None) -> Pixels:
    """Decode files to (N, C, side, side) uint8; as `decode_files`, with 8 bits whatever the files have."""
    return decode_files(names, open_file, ReadOptions(size=size, channels=channels, bits=8)).pixels


def decode_files(
    names: Sequence[str],
    open_file: Opener,
    reading: ReadOptions = ReadOptions(),
    stored: tuple[int, int, int] | None = None,
) -> Decoded:
    """Decode files to (N, C, H, W): 16 bits where all have that many or they are asked for, else 8.

    Grey levels of 16 bits are taken to be of as many as the highest of all needs (`levels.bits_in_use`).

    Each is cropped to its central square, or padded with black, and resized with anti-aliasing where it is
    not of the side asked for. Without one, images that are all the same square keep it, others get 64. Where
    no channels are asked for, there are 3 if any picture is coloured (grey stored as RGB is grey).

    Args:
        names: what to decode; used in error messages.
        open_file: gives a name's bytes.
        reading: `size`, `channels`, `bits`, `levels`, `fit` and `skip_bad` are heeded.
        stored: the (C, H, W) that the files are known to have; while they have it, it is kept. Their levels
            are those declared.

    Raises:
        DataError: a file is no whole image (with `skip_bad`: none is), or holds more than 8 bits where it
            cannot be read with more.
    """
    bad: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def each(work: Callable[[str], Any], wanted: Sequence[str]) -> dict[str, Any]:
            """What `work` gives by name, without those that turn out bad."""
            results = {}
            for name, result in zip(wanted, pool.map(lambda name: _tried(work, name), wanted), strict=True):
                if not isinstance(result, _Bad):
                    results[name] = result
                elif not reading.skip_bad:
                    raise DataError(not_whole(name, result))
                else:
                    bad[name] = result
            if bad and len(bad) == len(names):
                name, reason = next(iter(bad.items()))
                raise DataError(f"{not_whole(name, reason)} (of {len(bad):,} files none can be read)")
            return results

        headers: dict[str, _Header] = {}
        if reading.size is None or reading.bits != 8:
            headers = each(lambda name: _header(name, open_file), names)
        left = [name for name in names if name not in bad]
        layout = _layout(headers, reading, stored)
        while True:
            known = reading.levels or (16 if stored is not None else None)
            how = _How(reading.fitting, known, reading.rules)
            pixels, highest, converted = _decoded(left, open_file, layout, how, each)
            whole = [name not in bad for name in left]
            if all(whole):
                break
            pixels, left = pixels[whole], [name for name in left if name not in bad]
            headers = {name: headers[name] for name in left if name in headers}
            before, layout = layout, _layout(headers, reading, stored)
            if layout == before:  # else a bad file had decided the size or depth of the others
                break
    if layout.channels is None and not any(map(_is_coloured, _blocks(pixels))):
        converted = converted or is_coloured(pixels, 1)
        pixels = luma(pixels, 1) if reading.rules > 1 else pixels[:, GREEN].copy()
    deep = {name: level for name, (kind, level) in highest.items() if kind == "I"}
    in_use = known or bits_in_use(max(deep.values(), default=65535.0))
    depths = {name: header.deep for name, header in headers.items()}
    return Decoded(pixels, bad, depths, deep, in_use, converted or (bool(deep) and in_use < 16))


def warn_of_bad(where: object, bad: Mapping[str, str], total: int) -> None:
    """One warning that counts the files left out and names the first ten; nothing where there are none."""
    if bad:
        named = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:NAMED])
        more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        log.warning("%s: left %d of %d files out as bad: %s%s", where, len(bad), total, named, more)


def not_whole(name: str, reason: str) -> str:
    """One line that names a bad file and says what to do."""
    return f"{name}: expected a whole image, found {reason}: replace or remove it"


class _Bad(str):
    """Why a file could not be read."""


def _tried(work: Callable[[str], Any], name: str) -> Any:
    """What `work` gives for a file, or why it is bad in one line, whatever a decoder says of it."""
    try:
        return work(name)
    except UnidentifiedImageError:  # its text holds the path
        return _Bad("no image")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        kind = type(error).__name__
        text = ((isinstance(error, OSError) and error.strerror) or str(error) or kind).splitlines()[0]
        return _Bad(kind if PurePath(name).name in text else text)


@contextmanager
def _opened(name: str, open_file: Opener) -> Iterator[Image.Image]:
    """The one image that a file holds; a photograph's preview (MPO) is no other image."""
    with open_file(name) as file, Image.open(file, formats=tuple(PICTURES)) as image:
        try:
            pages = getattr(image, "n_frames", 1)
        except (EOFError, KeyError, TypeError):  # what Pillow says of a further page that is cut short
            raise ValueError("broken pages, expected one image") from None
        if pages > 1 and image.format != "MPO":
            raise ValueError(f"{pages} pages, expected one image")
        yield image


class _Header(NamedTuple):
    """Size (width, height) and depth: 8 bits, 16 bits of grey, or 48 for more than Pillow hands out."""

    size: tuple[int, int]
    deep: int


def _header(name: str, open_file: Opener) -> _Header:
    with _opened(name, open_file) as image:
        if image.mode.startswith("I"):
            return _Header(image.size, 16)
        tile = image.tile[0] if isinstance(image, ImageFile.ImageFile) and image.tile else None
        raw = tile.args if tile else ""
        raw = raw[0] if isinstance(raw, tuple) and raw else raw
        return _Header(image.size, 48 if ";16" in str(raw) else 8)


class _Layout(NamedTuple):
    """What files are decoded to; without a number of channels, to 3, of which the pictures may need 1."""

    bits: int
    channels: int | None
    height: int
    width: int


class _How(NamedTuple):
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


def _layout(
    headers: Mapping[str, _Header], reading: ReadOptions, stored: tuple[int, int, int] | None
) -> _Layout:
    bits = _bits(headers, reading.bits) if headers else 8
    height, width = _shape(headers.values(), reading.size, stored)
    channels = reading.channels
    if channels is None and reading.size is None and stored is not None and stored[1:] == (height, width):
        channels = stored[0]
    if channels is None and bits == 16 and all(header.deep == 16 for header in headers.values()):
        channels = 1
    return _Layout(bits, channels, height, width)


def _bits(headers: Mapping[str, _Header], asked: int | None) -> int:
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
    headers: Collection[_Header], size: int | None, stored: tuple[int, int, int] | None
) -> tuple[int, int]:
    """(H, W)."""
    if size is not None:
        return size, size
    sizes = {header.size for header in headers}
    width, height = sizes.pop() if len(sizes) == 1 else (64, 64)
    return (height, width) if width == height or (stored and stored[1:] == (height, width)) else (64, 64)


def _decoded(
    names: Sequence[str],
    open_file: Opener,
    layout: _Layout,
    how: "_How",
    each: Callable[[Callable[[str], None], Sequence[str]], object],
) -> tuple[Pixels, dict[str, tuple[str, float]], bool]:
    """(N, C, H, W) of files, with zeros for those that `each` finds bad, their highest levels, and whether
    colour became grey or white was zero, where rules differ.
    """
    kept = layout.channels or 3
    depth = np.uint16 if layout.bits == 16 else np.uint8
    decoded = np.zeros((len(names), kept, layout.height, layout.width), depth)
    row = {name: k for k, name in enumerate(names)}
    highest: dict[str, tuple[str, float]] = {}  # kind of levels, "I" or "F", and the highest of each file
    of_kind: dict[str, float] = {}  # the highest of all files
    scales: dict[str, float] = {}  # that they were decoded with
    converted: set[str] = set()

    def decode(name: str) -> None:
        with _opened(name, open_file) as image:
            kind, scale = _kind_of(image.mode, how.rules), 1.0
            if kind in ("I", "F"):
                level = float(np.asarray(image).max())
                scale = how.scale(kind, max(level, of_kind.get(kind, 0.0)), layout.bits)
            inverted = image.mode[:1] in ("I", "F") and is_inverted(image)  # Pillow inverts 8 bits only
            planes = _planes(image, layout, how.fit, scale, inverted and how.rules > 1)
            if kept == 1 and len(planes) == 3:
                if inverted or (image.mode not in GREYS and is_coloured(planes, 0)):
                    converted.add(name)
                planes = luma(planes, 0) if how.rules > 1 else planes[GREEN]
            elif inverted:
                converted.add(name)
            decoded[row[name]] = planes
            if kind in ("I", "F"):  # and it is no bad file
                highest[name] = kind, level
                scales[name] = scale
                of_kind[kind] = max(level, of_kind.get(kind, 0.0))  # so that few are decoded again

    with progress_bar("decode", len(names)) as advance:
        for block in (names[k : k + 1024] for k in range(0, len(names), 1024)):
            each(decode, block)
            advance(len(block))
    for kind, level in highest.values():
        of_kind[kind] = max(level, of_kind[kind])
    of_all = {kind: how.scale(kind, level, layout.bits) for kind, level in of_kind.items()}
    each(decode, [name for name, (kind, _) in highest.items() if scales[name] != of_all[kind]])
    return decoded, highest, bool(converted)


def _kind_of(mode: str, rules: int) -> str:
    """ "I" for whole numbers of more than 8 bits and "F" for others, as the scale of all is found for."""
    if rules > 1:
        return mode[:1]
    return mode if mode in ("I", "F") else ""


def is_inverted(image: Image.Image) -> bool:
    """Whether a TIFF file says that 0 is white."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0


def _planes(image: Image.Image, layout: _Layout, fit: str, scale: float, inverted: bool) -> Pixels:
    """(3 or 1, H, W) of one picture, of which levels times `scale` are those of 16 bits."""
    size = layout.width, layout.height
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        grey = _deep_grey(upright, scale, inverted)
        if layout.bits == 16:
            deep = np.asarray(_fitted(Image.fromarray(grey.astype(np.float32)), size, fit))
            return deep.round().clip(0, 65535).astype(np.uint16)[None]
        upright = Image.fromarray((grey.astype(np.uint16) >> 8).astype(np.uint8))
    planes: Pixels = np.asarray(_fitted(upright.convert("RGB"), size, fit)).transpose(2, 0, 1)
    return planes if layout.bits == 8 else planes * np.uint16(257)


def _deep_grey(image: Image.Image, scale: float, inverted: bool) -> npt.NDArray[np.float64]:
    """Grey levels in 0..65535 of a picture of whole numbers or fractions."""
    levels = np.asarray(image, dtype=np.float64)
    low, high = levels.min(), levels.max()
    if not (low >= 0 and high <= 65535):
        raise ValueError(f"grey levels from {low:g} to {high:g} where 0 to 65535 can be kept")
    scaled = np.rint(levels * scale) if scale < 65535 else levels * scale
    return 65535 - scaled if inverted else scaled


def _fitted(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    if image.size == size:
        return image
    how = ImageOps.pad if fit == "pad" else ImageOps.fit
    return how(image, size, method=Image.Resampling.BICUBIC)


def _blocks(pixels: Pixels) -> Iterator[Pixels]:
    return (pixels[k : k + 1024] for k in range(0, len(pixels), 1024))


def _is_coloured(pixels: Pixels) -> bool:
    tolerance = COLOUR_TOLERANCE * (257 if pixels.dtype == np.uint16 else 1)
    return bool((pixels.max(axis=1) - pixels.min(axis=1) > tolerance).any())
