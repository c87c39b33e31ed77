"""The files below a folder of images: through links to folders too, and without what is hidden."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from synthaug.augment.errors import DataError

# The formats that pictures are decoded from, and their suffixes. Not EPS: it would start an interpreter.
PICTURES = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "PPM": (".pgm", ".ppm", ".pnm", ".pbm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c"),
}
IMAGE_SUFFIXES = frozenset(suffix for suffixes in PICTURES.values() for suffix in suffixes)
# What stands beside pictures and is no image: tables, notes and outlines.
DOCUMENTS = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".txt", ".md", ".rst", ".pdf", ".xml", ".html", ".yaml", ".yml"}
    | {".xls", ".xlsx", ".bib", ".log", ".toml", ".ini", ".py", ".ipynb", ".sh", ".db", ".lnk", ".url"}
)


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


def is_document(path: Path) -> bool:
    """Whether a path is called as a table or note that may stand beside images."""
    return path.suffix.lower() in DOCUMENTS or path.name.upper().startswith(("README", "LICEN", "DICOMDIR"))


def passed_over(paths: Iterable[Path], wanted: str = "picture") -> dict[str, int]:
    """How many files of each kind were not read, by suffix: {"no picture (.svg)": 3}."""
    kinds = Counter("document" if is_document(path) else f"no {wanted} ({_kind(path)})" for path in paths)
    return dict(kinds.most_common())


def say_passed_over(where: object, counted: Mapping[str, int], say: Callable[..., None]) -> None:
    """One line of what was left out; documents alone are nothing to speak of."""
    spoken = {reason: n for reason, n in counted.items() if reason != "document"}
    if spoken:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in spoken.items())
        say("%s: passed over %s files: %s", where, f"{sum(spoken.values()):,}", reasons)


def _kind(path: Path) -> str:
    return path.suffix.lower() or "no suffix"


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
