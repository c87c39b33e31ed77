"""CSV files that name images and their classes, such as ChestX-ray14's Data_Entry_2017.csv; read only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from synthaug.augment.dicom import read_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.columns import LABEL, ROLES, columns_by_role, refuse_without
from synthaug.augment.files.finder import INSTANCES, Finder
from synthaug.augment.files.picture_files import read_pictures
from synthaug.augment.files.table import (
    Row,
    Table,
    by_role,
    groups_of,
    name_pattern,
    provenance_of,
    read_rows,
    refuse_twice,
    split_of,
    synthetic_of,
    with_patients_by,
)
from synthaug.augment.formats.findings import (
    classes_of,
    finding_columns,
    findings_of,
    has_several_rows,
    merged,
    reader_column,
    separator_of,
)
from synthaug.augment.formats.published import with_files, with_listed_splits, with_patients_of_paths
from synthaug.augment.images import LabeledImages
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.reading import EVERYWHERE, ReadOptions
from synthaug.augment.stream import Attributes, ImageStream
from synthaug.augment.writing import WriteOptions

LONGEST_NAME = 1024  # characters; more are some other text
Rows = Mapping[str, Sequence[Row]]  # by file


def read_csv(path: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """The pictures or DICOM files that the rows of a CSV file name, below its folder or `images_root`.

    A file's suffix and folders may be missing (`finder.Finder`). The classes are the texts of the label's
    column; of several findings an image, in one cell or a column for each, those of `findings.classes_of`. A
    column split (train, val, test) divides the set, as do the lists of `published.LISTS` beside it.
    Columns are found by `columns.columns_by_role`, however they are spelled. The columns of a labels.csv that
    synthaug wrote are understood.

    Args:
        path: a CSV file with a header.
        reading: `images_from`, `label_from`, `group_from` and `split_from` name the columns, else a known
            one is taken; with `skip_bad`, rows without a label or a whole picture are left out.

    Raises:
        DataError: no row or column of that kind, an empty label, a missing or broken picture.
        UsageError: a column that is asked for is not there.
    """
    columns, rows = read_rows(path)
    pattern, reading = name_pattern(reading)
    found = columns_by_role(path, columns, ROLES, reading)
    finder = Finder(reading.images_root or path.parent, reading.path_prefix)
    named = with_files(path, columns, by_role(rows, found), found, finder)
    by_file = _by_file(path, named, has_several_rows(columns))
    names, order, left_out = _classes(path, columns, by_file, found, reading)
    table: Table = {file: {**by_file[file][0], "label": names[file]} for file in names}
    if "split" not in found:
        table = with_listed_splits(path, table)
    if pattern is not None:
        table = with_patients_by(path, pattern, table)
    elif "patient_id" not in found:
        table = with_patients_of_paths(table)
    paths = {file: finder.find(file) for file in table}
    _refuse_same(path, paths)
    if any(picture.suffix.lower() in INSTANCES for picture in paths.values()):
        return _of_dicom(finder.root, table, paths, reading, left_out)
    bad = {file: "an empty label" for file, row in table.items() if not parse_label(row["label"])}
    pixels, kept, by_rules = read_pictures(path, paths, reading, bad=bad, classes=names)
    files = list(table)
    table = {files[k]: table[files[k]] for k in kept}
    labels, class_names = class_numbers(path, [row["label"] for row in table.values()], order)
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
        passed_over=left_out,
        by_rules=by_rules,
    )


def _classes(
    path: Path, columns: Sequence[str], by_file: Rows, found: Mapping[str, str], options: ReadOptions
) -> tuple[dict[str, str], tuple[str, ...], dict[str, int]]:
    """The class of each file that has one, class names in an order of their own, and files left out."""
    rows = [row for group in by_file.values() for row in group]
    label = found.get("label")
    of_findings = [] if label else finding_columns(columns, rows, [*found.values()])
    if not label and not of_findings:
        refuse_without(path, columns, found, {"label": LABEL})
    separator = separator_of(label, rows, options) if label else None
    reader = reader_column(columns)
    if not of_findings and separator is None and not reader and options.task is None:
        if options.negative is not None or options.uncertain != "ignore":
            raise UsageError(f"--negative, --uncertain: {path} has one label an image, leave them out")
        names = {}
        for file, group in by_file.items():
            texts = {row["label"] for row in group}
            if len(texts) > 1:
                raise DataError(
                    f"{path}: found {' and '.join(sorted(texts)[:2])} of {file}, expected one label"
                )
            names[file] = group[0]["label"].strip()
        return names, (), {}
    images = []
    for group in by_file.values():
        readings: dict[str, dict[str, int]] = {}
        for row in group:
            one = readings.setdefault(row[reader] if reader else "", {})
            one |= findings_of(row, label and "label", of_findings, separator)
        images.append(merged([*readings.values()]) if len(readings) > 1 else next(iter(readings.values())))
    classes = classes_of(path, images, options, listed=not of_findings)
    pairs = zip(by_file, classes.names, strict=True)
    return {file: name for file, name in pairs if name}, classes.order, classes.left_out


def _of_dicom(
    root: Path, table: Table, paths: Mapping[str, Path], options: ReadOptions, left_out: Mapping[str, int]
) -> LabeledImages:
    """The DICOM files that a table names."""
    rows = {paths[file].relative_to(root).as_posix(): row for file, row in table.items()}
    asked = options.only((*EVERYWHERE, "window", "skip_bad"))
    images = read_dicom(root, asked, rows)
    return replace(images, passed_over={**images.passed_over, **left_out})


def refuse_csv(stream: ImageStream, path: Path, writing: WriteOptions = WriteOptions()) -> None:
    """A CSV file holds no pixels.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{path.name}: CSV files are only read, write a folder, which gets a labels.csv")


def no_facts(path: Path) -> Attributes:
    """A CSV file says nothing of the whole set."""
    return {}


def _by_file(path: Path, rows: Sequence[Row], several: bool) -> Rows:
    """Rows by the file they name.

    Args:
        several: a file may have several: one for each reader or box.

    Raises:
        DataError: there is no row, or a file is named twice.
    """
    named = [row["file"].strip() for row in rows]
    named = [file if _may_be_name(file) else f"(row {k})" for k, file in enumerate(named, 1)]
    if not named:
        raise DataError(f"{path}: found no row, expected one for each picture")
    if not several:
        refuse_twice(path, named)
    by_file: dict[str, list[Row]] = {}
    for file, row in zip(named, rows, strict=True):
        by_file.setdefault(file, []).append(row)
    return by_file


def _may_be_name(text: str) -> bool:
    """Whether a cell can name a file: a radiologist's report, which messages must not repeat, cannot."""
    return 0 < len(text) <= LONGEST_NAME and "\n" not in text


def _refuse_same(path: Path, paths: Mapping[str, Path]) -> None:
    """Stop where two rows are of one picture: with and without its suffix, or by an absolute path."""
    first: dict[Path, str] = {}
    for file, picture in paths.items():
        if (other := first.setdefault(picture.resolve(), file)) != file:
            raise DataError(f"{path}: found one picture as {other} and as {file}, keep one row")
