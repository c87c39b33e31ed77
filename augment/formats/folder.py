"""Folders of class folders, in and out, with an optional labels.csv (`folder_table`) and dataset.json."""

import csv
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.picture_files import read_pictures
from synthaug.augment.files.table import (
    COLUMNS,
    LABELS,
    SPLIT_NAMES,
    Table,
    groups_of,
    labels_csv,
    name_pattern,
    provenance_of,
    rows_of,
    split_of,
    synthetic_of,
    with_patients_by,
)
from synthaug.augment.files.walk import files_below, is_picture
from synthaug.augment.formats.layout import Layout, layout_of
from synthaug.augment.images import LabeledImages
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import FACTS, ImageStream
from synthaug.augment.writing import WriteOptions

log = logging.getLogger("synthaug")
LEVELS = ("[!.]*/*", "[!.]*/[!.]*/*", "[!.]*/[!.]*/[!.]*/*")  # where the pictures of class folders may lie


def read_folder(folder: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """All images below `folder`, labelled by the class folder they stand in, or by labels.csv.

    A train/, val/ or test/ level above the class folders is the images' split, unless labels.csv has a column
    split. Classes are in alphabetical order, of two the normal one first; in a folder that `write_folder`
    made, in the order they had. Where some images have a patient, each other real one counts as a patient of
    its own. Pictures are decoded as `decode.decode_files` says.

    Raises:
        DataError: no images, a broken file, or a labels.csv that does not fit.
    """
    layout = layout_of(folder, reading)
    pattern, naming = name_pattern(reading)
    table = with_patients_by(folder, pattern, labels_csv(folder, list(layout.class_of), naming))
    files, names = list(table), _labels(folder, table, layout)
    first, stored = _as_written(folder)
    labels, class_names = class_numbers(folder, names, first)
    paths, of_class = {file: folder / file for file in files}, dict(zip(files, names, strict=True))
    pixels, kept, by_rules = read_pictures(folder, paths, reading, stored, classes=of_class)
    if len(kept) < len(files):
        table = {files[k]: table[files[k]] for k in kept}
    synthetic = synthetic_of(folder / LABELS, table)
    images = LabeledImages(
        pixels=pixels,
        labels=labels[kept],
        class_names=class_names,
        synthetic=synthetic,
        groups=groups_of(table, synthetic, "patient_id"),
        provenance=provenance_of(folder / LABELS, table) if synthetic.any() else None,
        passed_over=layout.passed_over,
        by_rules=by_rules,
    )
    return _divided(images, table, folder, layout)


def is_image_folder(folder: Path) -> bool:
    """Whether `folder` holds class folders of pictures, or a labels.csv and pictures anywhere below."""
    labelled = (folder / LABELS).exists() or (folder / FACTS).exists()
    inside = files_below(folder) if labelled else chain.from_iterable(map(folder.glob, LEVELS))
    return any(is_picture(path) for path in inside)


def summarise_folder(folder: Path) -> tuple[tuple[str, ...], int]:
    """Class names and number of images, from the file names and labels.csv alone.

    Raises:
        DataError: as `read_folder`, except that broken files go unseen.
    """
    layout = layout_of(folder, say=log.debug)
    names = _labels(folder, labels_csv(folder, list(layout.class_of)), layout)
    return class_numbers(folder, names, _as_written(folder)[0])[1], len(names)


def write_folder(stream: ImageStream, folder: Path, writing: WriteOptions = WriteOptions()) -> None:
    """Write PNGs as [<split>/]<class>/<index>.png with a labels.csv that says which are synthetic.

    Without a class's images there is no folder of it, as torchvision's ImageFolder wants it; dataset.json has
    all class names in their order. A set with a split gets train/, val/ and test/ above the class folders.

    Raises:
        UsageError: colour images of 16 bits, which PNG files of this kind cannot hold.
    """
    if stream.image_shape[0] == 3 and stream.dtype == np.uint16:
        raise UsageError("colour images of 16 bits: class folders hold 8, write them as hdf5 or npz")
    folder.mkdir(parents=True)
    class_folders = _folder_names(stream.class_names)
    digits = max(6, len(str(stream.total - 1)))  # so that files sort as they are numbered
    number = 0
    with (folder / LABELS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for batch in stream.batches:
            files = []
            for k, pixels in enumerate(batch.pixels):
                level = "" if batch.split is None else f"{batch.split[k]}/"
                path = f"{level}{class_folders[batch.labels[k]]}/{number:0{digits}d}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                image = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
                Image.fromarray(image).save(folder / path)
                files.append(path)
                number += 1
            table.writerows(rows_of(batch, files))
    own = {"images": stream.total, "class_names": stream.class_names, "image_shape": stream.image_shape}
    facts = json.dumps({**stream.attributes, **own}, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / FACTS).write_text(facts + "\n", encoding="utf-8")


def _folder_names(class_names: Sequence[str]) -> list[str]:
    """Class names as folder names, different from each other even where upper and lower case are one.

    A class called train would be taken for a split; labels.csv keeps each name as it is.
    """
    names: list[str] = []
    for label, class_name in enumerate(class_names):
        name = re.sub(r"[/\\\0]", "_", class_name)[:60].lstrip(".") or "_"  # up to 255 bytes in UTF-8
        taken = {*SPLIT_NAMES, *(other.casefold() for other in names)}
        while name.casefold() in taken:
            name += f"_{label}"
        names.append(name)
    return names


def _as_written(folder: Path) -> tuple[tuple[str, ...], tuple[int, int, int] | None]:
    """Class names in their order and the images' (C, H, W), as `write_folder` noted; else () and None."""
    try:
        noted: Any = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        class_names = tuple(str(name) for name in noted["class_names"])
        channels, height, width = (int(side) for side in noted["image_shape"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or another tool's
        return (), None
    return class_names, (channels, height, width)


def _divided(images: LabeledImages, table: Table, folder: Path, layout: Layout) -> LabeledImages:
    """With the split that labels.csv says, else that of the folders.

    What labels.csv gives no split is left out.
    """
    named = split_of(folder / LABELS, table)
    if named is None and not any("split" in row for row in table.values()):
        named = np.array([layout.split_of[file] for file in table])
    if named is None or not (named != "").any():
        return images
    beside = named == ""
    if beside.any():
        log.warning("%s: left %d images out that have no split in %s", folder, beside.sum(), LABELS)
    return replace(images.take(~beside) if beside.any() else images, split=named[~beside])


def _labels(folder: Path, table: Table, layout: Layout) -> list[str]:
    """A class name per file: of labels.csv, else of the class folder it stands in.

    Raises:
        DataError: an image has neither.
    """
    rows = {file: row.get("label", "") for file, row in table.items()}
    names = {file: name if parse_label(name) else layout.class_of[file] for file, name in rows.items()}
    for file, name in names.items():
        if not name:
            raise DataError(f"{folder / file}: expected every image in a class folder or named in labels.csv")
    return list(names.values())
