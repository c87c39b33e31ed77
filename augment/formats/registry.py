"""Where images are kept: the format is chosen by the path's suffix. One entry per format."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from synthaug.augment.dicom import holds_dicom, read_dicom, write_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.atomic import refuse_existing, replacing
from synthaug.augment.files.picture_files import HEEDED
from synthaug.augment.formats.contents import Contents
from synthaug.augment.formats.csv_table import no_facts, read_csv, refuse_csv
from synthaug.augment.formats.description import describe, described
from synthaug.augment.formats.fitting import FOR_DICOM, FOR_FOLDERS, Fit, fitted
from synthaug.augment.formats.folder import is_image_folder, read_folder, write_folder
from synthaug.augment.formats.npz import read_npz, read_npz_attributes, write_npz
from synthaug.augment.formats.published import published_table
from synthaug.augment.hdf5 import is_ours, read_hdf5, read_hdf5_attributes, write_hdf5
from synthaug.augment.hdf5.shards import replacing_set
from synthaug.augment.images import LabeledImages
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.pseudonym import without_names
from synthaug.augment.reading import EVERYWHERE, NAMING, TABLES, ReadOptions
from synthaug.augment.stream import Attributes, ImageStream, read_facts
from synthaug.augment.transforms import as_asked
from synthaug.augment.writing import WriteOptions

log = logging.getLogger("synthaug")


@dataclass(frozen=True)
class Format:
    """Both directions of one format.

    Attributes:
        read: gives the images at a path; a format that keeps images of mixed sizes and depths brings them to
            those asked for, others may leave that to the caller.
        write: puts a stream at a path that does not exist yet.
        suffix: of its files; empty for folders.
        attributes: gives the facts about the whole set that `write` put there.
        reading, writing: the fields of `ReadOptions` (beyond those of every format), `WriteOptions` it heeds.
        replacing: puts what `write` made in its place, when it is whole.
        pictures: suffix of the files in a folder that hold one image each.
        loading: Python that loads what stands at `{name}`, for the card.
        fits: what is changed, with a warning, in images that it cannot hold as they are.
    """

    read: Callable[[Path, ReadOptions], LabeledImages]
    write: Callable[[ImageStream, Path, WriteOptions], None]
    suffix: str
    attributes: Callable[[Path], Attributes]
    reading: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()
    replacing: Callable[[Path, bool], AbstractContextManager[Path]] = replacing
    pictures: str = ""
    loading: str = ""
    fits: tuple[Fit, ...] = ()


FORMATS = {
    "hdf5": Format(
        read_hdf5,
        write_hdf5,
        ".h5",
        read_hdf5_attributes,
        reading=(*NAMING, "levels"),
        writing=("compression", "shard_size"),
        replacing=replacing_set,
        loading="""import h5py
file = h5py.File("{name}")
images, labels, names = file["images"], file["labels"], file.attrs["class_names"]""",
    ),
    "npz": Format(
        read_npz,
        write_npz,
        ".npz",
        read_npz_attributes,
        reading=("levels",),
        loading="""import numpy as np
arrays = np.load("{name}")
images, labels, names = (arrays[key] for key in ("train_images", "train_labels", "class_names"))""",
    ),
    "folder": Format(
        read_folder,
        write_folder,
        "",
        read_facts,
        reading=(*HEEDED, "label_from", "group_from", "split_from"),
        pictures=".png",
        loading="""from PIL import Image  # ImageFolder's own loader makes 16 bits white
from torchvision.datasets import ImageFolder
images = ImageFolder("{name}", loader=Image.open)  # of train/, val/ or test/ where there are any""",
        fits=FOR_FOLDERS,
    ),
    "dicom": Format(
        read_dicom,
        write_dicom,
        "",
        read_facts,
        reading=("fit", "window", "label_from", "group_from", "skip_bad", "trust_layout"),
        writing=("modality", "body_part", "laterality", "view", "dicomdir", "jobs"),
        pictures=".dcm",
        loading="""from pathlib import Path
import pydicom
images = [pydicom.dcmread(path) for path in sorted(Path("{name}").glob("*/*"))]""",
        fits=FOR_DICOM,
    ),
    "csv": Format(
        read_csv,
        refuse_csv,
        ".csv",
        no_facts,
        reading=(*HEEDED, *NAMING, *TABLES, "window"),
    ),
}


