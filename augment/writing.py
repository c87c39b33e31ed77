"""How images become files, where the format leaves a choice: one record for every format."""

from dataclasses import dataclass
from functools import partial

from synthaug.augment.options import option, refuse_out_of_bounds

_of_files = partial(option, panel="How files are written")


@dataclass(frozen=True)
class WriteOptions:
    """What is asked of the files; a format heeds some of it (`formats.Format.writing`).

    A field is an option of every command that writes: its type, help text and bounds are spelled here only.

    Attributes:
        compression: of HDF5: gzip, zstd, blosc2 or none. gzip needs no plug-in to be read.
        shard_size: images per file; HDF5 is then an index of shards beside it. None: one file.
        modality: DICOM's Modality, such as CR, CT or OT (other), which is what a class says nothing about.
        body_part: DICOM's BodyPartExamined, such as CHEST.
        laterality: R, L or B.
        view: DICOM's ViewPosition, such as PA.
        dicomdir: write a DICOMDIR too.
        jobs: processes that write DICOM files in parallel; None leaves it to the writer.

    Raises:
        UsageError: a number out of its bounds.
    """

    compression: str = _of_files("gzip", "Of HDF5: gzip, zstd, blosc2 or none.")
    shard_size: int | None = _of_files(None, "Images per HDF5 file; the target is then an index.", low=1)
    modality: str = _of_files("OT", "DICOM's Modality.")
    body_part: str | None = _of_files(None, "DICOM's BodyPartExamined, such as CHEST.")
    laterality: str | None = _of_files(None, "DICOM's Laterality: R, L or B.")
    view: str | None = _of_files(None, "DICOM's ViewPosition, such as PA.")
    dicomdir: bool = _of_files(False, "Write a DICOMDIR too.")
    jobs: int | None = _of_files(
        None, "Processes that write DICOM files; one, or one per core from 50,000 images.", low=1
    )

    def __post_init__(self) -> None:
        refuse_out_of_bounds(self)
