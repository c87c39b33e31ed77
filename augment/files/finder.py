"""Files that a table names: beside it, below a folder of images, with another suffix or without a prefix."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from synthaug.augment.files.walk import IMAGE_SUFFIXES, files_below, is_file, is_picture

SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")  # tried in this order
INSTANCES = (".dcm", ".dicom", ".ima")
KNOWN = IMAGE_SUFFIXES | set(INSTANCES)


class Finder:
    """Finds the file that a cell names.

    Args:
        root: folder that paths are relative to; files anywhere below are found by name.
        prefix: what paths have in front that is no folder here.
    """

    def __init__(self, root: Path, prefix: str | None = None) -> None:
        self.root = root
        self.prefix = (prefix or "").strip("/")

    def find(self, file: str) -> Path:
        """The file as named, by Windows' rules too, with a suffix, without its first folders, or by its name.

        Where it is nowhere, as named.
        """
        names = dict.fromkeys((file, file.replace("\\", "/")))
        for name in names:
            for shorter in self._without_folders(name):
                for suffix in SUFFIXES:
                    if is_file(path := self.root / f"{shorter}{suffix}"):
                        return path
        name = Path(file.replace("\\", "/")).name
        found = self._by_name.get(name.casefold()) or self._by_name.get(_stem(name).casefold(), [])
        return found[0] if len(found) == 1 else self.root / file

    def in_folder(self, name: str) -> list[Path]:
        """The pictures and DICOM files right in the folders of a name, wherever they are."""
        return self._by_folder.get(name.casefold(), [])

    def _without_folders(self, name: str) -> Sequence[str]:
        """The path, without the prefix, then without its first folders."""
        if self.prefix and name.strip("/").startswith(f"{self.prefix}/"):
            name = name.strip("/")[len(self.prefix) + 1 :]
        if name.startswith("/"):
            return [name]
        parts = name.split("/")
        return ["/".join(parts[k:]) for k in range(min(3, len(parts)))]

    @cached_property
    def _files(self) -> list[Path]:
        files = files_below(self.root) if self.root.is_dir() else []
        return [path for path in files if is_picture(path) or path.suffix.lower() in INSTANCES]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Paths by their names, and by their names without a suffix, of which pictures come first."""
        index: dict[str, list[Path]] = {}
        for path in self._files:
            for name in {path.name.casefold(), path.stem.casefold()}:
                index.setdefault(name, []).append(path)
        return index

    @cached_property
    def _by_folder(self) -> dict[str, list[Path]]:
        index: dict[str, list[Path]] = {}
        for path in self._files:
            index.setdefault(path.parent.name.casefold(), []).append(path)
        return index


def _stem(name: str) -> str:
    """Without the suffix of a picture or DICOM; numbers such as 1.2.840 have none."""
    stem, _, suffix = name.rpartition(".")
    return stem if f".{suffix.lower()}" in KNOWN else name
