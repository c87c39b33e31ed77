"""Folders of class folders, in and out, with an optional labels.csv.

Its columns are file, label and patient_id; `write_folder` adds synthetic, generator, seed and index.
"""

import csv
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from synthaug.augment.cache import cached_arrays
from synthaug.augment.decode import IMAGE_SUFFIXES, decode_images
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import PROVENANCE, LabeledImages
from synthaug.augment.labels import class_order
from synthaug.augment.reading import AS_STORED, Reading
from synthaug.augment.stream import ImageStream, write_facts
from synthaug.augment.writing import PLAINLY, Writing

log = logging.getLogger("synthaug")
Table = Mapping[str, Mapping[str, str]]  # what labels.csv says of each file
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read_folder(folder: Path, reading: Reading = AS_STORED) -> LabeledImages:
    """All images below `folder`, labelled by the class folder they stand in, or by labels.csv.

    A train/, val/ or test/ level above the class folders is the images' split. Classes are in alphabetical
    order, of two the normal one first. Where some images have a patient, each other real one counts as a
    patient of its own.

    Raises:
        DataError: no images, a broken file, or a labels.csv that does not fit.
    """
    files = _image_files(folder)
    table = _labels_csv(folder, files)
    names = _labels(folder, table)
    size, channels = reading.size, reading.channels
    class_names = class_order(names)
    paths = {str(folder / file): folder / file for file in files}
    pixels = cached_arrays(
        list(paths.values()),
        ("folder", size, channels),
        lambda: {"pixels": decode_images(list(paths), lambda name: paths[name].open("rb"), size, channels)},
    )["pixels"]
    synthetic = np.array([row.get("synthetic") == "1" for row in table.values()])
    images = LabeledImages(
        pixels=pixels,
        labels=np.array([class_names.index(name) for name in names], dtype=np.int64),
        class_names=class_names,
        synthetic=synthetic,
        groups=_groups(table, synthetic),
        provenance=_provenance(folder, table) if synthetic.any() else None,
    )
    return _divided(images, files, folder)


def is_image_folder(folder: Path) -> bool:
    """Whether `folder` holds a labels.csv or class folders of images (looks no further than the first)."""
    inside = chain(folder.glob("*/*"), folder.glob("*/*/*"))
    return (folder / "labels.csv").exists() or any(p.suffix.lower() in IMAGE_SUFFIXES for p in inside)


def summarise_folder(folder: Path) -> tuple[tuple[str, ...], int]:
    """Class names and number of images, from the file names and labels.csv alone.

    Raises:
        DataError: as `read_folder`, except that broken files go unseen.
    """
    files = _image_files(folder)
    return class_order(_labels(folder, _labels_csv(folder, files))), len(files)


def write_folder(stream: ImageStream, folder: Path, writing: Writing = PLAINLY) -> None:
    """Write PNGs as <class>/<index>.png with a labels.csv that says which are synthetic and from where.

    A class without images gets no folder, as torchvision's ImageFolder wants it. Grey of 16 bits is written
    as such, and read back with 8.

    Raises:
        UsageError: colour images of 16 bits, which PNG files of this kind cannot hold.
    """
    if stream.image_shape[0] == 3 and stream.dtype == np.uint16:
        raise UsageError("colour images of 16 bits: class folders hold 8, write them as hdf5 or npz")
    folder.mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "patient_id", "synthetic", "generator", "seed", "index"])
        number = 0
        for batch in stream.batches:
            for k, pixels in enumerate(batch.pixels):
                label = stream.class_names[batch.labels[k]]
                path = f"{_folder_name(label)}/{number:06d}.png"
                (folder / path).parent.mkdir(exist_ok=True)
                image = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
                Image.fromarray(image).save(folder / path)
                patient = "" if batch.groups is None or batch.synthetic[k] else batch.groups[k]
                origin = (b"", "", "") if batch.provenance is None else batch.provenance[k].item()
                table.writerow(
                    [path, label, patient, int(batch.synthetic[k]), origin[0].decode(), *origin[1:]]
                )
                number += 1
    write_facts(stream, folder)


