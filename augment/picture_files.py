"""Picture files at paths into pixels, decoded once and kept in the cache: folders and tables share it."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from synthaug.augment.cache import Arrays, cached_arrays
from synthaug.augment.decode import decode_files, warn_of_bad
from synthaug.augment.images import Indices, Pixels
from synthaug.augment.reading import Reading

HEEDED = ("fit", "skip_bad")  # of `Reading`, beyond what every format heeds


def read_pictures(
    where: Path,
    paths: Mapping[str, Path],
    reading: Reading,
    stored: tuple[int, int, int] | None = None,
    bad: Mapping[str, str] | None = None,
) -> tuple[Pixels, Indices]:
    """Pixels (M, C, H, W), memory-mapped, and the positions (M,) among `paths` of the files they are of.

    Args:
        where: what the warning of bad files calls their place.
        paths: of the files, by the name that the warning gives them.
        reading: as `decode.decode_files`.
        stored: the (C, H, W) that the files are known to have.
        bad: files known to be bad before any was opened, and why.

    Raises:
        DataError: a file is bad, or with `skip_bad` all are.
    """

    def opened(path: str) -> IO[bytes]:
        return Path(path).open("rb")

    named = {str(path): name for name, path in paths.items() if name not in (bad or {})}
    asked = (reading.size, reading.channels, reading.bits, reading.fit, reading.skip_bad, stored)

    def decode() -> Arrays:
        pixels, found = decode_files(list(named), opened, reading, stored)
        return {"pixels": pixels, "reasons": np.array([found.get(path, "") for path in named])}

    arrays = cached_arrays([Path(path) for path in named], ("pictures", *asked), decode)
    reasons = dict(zip(named.values(), arrays["reasons"].tolist(), strict=True)) | dict(bad or {})
    warn_of_bad(where, {name: reasons[name] for name in paths if reasons[name]}, len(paths))
    return arrays["pixels"], np.flatnonzero([not reasons[name] for name in paths])
