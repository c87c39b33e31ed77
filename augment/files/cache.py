"""Decoded images, kept: the second start maps an array instead of reading files."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from numpy.lib.format import open_memmap
from platformdirs import user_cache_path

from synthaug.augment.files.atomic import replacing

Arrays = Mapping[str, npt.NDArray[Any]]


def cache_folder() -> Path:
    """$SYNTHAUG_CACHE, or the user's cache folder."""
    chosen = os.environ.get("SYNTHAUG_CACHE")
    return Path(chosen) if chosen else user_cache_path("synthaug")


def cached_arrays(paths: list[Path], parameters: object, decode: Callable[[], Arrays]) -> Arrays:
    """What `decode` gives for these files, from the cache where their content was decoded before.

    Returns:
        The arrays by name, memory-mapped for reading only.
    """

    def fill(folder: Path) -> None:
        for name, array in decode().items():
            np.save(folder / f"{name}.npy", array)

    return _cached(paths, parameters, fill)


def cached_rows(
    paths: list[Path],
    parameters: object,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    blocks: Callable[[], Iterable[npt.NDArray[Any]]],
) -> npt.NDArray[Any]:
    """One array of these files, decoded block of rows by block: it is never whole in memory.

    Returns:
        The array, memory-mapped for reading only.
    """

    def fill(folder: Path) -> None:
        rows = open_memmap(folder / "rows.npy", "w+", dtype, shape)
        at = 0
        for block in blocks():
            rows[at : at + len(block)] = block
            at += len(block)
        rows.flush()

    return _cached(paths, parameters, fill)["rows"]


def kept(kind: str, key: object, fill: Callable[[Path], None]) -> Path:
    """The folder that `fill` fills, once for a key; a process killed on the way leaves none.

    Of processes that want it at the same time one fills it, and the others wait.

    Args:
        kind: of content, a folder's name.
        key: what the content depends on; its repr tells two keys apart.
    """
    return _filled(cache_folder() / kind / hashlib.sha256(repr(key).encode()).hexdigest(), fill)


def _filled(folder: Path, fill: Callable[[Path], None]) -> Path:
    if not folder.exists():
        lock = cache_folder() / "locks" / folder.name
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # who comes second waits, and need not fill it again
            if not folder.exists():
                with replacing(folder) as fresh:
                    fresh.mkdir()
                    fill(fresh)
    return folder


def _cached(paths: list[Path], parameters: object, fill: Callable[[Path], None]) -> Arrays:
    """The arrays that `fill` writes into a folder, once for a content of the files.

    The key is the content of the files (names and bytes) with `parameters`. As git does, a note of sizes
    and modification times spares reading the bytes again while the files have not been touched.
    """
    notes = cache_folder() / "notes" / _stat_key(paths, parameters)
    if not notes.exists() or not (folder := cache_folder() / "decoded" / notes.read_text()).exists():
        key = _content_key(paths, parameters)
        folder = _filled(cache_folder() / "decoded" / key, fill)
        with replacing(notes) as fresh:
            fresh.write_text(key)
    return {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")}


def _stat_key(paths: list[Path], parameters: object) -> str:
    state = hashlib.sha256(repr(parameters).encode())
    for path in paths:
        stat = path.stat()
        state.update(f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return state.hexdigest()


def _content_key(paths: list[Path], parameters: object) -> str:
    state = hashlib.sha256(repr(parameters).encode())
    for path in paths:
        with path.open("rb") as file:
            state.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return state.hexdigest()
