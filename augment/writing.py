"""How images become files, where the format leaves a choice: one record for every format."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WriteOptions:
    """What is asked of the files; a format heeds some of it (`formats.Format.writing`).

    Attributes:
        compression: of HDF5: gzip, zstd, blosc2 or none. gzip needs no plug-in to be read.
        shard_size: images per file; HDF5 is then an index of shards beside it. None: one file.
        modality: DICOM's Modality, such as CR, CT or OT (other), which is what a class says nothing about.
        body_part: DICOM's BodyPartExamined, such as CHEST.
        laterality: R, L or B.
        view: DICOM's ViewPosition, such as PA.
        dicomdir: write a DICOMDIR too.
        jobs: processes that write DICOM files side by side; None leaves it to the writer.
    """

    compression: str = "gzip"
    shard_size: int | None = None
    modality: str = "OT"
    body_part: str | None = None
    laterality: str | None = None
    view: str | None = None
    dicomdir: bool = False
    jobs: int | None = None


WRITE_DEFAULTS = WriteOptions()
