"""What a DICOM file says of its image beside the pixels: class, patient, split, and who made it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from synthaug.augment.dicom.keywords import text_of
from synthaug.augment.errors import DataError
from synthaug.augment.files.columns import ROLES, Role, columns_by_role
from synthaug.augment.files.table import LABELS, Table, by_role, read_rows, refuse_twice, split_name
from synthaug.augment.images import PARTS, Indices
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.reading import ReadOptions

INSTANCE = {"SOPInstanceUID": Role(("SOPInstanceUID", "instance uid"), "images_from")}
UNKNOWN = "unknown"  # one name for all patients without one: no split can part them


@dataclass(frozen=True)
class About:
    """What is known of a file's image; the lower half is empty in files that `write_dicom` did not make."""

    synthetic: bool
    patient: str  # as the file has it, "" where unknown; stays in memory
    listed: str  # patient_id of labels.csv, which goes before
    split: str  # of PARTS, "" where not said
    class_name: str = ""
    ours: bool = False
    all_classes: tuple[str, ...] = ()
    generator: bytes = b""
    seed: int = 0
    index: int = 0
    position: int = 0


def about(dataset: Dataset, file: str, reading: ReadOptions, table: Table | None, divided: bool) -> About:
    """Class, patient and split of one file.

    The class is that of the attribute `reading.label_from`, else the one `write_dicom` noted, else that of
    labels.csv, else the sub-folder the file lies in; train/, val/ and test/ are no classes.

    Args:
        file: its path below the data set's folder.
        table: labels.csv by file and by SOPInstanceUID, None where there is none.
        divided: whether train/, val/ and test/ at the top are splits.

    Raises:
        ValueError: it has no label; what is missing, in a few words.
    """
    note = _note(dataset)
    row = _row(dataset, file, table)
    uid = dataset.get("StudyInstanceUID")
    synthetic = dataset.get("SyntheticData") == "YES" or bool(note.get("generator"))
    if reading.group_from:  # asked for in words, so nothing else counts
        patient, listed = text_of(dataset, reading.group_from), ""
    else:
        patient = text_of(dataset, "PatientID") or ("" if note else str(uid or ""))
        listed = row.get("patient_id", "")
    if synthetic:
        patient = listed = ""
    folders = file.split("/")[:-1]
    split = split_name(folders[0]) if divided and folders else ""
    folders = [name for name in folders if not split_name(name)]
    split = _split(note.pop("split", "")) or _split(row.get("split", "")) or split
    known = About(synthetic, patient, listed, split, **note)
    if reading.label_from:
        label = text_of(dataset, reading.label_from)
        if not parse_label(label):
            raise ValueError(f"no {reading.label_from} in it")
        return replace(known, class_name=label, all_classes=())
    if known.all_classes:
        return known
    if table is not None:
        if not parse_label(row.get("label", "")):
            raise ValueError("no label for it in labels.csv")
        return replace(known, class_name=row["label"])
    if not folders:
        raise ValueError(f"it in no class folder, expected <class>/{file}")
    return replace(known, class_name=folders[0])


def has_split_folders(files: Collection[str]) -> bool:
    """Whether there are both a train/ and a test/ folder at the top."""
    tops = {split_name(file.split("/")[0]) for file in files if "/" in file}
    return {"train", "test"} <= tops


def labels_csv(folder: Path) -> Table | None:
    """The rows of `folder`/labels.csv by file and by SOPInstanceUID; None where there is none.

    Its columns are under the names of `columns.ROLES` and INSTANCE.

    Raises:
        DataError: it is no such table.
    """
    path = folder / LABELS
    if not path.exists():
        return None
    columns, rows = read_rows(path)
    roles = columns_by_role(path, columns, ROLES | INSTANCE, ReadOptions())
    rows = by_role(rows, roles)
    keys = [name for name in (*INSTANCE, "file") if name in roles]
    if not keys or "label" not in roles:
        found = ", ".join(columns) or "nothing"
        raise DataError(f"{path}: found columns {found}, expected file or SOPInstanceUID, and label")
    wrong = [name for row in rows if (name := row.get("split", "")) and not split_name(name)]
    if wrong:
        raise DataError(f"{path}: found split {min(wrong)!r}, expected {', '.join(PARTS)}")
    for key in keys:
        refuse_twice(path, [row[key] for row in rows if row[key]])
    return {row[key]: row for key in keys for row in rows if row.get(key)}


def classes(files: Sequence[About], folder: Path) -> tuple[Indices, tuple[str, ...]]:
    """(N,) labels and class names: the exports' own in their order, then all others, as `class_numbers`.

    Raises:
        DataError: exports with different classes side by side.
    """
    noted = {file.all_classes for file in files if file.all_classes}
    if len(noted) > 1:
        raise DataError(
            f"{folder}: exports with classes {sorted(noted)}, expected one list, read them one by one"
        )
    first = noted.pop() if noted else ()
    return class_numbers(folder, [file.class_name for file in files], first)


def groups(
    files: Sequence[About], names: Sequence[str], frames: Sequence[int], group_from: str | None
) -> npt.NDArray[np.str_] | None:
    """A name per patient; real images without one share a name, so that no split can part them.

    Where no patient is known, there are none, or each file is a group if any has several frames.

    Args:
        names, frames: what each file is called, and how many images it holds.
        group_from: the keyword that was asked for.

    Raises:
        DataError: no real file has that attribute.
    """
    real = [not file.synthetic for file in files]
    patients = _patients(files)
    if any(patients):
        known = [patient or UNKNOWN for patient in patients]
    elif group_from and any(real):
        raise DataError(f"--group-from {group_from}: no file has it, expected one that tells patients apart")
    elif any(one and count > 1 for one, count in zip(real, frames, strict=True)):
        known = [f"file:{name}" for name in names]
    else:
        return None
    return np.array([name if one else "synthetic" for name, one in zip(known, real, strict=True)])


def _patients(files: Sequence[About]) -> list[str]:
    """The patient of each file, "" where unknown: as labels.csv says, of the patient's other files too.

    Where labels.csv has several names for one that the files have, as for "ANONYMOUS", files it does not list
    keep theirs.
    """
    listed: dict[str, set[str]] = {}
    for file in files:
        if file.patient and file.listed:
            listed.setdefault(file.patient, set()).add(file.listed)
    called = {patient: names.pop() for patient, names in listed.items() if len(names) == 1}
    return [file.listed or called.get(file.patient, file.patient) for file in files]


def _note(dataset: Dataset) -> dict[str, Any]:
    """What `write_dicom` noted in Image Comments, as fields of `About`; {} in any other file."""
    comments = str(dataset.get("ImageComments", ""))
    if not comments.startswith('{"synthaug":'):
        return {}
    note = json.loads(comments)
    names = tuple(str(name) for name in note["class_names"])
    label = int(note["label"])
    if not 0 <= label < len(names):
        raise ValueError(f"label {label} among {len(names)} classes")
    return {
        "ours": True,
        "class_name": names[label],
        "all_classes": names,
        "split": str(note.get("split") or ""),
        "generator": str(note.get("generator", "")).encode("ascii"),
        "seed": int(note.get("seed", 0)),
        "index": int(note.get("index", 0)),
        "position": int(dataset.get("InstanceNumber") or 0),
    }


def _row(dataset: Dataset, file: str, table: Table | None) -> Mapping[str, str]:
    if table is None:
        return {}
    return table.get(file) or table.get(str(dataset.get("SOPInstanceUID", ""))) or {}


def _split(name: str) -> str:
    if name and not split_name(name):
        raise ValueError(f"split {name!r}")
    return split_name(name)
