"""What goes to an archive (PACS or DICOMweb server), and what an archive must be able to do.

`archive/sending.py` sends; `archive/dicomweb.py` and `archive/pacs.py` are the two ways there.
"""

import logging
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydicom import Dataset, dcmread

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.pseudonym import PSEUDONYM
from synthaug.augment.stream import FACTS

log = logging.getLogger("synthaug")

HEADER = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "PatientID", "PatientName", "ImageComments", "Manufacturer",
]  # fmt: skip
DUPLICATE = 0x0111  # PS3.7 C.5.5: the archive has this instance already
FULL = range(0xA700, 0xA800)  # PS3.4 B.2.3: out of resources, whichever instance comes next


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file of an exported folder, as far as sending it needs to know it.

    Attributes:
        bytes: size of the file.
    """

    path: Path
    uid: str
    study: str
    series: str
    sop_class: str
    transfer_syntax: str
    bytes: int


@dataclass
class Answer:
    """What an archive said of the instances of one request.

    Attributes:
        stored: SOP Instance UIDs it took.
        known: those it has already.
        refused: why it did not take others, in words, by UID.
        full: what it said when it was out of resources; it would say so of every other instance too.
    """

    stored: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    full: str = ""


class ArchiveError(DataError):
    """An archive that cannot be reached, turns us away, or breaks off: nothing more can be sent now."""


class Connection(Protocol):
    """An archive that listens."""

    def instances_of(self, study: str, series: str) -> set[str] | None:
        """SOP Instance UIDs that the archive holds of a series; None where it cannot be searched."""
        ...

    def store(self, batch: Sequence[Instance]) -> Answer:
        """Send files; when it raises ArchiveError, those not acknowledged may be there or not."""
        ...


class Archive(Protocol):
    """A place that DICOM files are sent to.

    Attributes:
        address: as messages and the state file name it; holds no credentials.
        per_request: instances that one request carries at most.
    """

    address: str
    per_request: int

    def connected(self, instances: Sequence[Instance]) -> AbstractContextManager[Connection]:
        """A connection for sending these instances; raises ArchiveError where there is none."""
        ...


def exported_instances(folder: Path) -> list[Instance]:
    """The images of a DICOM folder that synthaug exported, each once, in the order of their files' names.

    Raises:
        UsageError: synthaug did not write the folder or one of its files, or a file names a patient.
        DataError: a file is damaged, or there is none.
    """
    if not (folder / FACTS).is_file():
        raise UsageError(
            f"{folder}: no {FACTS}, so no DICOM folder that synthaug exported: export it first, so that "
            "identities are removed"
        )
    files = [_instance(path) for path in sorted(folder.rglob("*")) if _is_dicom(path)]
    if not files:
        raise DataError(f"{folder}: no DICOM file found, expected those of an export, export it again")
    unique = {file.uid: file for file in reversed(files)}
    if len(unique) < len(files):
        log.warning("%s: %d files hold an image that another file holds", folder, len(files) - len(unique))
    return sorted(unique.values(), key=lambda file: file.path)


def judge(uid: str, status: int, words: str, answer: Answer) -> None:
    """Sort an instance into `answer` by its failure status or reason (PS3.7 C, PS3.4 B.2.3, PS3.18 I.2.2)."""
    said = f"status 0x{status:04X}" + (f", {words}" if words else "")
    if status in FULL:
        answer.full = said
    elif status == DUPLICATE:
        answer.known.append(uid)
    else:
        answer.refused[uid] = said


def _is_dicom(path: Path) -> bool:
    if path.name.startswith(".") or path.name == "DICOMDIR" or not path.is_file():
        return False
    if path.suffix.lower() == ".dcm":
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _instance(path: Path) -> Instance:
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(HEADER))
        instance = Instance(
            path=path,
            uid=str(header.SOPInstanceUID),
            study=str(header.StudyInstanceUID),
            series=str(header.SeriesInstanceUID),
            sop_class=str(header.SOPClassUID),
            transfer_syntax=str(header.file_meta.TransferSyntaxUID),
            bytes=path.stat().st_size,
        )
    except Exception as error:  # a damaged file fails with any exception
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: expected a whole DICOM image ({detail}), export it again") from error
    if not _is_ours(header):
        raise UsageError(
            f"{path}: not written by synthaug or it names a patient: export the folder first, so that "
            "identities are removed"
        )
    return instance


def _is_ours(header: Dataset) -> bool:
    """Whether `write_dicom` made the file: its note, and nobody's name or number but its own."""
    patient, name = str(header.get("PatientID") or ""), str(header.get("PatientName") or "")
    return (
        str(header.get("ImageComments", "")).startswith('{"synthaug":')
        and header.get("Manufacturer") == "synthaug"
        and bool(not patient or PSEUDONYM.fullmatch(patient) or re.match(r"SYNTHETIC(-|$)", patient))
        and bool(re.match(r"(Anonymous\^Patient|Synthetic\^\w+)?$", name))
    )
