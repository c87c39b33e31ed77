"""DICOMDIR: the index of a folder of DICOM files, as media have it (PS3.10 8, PS3.3 Annex F).

pydicom's FileSet makes one as well, but it copies every file into a layout of its own and compares each with
all before it: the time grows with the square of their number.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from itertools import chain, count, pairwise
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DA, TM

FILE_NAME = "DICOMDIR"
NO_PATIENT_ID = "UNKNOWN"  # a patient's record must have an ID (PS3.3 F.5.1), where the images have none


@dataclass(frozen=True)
class Entry:
    """What the index says of one file.

    Attributes:
        file: the components of its path below the index, each of up to eight capitals, digits or "_".
    """

    file: tuple[str, ...]
    patient_id: str
    patient_name: str
    study: str
    series: str
    series_number: int
    instance: str
    instance_number: int


def write_dicomdir(
    entries: Iterable[Entry], folder: Path, *, uid: str, moment: datetime, modality: str
) -> None:
    """Write `DICOMDIR` at the top of `folder`; an instance that occurs twice is listed once.

    It is held in memory, some kilobytes per file.

    Args:
        entries: one per file, in the order they are to be listed.
        uid: the file-set's own.
        moment: when the studies took place.
        modality: of all series.
    """
    root = _tree(entries, moment, modality)
    nodes = list(root.below())
    index = Dataset()
    index.FileSetID = "SYNTHAUG"
    index.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    index.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    index.FileSetConsistencyFlag = 0
    index.DirectoryRecordSequence = [node.record for node in nodes]
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    # Records point at each other by their places in the file: write once to learn them. The numbers are of
    # fixed length, so that nothing moves when they are filled in.
    draft = BytesIO()
    index.save_as(draft, enforce_file_format=True)
    draft.seek(0)
    for node, placed in zip(nodes, dcmread(draft).DirectoryRecordSequence, strict=True):
        node.place = placed.seq_item_tell
    for node in (root, *nodes):
        children = list(node.children.values())
        node.record.OffsetOfReferencedLowerLevelDirectoryEntity = children[0].place if children else 0
        for one, other in pairwise(children):
            one.record.OffsetOfTheNextDirectoryRecord = other.place
    patients = list(root.children.values())
    index.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = patients[0].place
    index.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = patients[-1].place
    index.save_as(folder / FILE_NAME, enforce_file_format=True)


def file_id(name: str, taken: Collection[str]) -> str:
    """`name` as a component of a file's ID, different from those `taken`."""
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")[:8] or "CLASS"
    numbered = (f"{plain[: 7 - len(str(k))]}_{k}" for k in count(1))
    return next(name for name in chain([plain], numbered) if name not in taken)


@dataclass
class _Node:
    record: Dataset = field(default_factory=Dataset)
    children: dict[str, "_Node"] = field(default_factory=dict)
    place: int = 0  # of its record in the file, in bytes

    def child(self, key: str, kind: str, **attributes: object) -> "_Node":
        """The child with this key, made where there is none."""
        if key not in self.children:
            record = Dataset()
            record.OffsetOfTheNextDirectoryRecord = 0
            record.RecordInUseFlag = 0xFFFF
            record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
            record.DirectoryRecordType = kind
            record.SpecificCharacterSet = "ISO_IR 192"
            for keyword, value in attributes.items():
                setattr(record, keyword, value)
            self.children[key] = _Node(record)
        return self.children[key]

    def below(self) -> Iterator["_Node"]:
        """All nodes below this one, each before its own."""
        for child in self.children.values():
            yield child
            yield from child.below()


def _tree(entries: Iterable[Entry], moment: datetime, modality: str) -> _Node:
    """Patients, their studies, series and images, with the keys of PS3.3 F.5."""
    root = _Node()
    for entry in entries:
        patient = root.child(
            entry.patient_id,
            "PATIENT",
            PatientID=entry.patient_id or NO_PATIENT_ID,
            PatientName=entry.patient_name,
        )
        study = patient.child(
            entry.study,
            "STUDY",
            StudyInstanceUID=entry.study,
            StudyDate=DA(moment.date()),
            StudyTime=TM(moment.time()),
            StudyDescription="",
            StudyID="1",
            AccessionNumber="",
        )
        series = study.child(
            entry.series,
            "SERIES",
            SeriesInstanceUID=entry.series,
            Modality=modality,
            SeriesNumber=entry.series_number,
        )
        series.child(
            entry.instance,
            "IMAGE",
            ReferencedFileID=list(entry.file),
            ReferencedSOPClassUIDInFile=SecondaryCaptureImageStorage,
            ReferencedSOPInstanceUIDInFile=entry.instance,
            ReferencedTransferSyntaxUIDInFile=ExplicitVRLittleEndian,
            InstanceNumber=entry.instance_number,
        )
    return root
