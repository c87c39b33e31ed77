"""A CSV file that names pictures and their classes, such as ChestX-ray14's Data_Entry_2017.csv; read only."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.columns import FILE, LABEL, ROLES, columns_by_role, key_of, refuse_without
from synthaug.augment.files.picture_files import read_pictures
from synthaug.augment.files.table import (
    Row,
    Table,
    by_role,
    groups_of,
    provenance_of,
    read_rows,
    refuse_twice,
    split_of,
    synthetic_of,
)
from synthaug.augment.files.walk import is_file
from synthaug.augment.images import LabeledImages
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import Attributes, ImageStream
from synthaug.augment.writing import WriteOptions

FINDINGS = "findinglabels"  # ChestX-ray14's: findings with | between, or "No Finding"
SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")  # tried in this order
LONGEST_NAME = 1024  # characters; more are some other text


def read_csv(path: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """The pictures that the rows of a CSV file name, each relative to the file's own folder.

    A picture's suffix may be missing. The classes are the texts of the label's column, except that
    ChestX-ray14's "Finding Labels" become normal ("No Finding") and abnormal. A column split (train, val,
    test) divides the set. The columns of a labels.csv that synthaug wrote are understood. Columns are
    found by `columns.columns_by_role`, however they are spelled.

    Args:
        path: a CSV file with a header.
        reading: `images_from`, `label_from`, `group_from` and `split_from` name the columns, else a known
            one is taken; with `skip_bad`, rows without a label or a whole picture are left out.

    Raises:
        DataError: no row or column of that kind, an empty label, a missing or broken picture.
        UsageError: a column that is asked for is not there.
    """
    columns, rows = read_rows(path)
    found = columns_by_role(path, columns, ROLES, reading)
    refuse_without(path, columns, found, {"file": FILE, "label": LABEL})
    table = _by_file(path, by_role(rows, found))
    paths = {file: _found(path.parent, file) for file in table}
    _refuse_same(path, paths)
    bad = {file: f"an empty {found['label']}" for file, row in table.items() if not parse_label(row["label"])}
    classes = {file: row["label"] for file, row in table.items()}
    pixels, kept, by_rules = read_pictures(path, paths, reading, bad=bad, classes=classes)
    files = list(table)
    table = {files[k]: table[files[k]] for k in kept}
    names = [_class_of(row["label"], found["label"]) for row in table.values()]
    labels, class_names = class_numbers(path, names)
    synthetic = synthetic_of(path, table)
    split = split_of(path, table)
    if split is not None and (undivided := np.flatnonzero(split == "")).size:
        raise DataError(f"{path}: no split of {list(table)[undivided[0]]}, expected train, val or test")
    return LabeledImages(
        pixels=pixels,
        labels=labels,
        class_names=class_names,
        synthetic=synthetic,
        groups=groups_of(table, synthetic, "patient_id"),
        provenance=provenance_of(path, table) if synthetic.any() else None,
        split=split,
        by_rules=by_rules,
    )


def refuse_csv(stream: ImageStream, path: Path, writing: WriteOptions = WriteOptions()) -> None:
    """A CSV file holds no pixels.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{path.name}: CSV files are only read, write a folder, which gets a labels.csv")


def no_facts(path: Path) -> Attributes:
    """A CSV file says nothing of the whole set."""
    return {}


def _by_file(path: Path, rows: Sequence[Row]) -> Table:
    """Rows by the file they name.

    Raises:
        DataError: there is no row, or a file is named twice.
    """
    named = [row["file"].strip() for row in rows]
    named = [file if _may_be_name(file) else f"(row {k})" for k, file in enumerate(named, 1)]
    if not named:
        raise DataError(f"{path}: found no row, expected one for each picture")
    refuse_twice(path, named)
    return dict(zip(named, rows, strict=True))


def _may_be_name(text: str) -> bool:
    """Whether a cell can name a file: a radiologist's report, which messages must not repeat, cannot."""
    return 0 < len(text) <= LONGEST_NAME and "\n" not in text


def _found(folder: Path, file: str) -> Path:
    """The file as named, by Windows' rules too, or with a suffix that pictures have; else as named."""
    names = dict.fromkeys((file, file.replace("\\", "/")))
    candidates = (folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES)
    return next((path for path in candidates if is_file(path)), folder / file)


def _refuse_same(path: Path, paths: Mapping[str, Path]) -> None:
    """Stop where two rows are of one picture: with and without its suffix, or by an absolute path."""
    first: dict[Path, str] = {}
    for file, picture in paths.items():
        if (other := first.setdefault(picture.resolve(), file)) != file:
            raise DataError(f"{path}: found one picture as {other} and as {file}, keep one row")


def _class_of(text: str, column: str) -> str:
    if key_of(column) != FINDINGS:
        return text.strip()
    return "normal" if text.strip() == "No Finding" else "abnormal"