def _folder_name(label: str) -> str:
    """The class name, without what would make it another folder; labels.csv keeps it as it is."""
    return label.replace("/", "_").replace("\\", "_").lstrip(".") or "_"


def _image_files(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    files = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
    if not files:
        raise DataError(f"{folder}: found no image, expected class folders of PNG, JPEG, TIFF or DICOM files")
    return files


def _divided(images: LabeledImages, files: Sequence[str], folder: Path) -> LabeledImages:
    """With the split of the top folders, where there are train and test; what stands beside is no part."""
    named = np.array([_split_of(file) for file in files])
    if not {"train", "test"} <= set(named.tolist()):
        return images
    beside = named == ""
    if beside.any():
        log.warning("%s: left %d images out that stand beside train and test", folder, beside.sum())
    return replace(images.take(~beside), split=named[~beside])


def _split_of(file: str) -> str:
    """train, val or test, where the file's top folder is called so."""
    return SPLIT_FOLDERS.get(file.split("/")[0].lower(), "")


def _labels(folder: Path, table: Table) -> list[str]:
    """A class name per file: of labels.csv, else of the class folder it stands in."""
    classes = {file: _class_folder(folder, file) for file, row in table.items() if not row.get("label")}
    short = _short_names({(_split_of(file), name) for file, name in classes.items()})
    return [row.get("label") or short[classes[file]] for file, row in table.items()]


def _class_folder(folder: Path, file: str) -> str:
    for part in file.split("/")[:-1]:
        if part.lower() not in SPLIT_FOLDERS:
            return part
    raise DataError(f"{folder / file}: expected every image in a class folder or named in labels.csv")


def _short_names(folders: Collection[tuple[str, str]]) -> dict[str, str]:
    """Class folders, (split, name), by the class they are of.

    A name that only lengthens one of another split is that class: adenocarcinoma_left.lobe is adenocarcinoma.
    Two folders of one split are two classes.
    """
    splits: dict[str, set[str]] = {}
    for split, name in folders:
        splits.setdefault(name, set()).add(split)
    return {
        name: next((o for o in splits if name.startswith(f"{o}_") and not splits[o] & splits[name]), name)
        for name in splits
    }


def _groups(table: Table, synthetic: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_] | None:
    if not any(row.get("patient_id") for row in table.values()):
        return None
    own = zip(table.items(), synthetic, strict=True)
    return np.array([row.get("patient_id") or ("synthetic" if made else file) for (file, row), made in own])


def _provenance(folder: Path, table: Table) -> npt.NDArray[np.void] | None:
    """What `write_folder` noted of synthetic images; None where no row names a generator."""
    origins = np.zeros(len(table), PROVENANCE)
    for k, (file, row) in enumerate(table.items()):
        if generator := row.get("generator"):
            try:
                origins[k] = (generator.encode("ascii"), int(row["seed"]), int(row["index"]))
            except (KeyError, TypeError, ValueError):
                raise DataError(
                    f"{folder / 'labels.csv'}: generator of {file}, expected its seed and index too"
                ) from None
    return origins if (origins["generator"] != b"").any() else None


def _labels_csv(folder: Path, files: Sequence[str]) -> Table:
    """The rows of labels.csv by file, in the order of `files`; without one, empty rows."""
    path = folder / "labels.csv"
    if not path.exists():
        return {file: {} for file in files}
    try:
        with path.open(newline="", encoding="utf-8-sig") as table:  # spreadsheets begin with a mark
            reader = csv.DictReader(table)
            columns = reader.fieldnames or []
            rows = {row.get("file", ""): row for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected comma-separated text in UTF-8, found {error}") from None
    if "file" not in columns:
        raise DataError(f"{path}: found columns {', '.join(columns)}, expected file, label and patient_id")
    missing = [file for file in files if file not in rows]
    if missing:
        raise DataError(f"{path}: {len(missing)} images have no row, the first is {missing[0]}: add them")
    return {file: rows[file] for file in files}
