"""Where images are kept: the format is chosen by the path's suffix. One entry per format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from synthaug.augment.atomic import replacing
from synthaug.augment.dicom import read_dicom, write_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.folder import is_image_folder, read_folder, write_folder
from synthaug.augment.hdf5 import read_hdf5, write_hdf5
from synthaug.augment.images import LabeledImages
from synthaug.augment.npz import read_npz, write_npz
from synthaug.augment.stream import ImageStream


@dataclass(frozen=True)
class Format:
    """Both directions of one format; `suffix` is empty for folders."""

    read: Callable[[Path], LabeledImages]
    write: Callable[[ImageStream, Path], None]
    suffix: str


FORMATS = {
    "hdf5": Format(read_hdf5, write_hdf5, ".h5"),
    "npz": Format(read_npz, write_npz, ".npz"),
    "folder": Format(read_folder, write_folder, ""),
    "dicom": Format(read_dicom, write_dicom, ""),
}


def format_of(path: Path, name: str | None = None) -> str:
    """The format's name: as asked, else by suffix (.h5, .npz), else DICOM where the folder's name says so.

    Raises:
        UsageError: no such format, or a suffix that none of them has.
    """
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"no format {name!r}: expected one of {', '.join(FORMATS)}")
        return name
    suffix = {".hdf5": ".h5"}.get(path.suffix.lower(), path.suffix.lower())
    for key, known in FORMATS.items():
        if known.suffix and suffix == known.suffix:
            return key
    if path.is_dir():
        return "folder" if is_image_folder(path) else "dicom"
    if suffix and suffix not in (".dicom", ".dcm"):
        raise UsageError(f"{path}: no format ends in {path.suffix}: use .h5, .npz, a folder, or --format")
    return "dicom" if "dicom" in path.name.lower() or suffix == ".dcm" else "folder"


def read_images(path: Path) -> LabeledImages:
    """Read a file or folder of any format.

    Raises:
        DataError: it is missing, or not what its name claims.
    """
    if not path.exists():
        raise DataError(f"{path}: not found, expected a .h5 or .npz file or a folder of classes or DICOM")
    return FORMATS[format_of(path)].read(path)


def write_images(
    stream: ImageStream, path: Path, *, format: str | None = None, overwrite: bool = False
) -> None:
    """Write a stream in the format of `path`; a killed process leaves the old file or the new one, whole.

    Raises:
        UsageError: `path` exists and `overwrite` is not set, or its format is unknown.
    """
    writer = FORMATS[format_of(path, format)].write
    with replacing(path, overwrite) as fresh:
        writer(stream, fresh)
