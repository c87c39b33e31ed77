"""What a table says of images, row by row: class, patient, split, and where synthetic ones came from.

`labels.csv` in a folder of images has the columns of `COLUMNS`; those from synthetic on are ours.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.columns import ROLES, columns_by_role, key_of
from synthaug.augment.images import PROVENANCE, LabeledImages
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.reading import NAMING, ReadOptions

Row = Mapping[str, str]
Table = Mapping[str, Row]  # rows by file
LABELS = "labels.csv"
COLUMNS = ("file", "label", "patient_id", "split", "synthetic", "generator", "seed", "index")
OVER = "\0"  # no column's name: the cells of a row beyond the header
TRUTH = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),  # 1.0 is what pandas makes of 1 beside a gap
    **dict.fromkeys(("", "0", "0.0", "false", "no"), False),
}
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def read_rows(path: Path, most: int | None = None) -> tuple[list[str], list[Row]]:
    """The columns of a CSV file with a header, and its rows; in a table that we wrote not a blank is lost.

    Args:
        most: rows that are read; None is all.

    Raises:
        DataError: it is no comma-separated text in UTF-8, or a row has more cells than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin with a mark
            reader = csv.DictReader(file, restkey=OVER, restval="")
            columns = list(reader.fieldnames or [])
            if len(columns) == 1 and (found := re.search(r"[;\t|]", columns[0])):
                raise DataError(f"{path}: found cells parted by {found[0]!r}, expected commas: save it so")
            rows: list[Row] = []
            for row in islice(reader, most):
                if any(row.pop(OVER, ())):
                    cells = f"more cells than the {len(columns)} of the header"
                    raise DataError(
                        f"{path}: line {reader.line_num} has {cells}, expected texts with a comma in quotes"
                    )
                rows.append(row if is_ours(columns) else {name: row[name].strip() for name in columns})
            return columns, rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected comma-separated text in UTF-8, found {error}") from None


def by_role(rows: Sequence[Row], found: Mapping[str, str]) -> list[Row]:
    """The rows with their columns of `columns.ROLES` under the names of the roles."""
    renamed = {role: column for role, column in found.items() if role != column}
    return [{**row, **{role: row[column] for role, column in renamed.items()}} for row in rows]


def is_ours(columns: Collection[str]) -> bool:
    """Whether a table with these columns is one that we wrote."""
    return set(COLUMNS) <= set(columns)


def refuse_twice(path: Path, named: Sequence[str]) -> None:
    """Stop where two rows name one file: nobody knows which of them is right.

    Raises:
        DataError: they do.
    """
    file, times = Counter(named).most_common(1)[0] if named else ("", 0)
    if times > 1:
        raise DataError(f"{path}: found {file} in {times} rows, expected one row for each picture")


def labels_csv(folder: Path, files: Sequence[str], options: ReadOptions = ReadOptions()) -> Table:
    """The rows of `labels.csv` by file, in the order of `files` or of a table that we wrote; else empty rows.

    Its columns of `columns.ROLES` are under the names of the roles.

    Raises:
        DataError: it does not fit the files.
        UsageError: a column is asked for that it does not have, or there is no such table.
    """
    path = folder / LABELS
    if not path.exists():
        refuse_unheeded(options.only(NAMING), (), f"{folder}, which has no {LABELS},")
        return {file: {} for file in files}
    columns, rows_found = read_rows(path)
    roles = columns_by_role(path, columns, ROLES, options)
    if "file" not in roles:
        raise DataError(f"{path}: found columns {', '.join(columns)}, expected file, label and patient_id")
    found = by_role(rows_found, roles)
    refuse_twice(path, [row["file"] for row in found])
    rows = {row["file"]: row for row in found}
    missing = [file for file in files if file not in rows]
    if missing:
        raise DataError(f"{path}: {len(missing)} images have no row, the first is {missing[0]}: add them")
    if is_ours(columns):  # in the order in which the images were written
        known = set(files)
        return {file: row for file, row in rows.items() if file in known}
    return {file: rows[file] for file in files}