def format_of(path: Path, name: str | None = None) -> str:
    """The format's name: as asked, else by what stands there, else by the path (its suffix, "dicom" in it).

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
    if path.is_dir() and is_image_folder(path):
        if holds_dicom(path):
            raise UsageError(f"{path}: found pictures and DICOM in it, expected one kind: move one elsewhere")
        return "folder"
    if path.is_dir() and holds_dicom(path):
        return "dicom"
    if suffix and not path.is_dir() and suffix not in (".dicom", ".dcm"):
        raise UsageError(f"{path}: no format ends in {path.suffix}: use .h5, .npz, a folder, or --format")
    return "dicom" if "dicom" in path.name.lower() or suffix == ".dcm" else "folder"


def read_images(path: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """Read a file or folder of any format, as it is stored or as `reading` asks.

    Raises:
        DataError: it is missing, or not what its name claims.
        UsageError: something is asked of it that its format does not have.
    """
    if not path.exists():
        raise DataError(f"{path}: not found, expected a .h5 or .npz file or a folder of classes or DICOM")
    path, reading = _by_table(path, reading)
    name = format_of(path)
    refuse_unheeded(reading, (*EVERYWHERE, *FORMATS[name].reading), f"{path} ({name})")
    return as_asked(FORMATS[name].read(path, reading), reading)


def _by_table(path: Path, options: ReadOptions) -> tuple[Path, ReadOptions]:
    """The table that a folder is read by, as asked or as a public set has it, with the folder as its root."""
    if not path.is_dir():
        return path, options
    if options.table is not None:
        if not options.table.is_file():
            raise DataError(f"--table {options.table}: not found, expected a CSV file")
        return options.table, replace(options, table=None, images_root=options.images_root or path)
    if options.trust_layout or (known := published_table(path)) is None:
        return path, options
    table, name = known
    log.warning("%s: read by its table %s, as %s has it", path, table.name, name)
    return table, replace(options, images_root=options.images_root or path)


def heeded(path: Path) -> tuple[str, ...]:
    """The fields of `ReadOptions` that the file or folder at a path heeds."""
    if path.is_dir() and published_table(path) is not None:
        return (*EVERYWHERE, *FORMATS["csv"].reading, "table")
    name = format_of(path)
    if name == "hdf5" and path.exists() and is_ours(path):
        return EVERYWHERE
    return (*EVERYWHERE, *FORMATS[name].reading)


def read_attributes(path: Path) -> dict[str, str | int | float]:
    """Facts about the whole set at a path: generator, licence, memorization gate; {} where there is none."""
    return dict(FORMATS[format_of(path)].attributes(path)) if path.exists() else {}


def write_images(
    stream: ImageStream,
    path: Path,
    *,
    format: str | None = None,
    writing: WriteOptions = WriteOptions(),
    overwrite: bool = False,
    write: Callable[[ImageStream, Path, WriteOptions], None] | None = None,
) -> None:
    """Write a stream in the format of `path`; a killed process leaves the old file or the new one, whole.

    Patients appear as pseudonyms in every format. A README and a Croissant description go along, as
    `description` says.

    Args:
        write: in place of the format's own, one that can go on with what a killed run left.

    Raises:
        UsageError: `path` exists and `overwrite` is not set, its format is unknown, or something is asked of
            it that its format does not have.
        DataError: the stream holds no image.
    """
    name = format_of(path, format)
    refuse_unheeded(writing, FORMATS[name].writing, f"{path} ({name})")
    if not stream.total:
        raise DataError(f"{path}: no image to write, expected at least one: check the class and the number")
    refuse_existing(path, overwrite)
    kind = FORMATS[name]
    stream = fitted(stream, kind.fits, path)
    contents = Contents(stream)
    nameless = (without_names(batch, stream.origin) for batch in stream.batches)
    counted = replace(stream, batches=contents.watched(nameless))
    with described(path, not kind.suffix, overwrite) as beside, kind.replacing(path, overwrite) as fresh:
        (write or kind.write)(counted, fresh, writing)
        describe(
            contents,
            path,
            fresh,
            beside,
            format=name,
            loading=kind.loading,
            pictures=kind.pictures,
        )
