"""What published tables leave to the names of files: the files themselves, their patients and their split."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthaug.augment.errors import DataError
from synthaug.augment.files.columns import FILE, key_of, refuse_without
from synthaug.augment.files.finder import Finder
from synthaug.augment.files.table import LABELS, Row, Table, read_rows
from synthaug.augment.files.walk import is_file

log = logging.getLogger("synthaug")
# Columns that tell the tables of public sets from others, and the sets.
SIGNATURES = {
    ("imageindex", "findinglabels"): "ChestX-ray14",
    ("path", "nofinding"): "CheXpert",
    ("studyid", "subjectid", "nofinding"): "MIMIC-CXR-JPG",
    ("imageid", "patientid", "labels"): "PadChest",
    ("imageid", "radid"): "VinDr-CXR",
    ("patientid", "target"): "RSNA",
    ("patientid", "x", "y"): "RSNA",
    ("lesionid", "imageid", "dx"): "HAM10000",
    ("image", "mel", "nv"): "ISIC",
    ("imagename", "target"): "ISIC",
}
LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}  # ChestX-ray14's
MIMIC_SPLIT = "mimic-cxr-2.0.0-split.csv"
PATIENT_FOLDER = re.compile(r"(?:^|/)(patient\d+|p\d{8})(?=/)")  # CheXpert's and MIMIC-CXR's


def published_table(folder: Path) -> tuple[Path, str] | None:
    """The table of a public set that lies right in a folder, and of which set it is; None without one."""
    if (folder / LABELS).exists():
        return None
    for path in sorted(folder.glob("[!.]*.csv")):
        try:
            columns, _ = read_rows(path, most=1)
        except DataError:
            continue
        keys = {key_of(column) for column in columns}
        for signature, name in SIGNATURES.items():
            if keys >= set(signature):
                return path, name
    return None


def with_files(
    path: Path, columns: Sequence[str], rows: Sequence[Row], found: Mapping[str, str], finder: Finder
) -> Sequence[Row]:
    """The rows with the file of each: of its column, of its study's folder, or called as its patient.

    Raises:
        DataError: nothing tells the files.
    """
    if "file" in found:
        return rows
    study = next((column for column in columns if key_of(column) == "studyid"), None)
    if study is not None and any(finder.in_folder(f"s{row[study]}") for row in rows[:100]):
        files = [(row, finder.in_folder(f"s{row[study]}")) for row in rows]
        missing = sum(not pictures for _, pictures in files)
        if missing:
            log.warning(
                "%s: left %d studies of %d out, of which no picture is here", path, missing, len(files)
            )
        return [
            {**row, "file": picture.relative_to(finder.root).as_posix()}
            for row, pictures in files
            for picture in pictures
        ]
    if "patient_id" in found and any(is_file(finder.find(row["patient_id"])) for row in rows[:100]):
        return [{**row, "file": row["patient_id"]} for row in rows]
    refuse_without(path, columns, found, {"file": FILE})
    return rows


def with_listed_splits(path: Path, table: Table) -> Table:
    """The rows with the split of lists that lie beside the table, where there are any."""
    split: dict[str, str] = {}
    for name, part in LISTS.items():
        if (path.parent / name).exists():
            names = (path.parent / name).read_text(encoding="utf-8").split()
            split |= dict.fromkeys(names, part)
    if (path.parent / MIMIC_SPLIT).exists():
        _, rows = read_rows(path.parent / MIMIC_SPLIT)
        split |= {row["dicom_id"]: row["split"] for row in rows}
    if not split:
        return table
    named = {file: split.get(Path(file).name) or split.get(Path(file).stem) or "" for file in table}
    if not any(named.values()):
        return table
    if lacking := [file for file, part in named.items() if not part]:
        raise DataError(f"{path}: {lacking[0]} is in none of the lists of train and test beside it, add it")
    return {file: {**row, "split": named[file]} for file, row in table.items()}


def with_patients_of_paths(table: Table) -> Table:
    """The rows with the patient that each file's folders name, where all do."""
    matches = {file: PATIENT_FOLDER.search(file.replace("\\", "/")) for file in table}
    if not all(matches.values()):
        return table
    return {
        file: {**row, "patient_id": str((matches[file] or [""])[0]).strip("/")} for file, row in table.items()
    }