def rows_of(batch: LabeledImages, files: Sequence[str]) -> list[tuple[object, ...]]:
    """The rows, in the order of `COLUMNS`, of images that are written as `files`."""
    rows: list[tuple[object, ...]] = []
    for k, file in enumerate(files):
        made = bool(batch.synthetic[k])
        patient = "" if batch.groups is None or made else batch.groups[k]
        split = "" if batch.split is None else batch.split[k]
        origin = (b"", "", "") if batch.provenance is None else batch.provenance[k].item()
        label = batch.class_names[batch.labels[k]]
        rows.append((file, label, patient, split, int(made), origin[0].decode(), *origin[1:]))
    return rows


def synthetic_of(path: Path, table: Table) -> npt.NDArray[np.bool_]:
    """Which images were made by a generator: a row says so, or names it.

    Raises:
        DataError: a row says neither yes nor no.
    """
    for file, row in table.items():
        if (text := row.get("synthetic", "")).lower() not in TRUTH:
            raise DataError(f"{path}: synthetic {text!r} of {file}, expected 1 or 0")
    made = [TRUTH[row.get("synthetic", "").lower()] or bool(row.get("generator")) for row in table.values()]
    return np.array(made, dtype=bool)


def groups_of(table: Table, synthetic: npt.NDArray[np.bool_], column: str) -> npt.NDArray[np.str_] | None:
    """Patients; where some images have one, each other real image counts as a patient of its own."""
    if not any(row.get(column) for row in table.values()):
        return None
    own = zip(table.items(), synthetic, strict=True)
    return np.array([row.get(column) or ("synthetic" if made else file) for (file, row), made in own])


def split_of(path: Path, table: Table) -> npt.NDArray[np.str_] | None:
    """Train, val or test of each image, "" where a row says nothing; None where no row says anything.

    Raises:
        DataError: a split has another name.
    """
    names = {file: row.get("split") or "" for file, row in table.items()}
    if not any(names.values()):
        return None
    for file, name in names.items():
        if name and not split_name(name):
            raise DataError(f"{path}: split {name!r} of {file}, expected train, val or test")
    return np.array([split_name(name) for name in names.values()])


def split_name(text: str) -> str:
    """The split that a folder or cell names; "" where it names none."""
    return SPLIT_NAMES.get(key_of(text), "")


def name_pattern(options: ReadOptions) -> tuple[re.Pattern[str] | None, ReadOptions]:
    """The pattern that tells patients by the names of files, where `group_from` is one, and other options.

    A pattern has a group in brackets, which no column has.

    Raises:
        UsageError: it is none.
    """
    if options.group_from is None or "(" not in options.group_from:
        return None, options
    try:
        pattern = re.compile(options.group_from)
    except re.error as error:
        raise UsageError(f"--group-from {options.group_from}: expected a pattern, {error}") from None
    if pattern.groups < 1:
        raise UsageError(f"--group-from {options.group_from}: expected a pattern with a group in brackets")
    return pattern, replace(options, group_from=None)


def with_patients_by(where: object, pattern: re.Pattern[str] | None, table: Table) -> Table:
    """The rows with the patient that the pattern finds in each file's path.

    Raises:
        DataError: it finds none in one.
    """
    if pattern is None:
        return table
    patients = {}
    for file in table:
        match = pattern.search(file)
        name = next(filter(None, match.groups()), "") if match else ""
        if not name:
            raise DataError(f"{where}: --group-from {pattern.pattern} finds no patient in {file}")
        patients[file] = name
    return {file: {**row, "patient_id": patients[file]} for file, row in table.items()}


def provenance_of(path: Path, table: Table) -> npt.NDArray[np.void] | None:
    """Where synthetic images came from; None where no row names a generator.

    Raises:
        DataError: a row names a generator without a seed and an index.
    """
    origins = np.zeros(len(table), PROVENANCE)
    for k, (file, row) in enumerate(table.items()):
        if generator := row.get("generator"):
            try:
                seed, index = (int(row[name].removesuffix(".0")) for name in ("seed", "index"))
                origins[k] = (generator.encode("ascii"), seed, index)
            except (KeyError, OverflowError, TypeError, ValueError):
                raise DataError(f"{path}: generator of {file}, expected its seed and index too") from None
    return origins if (origins["generator"] != b"").any() else None
