"""Picture files at paths into pixels, decoded once and kept in the cache: folders and tables share it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from synthaug.augment.errors import DataError
from synthaug.augment.files.cache import Arrays, cached_arrays
from synthaug.augment.files.decode import decode_files, not_whole, warn_of_bad
from synthaug.augment.files.walk import unreadable
from synthaug.augment.images import Indices, Pixels
from synthaug.augment.levels import by_class, say_levels, tells_apart, warn_of_unequal
from synthaug.augment.reading import RULES, ReadOptions

log = logging.getLogger("synthaug")
HEEDED = (
    "fit",
    "skip_bad",
    "trust_layout",
    "levels",
    "max_pixels",
)  # beyond what every format heeds


def read_pictures(
    where: Path,
    paths: Mapping[str, Path],
    reading: ReadOptions,
    stored: tuple[int, int, int] | None = None,
    bad: Mapping[str, str] | None = None,
    classes: Mapping[str, str] | None = None,
) -> tuple[Pixels, Indices, bool]:
    """Pixels (M, C, H, W), memory-mapped, the positions (M,) among `paths` of the files they are of, and
    whether earlier rules of reading would have given others.

    Warns of files left out, of levels in use that are fewer than declared or differ between classes, and,
    where the bits are left to the files, of 16 that became 8.

    Args:
        where: what the warnings call the files' place.
        paths: of the files, by the name that the warnings give them.
        reading: as `decode.decode_files`.
        stored: the (C, H, W) that the files are known to have.
        bad: rows known to be bad before any file was looked for, and why.
        classes: of the files, for warnings.

    Raises:
        DataError: a file is bad, or with `skip_bad` all are.
    """
    known = {name: reason for name, path in paths.items() if (reason := unreadable(path))} | dict(bad or {})
    if known and (not reading.skip_bad or len(known) == len(paths)):
        name = next(name for name in paths if name in known)
        raise DataError(f"{where}: {not_whole(name, known[name])}")

    def opened(path: str) -> IO[bytes]:
        return Path(path).open("rb")

    named = {str(path): name for name, path in paths.items() if name not in known}
    # 3: levels in use; what older versions kept is decoded anew
    asked: tuple[object, ...] = (
        3,
        reading.size,
        reading.channels,
        reading.bits,
        reading.levels,
        reading.fitting,
    )
    asked = (*asked, reading.skip_bad, stored, reading.rules)

    def decode() -> Arrays:
        found = decode_files(list(named), opened, reading, stored)
        return {
            "pixels": found.pixels,
            "reasons": np.array([found.bad.get(path, "") for path in named]),
            "depths": np.array([found.depths.get(path, 0) for path in named], np.uint8),  # 0: not known
            "highest": np.array([found.highest.get(path, np.nan) for path in named], np.float32),
            "in_use": np.array([found.in_use]),
            "by_rules": np.array([found.by_rules]),
        }

    arrays = cached_arrays([Path(path) for path in named], ("pictures", *asked), decode)
    reasons = dict(zip(named.values(), arrays["reasons"].tolist(), strict=True)) | known
    warn_of_bad(where, {name: reasons[name] for name in paths if reasons[name]}, len(paths))
    of_class = [classes[name] if classes else "all" for name in named.values()]
    if reading.rules == RULES:
        say_levels(where, int(arrays["in_use"][0]) if reading.levels is None and stored is None else 16)
    warn_of_unequal(where, arrays["highest"].tolist(), of_class)
    if reading.bits is None:
        depths = zip(named.values(), arrays["depths"].tolist(), strict=True)
        _warn_of_depths(where, {name: bits for name, bits in depths if bits}, classes)
    rows = np.flatnonzero([not reasons[name] for name in paths])
    return arrays["pixels"], rows, bool(arrays["by_rules"][0])


def _warn_of_depths(where: object, depths: Mapping[str, int], classes: Mapping[str, str] | None) -> None:
    """One warning where pictures of 16 bits were read with the 8 that others have, class by class."""
    deep = sorted((name for name in depths if depths[name] > 8), key=lambda name: -depths[name])
    if 0 < len(deep) < len(depths):
        colour = depths[deep[0]] == 48
        are_deep = [depths[name] > 8 for name in depths]
        of_class = [classes[name] for name in depths] if classes else []
        leak = f"; 16 bits alone tell classes apart: {by_class(are_deep, of_class)}"
        log.warning(
            "%s: found 16 bits in %d of %d pictures (%s) and 8 in %d: all are read with 8, %s%s",
            *(where, len(deep), len(depths), deep[0], len(depths) - len(deep)),
            "16 are read of grey pictures only" if colour else "--bits 16 keeps them",
            leak if tells_apart(are_deep, of_class) else "",
        )
