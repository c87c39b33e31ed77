"""Folders of class folders, in and out, with an optional labels.csv (file, label, patient_id)."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from synthaug.augment.cache import cached_arrays
from synthaug.augment.decode import IMAGE_SUFFIXES, decode_images
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.labels import class_order
from synthaug.augment.splits import carve_validation, draw_splits, official_splits
from synthaug.augment.stream import ImageStream

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read_folder(folder: Path, size: int | None = None, channels: int | None = None) -> LabeledImages:
    """All images below `folder`, labelled by the class folder they stand in, or by labels.csv.

    A train/, val/ or test/ level above the class folders is passed over; `load_folder` respects it.

    Raises:
        DataError: no images, one class only, a broken file, or a labels.csv that does not fit.
    """
    files = _image_files(folder)
    pixels = cached_arrays(
        [folder / name for name in files],
        ("folder", size, channels),
        lambda: {"pixels": decode_images(files, lambda name: (folder / name).open("rb"), size, channels)},
    )["pixels"]
    table = _labels_csv(folder, files)
    names = [table[file].get("label") or _class_folder(file) for file in files]
    class_names = class_order(_merge_long_names(names))
    short = [next(c for c in class_names if name == c or name.startswith(f"{c}_")) for name in names]
    patients = [table[file].get("patient_id") for file in files]
    return LabeledImages(
        pixels=pixels,  # type: ignore[arg-type]
        labels=np.array([class_names.index(name) for name in short], dtype=np.int64),
        class_names=class_names,
        groups=np.array(patients) if all(patients) else None,
    )


def load_folder(folder: Path, size: int | None, channels: int | None, seed: int) -> Splits:
    """`read_folder`, split by its own train/val/test level where there is one, else drawn from `seed`."""
    images = read_folder(folder, size, channels)
    tops = np.array([SPLIT_FOLDERS.get(file.split("/")[0].lower(), "") for file in _image_files(folder)])
    if not {"train", "test"} <= set(tops.tolist()):
        return draw_splits(images, folder.name, seed=seed)
    train, val, test = (images.take(tops == part) for part in ("train", "val", "test"))
    if not len(val):
        train, val = carve_validation(train, 0.1, seed)
    return official_splits(train, val, test, folder.name)


def is_image_folder(folder: Path) -> bool:
    """Whether `folder` holds class folders of images (looks at a few files only)."""
    if not folder.is_dir():
        return False
    levels = [*folder.glob("*/*"), *folder.glob("*/*/*")] if len(list(folder.iterdir())) < 100 else []
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in levels)


def summarise_folder(folder: Path) -> tuple[tuple[str, ...], int]:
    """Class names and number of images, from the file names alone."""
    files = _image_files(folder)
    return class_order(_merge_long_names([_class_folder(file) for file in files])), len(files)


def write_folder(stream: ImageStream, folder: Path) -> None:
    """Write PNGs as <class>/<index>.png with a labels.csv that says which are synthetic and from where."""
    folder.mkdir(parents=True)
    for name in stream.class_names:
        (folder / name).mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "synthetic", "generator", "seed", "index"])
        number = 0
        for batch in stream.batches:
            for k, pixels in enumerate(batch.pixels):
                label = stream.class_names[batch.labels[k]]
                path = f"{label}/{number:06d}.png"
                image = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
                Image.fromarray(image).save(folder / path)
                origin = ["", "", ""] if batch.provenance is None else batch.provenance[k].tolist()
                generator = origin[0].decode() if isinstance(origin[0], bytes) else ""
                table.writerow([path, label, int(batch.synthetic[k]), generator, *origin[1:]])
                number += 1


def _image_files(folder: Path) -> list[str]:
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise DataError(f"{folder}: found no image, expected class folders of PNG, JPEG or TIFF files")
    return found


def _class_folder(file: str) -> str:
    parts = [part for part in file.split("/")[:-1] if part.lower() not in SPLIT_FOLDERS]
    if not parts:
        raise DataError(f"{file}: expected every image in a class folder or named in labels.csv")
    return parts[0]


def _merge_long_names(names: Sequence[str]) -> set[str]:
    """Class names without those that only lengthen another: adenocarcinoma_left.lobe is adenocarcinoma."""
    unique = set(names)
    return {name for name in unique if not any(name.startswith(f"{other}_") for other in unique)}


def _labels_csv(folder: Path, files: list[str]) -> dict[str, dict[str, str]]:
    path = folder / "labels.csv"
    if not path.exists():
        return {file: {} for file in files}
    with path.open(newline="") as table:
        reader = csv.DictReader(table)
        if "file" not in (reader.fieldnames or []):
            raise DataError(f"{path}: found columns {reader.fieldnames}, expected file, label and patient_id")
        rows = {row["file"]: row for row in reader}
    missing = [file for file in files if file not in rows]
    if missing:
        raise DataError(f"{path}: {len(missing)} images have no row, the first is {missing[0]}: add them")
    return {file: rows[file] for file in files}
