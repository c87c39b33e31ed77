"""What goes to an archive (PACS or DICOMweb server), and what an archive must be able to do.

`archive/sending.py` sends; `archive/dicomweb.py` and `archive/pacs.py` are the two ways there.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydicom import Dataset, dcmread
from pydicom.datadict import keyword_for_tag

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.pseudonym import PSEUDONYM
from synthaug.augment.stream import FACTS

log = logging.getLogger("synthaug")

# Every attribute that `write_dicom` writes, and those in its sequences: another one may name anybody.
WRITTEN = frozenset({
    "AccessionNumber", "AcquisitionContextSequence", "AnatomicRegionSequence", "BitsAllocated",
    "BitsStored", "BodyPartExamined", "CodingSchemeIdentificationSequence", "Columns", "ContentDate",
    "ContentTime", "ContributingEquipmentSequence", "ConversionType", "DateOfSecondaryCapture",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence", "HighBit", "ImageComments",
    "ImageLaterality", "ImageType", "InstanceCreationDate", "InstanceCreationTime", "InstanceNumber",
    "Laterality", "Manufacturer", "ManufacturerModelName", "Modality", "PatientBirthDate", "PatientID",
    "PatientIdentityRemoved", "PatientName", "PatientOrientation", "PatientSex",
    "PhotometricInterpretation", "PixelData", "PixelRepresentation", "PlanarConfiguration",
    "ReferringPhysicianName", "Rows", "SOPClassUID", "SOPInstanceUID", "SamplesPerPixel",
    "SeriesDescription", "SeriesDescriptionCodeSequence", "SeriesInstanceUID", "SeriesNumber",
    "SoftwareVersions", "SpecificCharacterSet", "StudyDate", "StudyID", "StudyInstanceUID", "StudyTime",
    "SyntheticData", "TimeOfSecondaryCapture", "TimezoneOffsetFromUTC", "ViewPosition",
})  # fmt: skip
WRITTEN_WITHIN = frozenset({
    "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeName",
    "CodingSchemeResponsibleOrganization", "ConceptCodeSequence", "ConceptNameCodeSequence",
    "ContributionDateTime", "ContributionDescription", "DeviceSerialNumber", "Manufacturer",
    "ManufacturerModelName", "PurposeOfReferenceCodeSequence", "SoftwareVersions", "TextValue", "ValueType",
})  # fmt: skip
EMPTY = ("AccessionNumber", "PatientBirthDate", "PatientSex", "ReferringPhysicianName")  # as written
LONG = 1024  # bytes; a longer value (the pixels) is passed over, so that what stands behind it is seen
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

    Each file's header is read whole.

    Raises:
        UsageError: synthaug did not write the folder or one of its files as it is, or a file names a patient.
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
        header = dcmread(path, defer_size=LONG)
        instance = Instance(
            path=path,
            uid=str(header.SOPInstanceUID),
            study=str(header.StudyInstanceUID),
            series=str(header.SeriesInstanceUID),
            sop_class=str(header.SOPClassUID),
            transfer_syntax=str(header.file_meta.TransferSyntaxUID),
            bytes=path.stat().st_size,
        )
        wrong = _not_ours(header)
    except Exception as error:  # a damaged file fails with any exception
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: expected a whole DICOM image ({detail}), export it again") from error
    if wrong:
        raise UsageError(
            f"{path}: not written by synthaug or it names a patient ({wrong}): export the folder first, so "
            "that identities are removed"
        )
    return instance


def _not_ours(header: Dataset) -> str:
    """The attribute that says that `write_dicom` did not make the file as it is; "" where it did."""
    added = next(_added(header, WRITTEN), "")
    if added:
        return added
    patient, name = str(header.get("PatientID") or ""), str(header.get("PatientName") or "")
    sound = {
        "ImageComments": str(header.get("ImageComments", "")).startswith('{"synthaug":'),
        "Manufacturer": header.get("Manufacturer") == "synthaug",
        "PatientID": not patient or PSEUDONYM.fullmatch(patient) or re.match(r"SYNTHETIC(-|$)", patient),
        "PatientName": re.match(r"(Anonymous\^Patient|Synthetic\^\w+)?$", name),
        **{keyword: not header.get(keyword) for keyword in EMPTY},
    }
    return next((keyword for keyword, so in sound.items() if not so), "")


def _added(dataset: Dataset, written: frozenset[str]) -> Iterator[str]:
    """Attributes beyond those `written`, within sequences too; a private one is named by its tag."""
    for tag in dataset.keys():  # noqa: SIM118 (a Dataset's iterator decodes every value)
        keyword = keyword_for_tag(tag) or str(tag)
        if keyword not in written:
            yield keyword
        elif keyword.endswith("Sequence"):
            for item in dataset[tag].value:
                yield from _added(item, WRITTEN_WITHIN)
