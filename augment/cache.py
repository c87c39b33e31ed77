"""Decoded images, kept: the second start maps an array instead of reading files."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from synthaug.augment.atomic import replacing

Arrays = Mapping[str, npt.NDArray[Any]]


def cache_folder() -> Path:
    """$SYNTHAUG_CACHE, or the user's cache folder."""
    chosen = os.environ.get("SYNTHAUG_CACHE")
    return Path(chosen) if chosen else user_cache_path("synthaug")


def cached_arrays(paths: list[Path], parameters: object, decode: Callable[[], Arrays]) -> Arrays:
    """What `decode` gives for these files, from the cache where their content was decoded before.

    The key is the content of the files (names and bytes) with `parameters`. As git does, a note of sizes
    and modification times spares reading the bytes again while the files have not been touched.

    Returns:
        The arrays by name, memory-mapped for reading only.
    """
    notes = cache_folder() / "notes" / _stat_key(paths, parameters)
    if not notes.exists() or not (folder := cache_folder() / "decoded" / notes.read_text()).exists():
        key = _content_key(paths, parameters)
        folder = cache_folder() / "decoded" / key
        if not folder.exists():
            with replacing(folder) as fresh:
                fresh.mkdir()
                for name, array in decode().items():
                    np.save(fresh / f"{name}.npy", array)
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
