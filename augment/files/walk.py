"""The files below a folder of images: through links to folders too, and without what is hidden."""

import os
from collections.abc import Iterator
from pathlib import Path

from synthaug.augment.errors import DataError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Everything below a folder that is no folder, links that lead nowhere included.

    Links to folders are followed, except back to a folder that they lie in. A folder that is called as a
    picture is given as one: it cannot be read, which is said where it is tried.

    Args:
        above: the folders that this one was reached through.

    Raises:
        DataError: a folder that may not be read.
    """
    real = os.path.realpath(folder)
    if real in above or not folder.is_dir():
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: expected a folder that can be read, found {error.strerror}") from None
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not is_picture(path):
            yield from files_below(path, above | {real})
        else:
            yield path


def is_picture(path: Path) -> bool:
    """Whether a path is called as a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def unreadable(path: Path) -> str:
    """Why no bytes can be had of a path; "" where they can."""
    if not is_file(path):
        return "a folder" if is_folder(path) else "no such file"
    return "" if os.access(path, os.R_OK) else "a file that may not be read"


def is_file(path: Path) -> bool:
    """Whether there is a file; names that are too long for one are none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; likewise."""
    try:
        return path.is_dir()
    except OSError:
        return False
