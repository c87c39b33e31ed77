"""Image files into one array: mixed sizes, modes and depths, in parallel, naming what is broken."""

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from synthaug.augment.errors import DataError
from synthaug.augment.files.picture_layout import (
    Header,
    Levels,
    Opener,
    PictureLayout,
    header_of,
    layout_for,
    opened,
)
from synthaug.augment.files.planes import is_inverted, planes_of
from synthaug.augment.grey import is_coloured, luma
from synthaug.augment.images import Pixels
from synthaug.augment.levels import bits_in_use
from synthaug.augment.progress import progress_bar
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
GREEN = slice(1, 2)  # equal to the other channels in a grey picture, the sharpest in a colour one
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
    with _limit(reading.max_pixels), ThreadPoolExecutor(os.cpu_count()) as pool:

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

        headers: dict[str, Header] = {}
        if reading.size is None or reading.bits != 8:
            headers = each(lambda name: header_of(name, open_file), names)
        left = [name for name in names if name not in bad]
        layout = layout_for(headers, reading, stored)
        while True:
            known = reading.levels or (16 if stored is not None else None)
            how = Levels(reading.fitting, known, reading.rules)
            pixels, highest, converted = _decoded(left, open_file, layout, how, each)
            whole = [name not in bad for name in left]
            if all(whole):
                break
            pixels, left = pixels[whole], [name for name in left if name not in bad]
            headers = {name: headers[name] for name in left if name in headers}
            before, layout = layout, layout_for(headers, reading, stored)
            if layout == before:  # else a bad file had decided the size or depth of the others
                break
    if layout.channels is None and not any(map(_is_coloured, _blocks(pixels))):
        coloured = any(is_coloured(block, 1) for block in _blocks(pixels))
        converted = converted or coloured
        pixels = luma(pixels, 1) if coloured and reading.rules > 1 else pixels[:, GREEN].copy()
    deep = {name: level for name, (kind, level) in highest.items() if kind == "I"}
    in_use = known or bits_in_use(max(deep.values(), default=65535.0))
    depths = {name: header.deep for name, header in headers.items()}
    return Decoded(pixels, bad, depths, deep, in_use, converted or (bool(deep) and in_use < 16))


@contextmanager
def _limit(most: int | None) -> Iterator[None]:
    """Pillow's limit of the pixels of a picture, for all threads; its warning at half of it is no matter."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = before if most is None else most // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def warn_of_bad(where: object, bad: Mapping[str, str], total: int) -> None:
    """One warning that counts the files left out and names the first ten; nothing where there are none."""
    if bad:
        named = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:NAMED])
        more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        log.warning("%s: left %d of %d files out as bad: %s%s", where, len(bad), total, named, more)


def not_whole(name: str, reason: str) -> str:
    """One line that names a bad file and says what to do."""
    what_to_do = "" if "--" in reason else ": replace or remove it"
    return f"{name}: expected a whole image, found {reason}{what_to_do}"


class _Bad(str):
    """Why a file could not be read."""


def _tried(work: Callable[[str], Any], name: str) -> Any:
    """What `work` gives for a file, or why it is bad in one line, whatever a decoder says of it."""
    try:
        return work(name)
    except UnidentifiedImageError:  # its text holds the path
        return _Bad("no image")
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        return _Bad(f"{pixels[0] if pixels else 'too many'} pixels, over the limit: --max-pixels raises it")
    except (OSError, ValueError, SyntaxError) as error:
        kind = type(error).__name__
        text = ((isinstance(error, OSError) and error.strerror) or str(error) or kind).splitlines()[0]
        return _Bad(kind if PurePath(name).name in text else text)


def _decoded(
    names: Sequence[str],
    open_file: Opener,
    layout: PictureLayout,
    how: Levels,
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
        with opened(name, open_file) as image:
            kind, scale = _kind_of(image.mode, how.rules), 1.0
            if kind in ("I", "F"):
                level = float(np.asarray(image).max())
                scale = how.scale(kind, max(level, of_kind.get(kind, 0.0)), layout.bits)
            inverted = image.mode[:1] in ("I", "F") and is_inverted(image)  # Pillow inverts 8 bits only
            planes = planes_of(image, layout, how.fit, scale, inverted and how.rules > 1)
            if kept == 1 and len(planes) == 3:
                coloured = image.mode not in GREYS and is_coloured(planes, 0)
                if inverted or coloured:
                    converted.add(name)
                planes = luma(planes, 0) if coloured and how.rules > 1 else planes[GREEN]
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


def _blocks(pixels: Pixels) -> Iterator[Pixels]:
    return (pixels[k : k + 1024] for k in range(0, len(pixels), 1024))


def _is_coloured(pixels: Pixels) -> bool:
    tolerance = COLOUR_TOLERANCE * (257 if pixels.dtype == np.uint16 else 1)
    return bool((pixels.max(axis=1) - pixels.min(axis=1) > tolerance).any())
