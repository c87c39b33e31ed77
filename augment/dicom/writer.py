"""Writing DICOM: Secondary Capture files, one folder per class. `dicom.py` reads them back.

`dicom/image.py` says what stands in a file, `dicom/template.py` makes many quickly, `files/processes.py` with
several processes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from joblib import cpu_count

from synthaug.augment.dicom.codes import refuse_wrong_terms
from synthaug.augment.dicom.directory import FILE_NAME, Entry, file_id, write_dicomdir
from synthaug.augment.dicom.image import Export, Source, can_be_noted, derived_uid, sha256
from synthaug.augment.dicom.template import Template
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.clock import moment_of_writing
from synthaug.augment.files.processes import ProcessPool
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream, write_facts
from synthaug.augment.writing import WriteOptions

PIECE_IMAGES, PIECE_BYTES = 256, 8 << 20  # what a process gets at a time
WORTH_PROCESSES = 50_000  # images: starting one process takes about as long as writing 10,000 of 64×64


def write_dicom(stream: ImageStream, folder: Path, writing: WriteOptions = WriteOptions()) -> None:
    """Write each image as `<class>/<position>.dcm`, a Secondary Capture of grey 8 or 16 bits or RGB 8 bits.

    UIDs are derived, not drawn: from generator, class, seed, index and pixels, and from all else that is said
    of an image (split, class names, the gate's verdict, `writing`), of one without a generator from its study
    and position too. So the same export has the same UIDs, and different images have different ones. Where
    SOURCE_DATE_EPOCH is set, writing twice gives the same bytes, with any number of processes. There is one
    study per generator and one per patient, who appears as a `pseudonym` only, since a study is of one
    patient. A synthetic image that occurs twice has the same UID twice, as it is the same image.

    Args:
        stream: the images; some thousand at a time are in memory.
        folder: made here; must not exist.
        writing: `modality`, `body_part`, `laterality` and `view` go into every file; `jobs` processes, by
            default one per core where that pays. With `dicomdir`, names are as PS3.10 8.2 wants them, such as
            PNEUMONI/00000000 without a suffix, and an index of all is in memory and at the top.

    Raises:
        UsageError: colour images of 16 bits, class names too long to be stored in each file, or terms that
            DICOM does not know.
        DataError: the stream holds no image.
    """
    refuse_wrong_terms(writing)
    channels = stream.image_shape[0]
    if channels == 3 and stream.dtype == np.uint16:
        raise UsageError(
            "colour images of 16 bits: Secondary Capture holds 8, write them with 8 bits or as hdf5"
        )
    if not can_be_noted(stream.class_names):
        raise UsageError(
            f"{len(stream.class_names)} class names: too long for DICOM, shorten them or use hdf5"
        )
    pieces = _pieces(stream)
    first = next(pieces, None)
    if first is None:
        raise DataError("no image to write: expected at least one, check the class and the number asked for")
    gate = str(stream.attributes.get("memorization_gate", ""))
    fingerprint = sha256(np.moveaxis(first.pixels[0], 0, -1))
    export = Export(stream.class_names, moment_of_writing(), fingerprint, gate, replace(writing, jobs=None))
    folder.mkdir(parents=True)
    entries: list[Entry] = []
    with ProcessPool(_Writer(export, folder), _jobs(writing, stream)) as pool:
        for written in pool.run(_Writer.write, _placed(chain([first], pieces))):
            if writing.dicomdir:
                entries += written
    if writing.dicomdir:
        uid = derived_uid("file-set", fingerprint, *(entry.instance for entry in entries))
        write_dicomdir(entries, folder, uid=uid, moment=export.moment, modality=writing.modality)
    write_facts(stream, folder)


class _Writer:
    """Writes images to their files; a copy in each process makes the same bytes."""

    def __init__(self, export: Export, folder: Path) -> None:
        self.export = export
        self.folder = folder
        self.names = _folder_names(export.class_names, export.writing.dicomdir)
        self.templates: dict[tuple[int, bool, str], Template] = {}

    def write(self, start: int, images: LabeledImages) -> list[Entry]:
        """Write `images`, the first of them as the `start`-th of the export."""
        for label in set(images.labels.tolist()):
            (self.folder / self.names[label]).mkdir(exist_ok=True)
        return [self._write(images, row, start + row) for row in range(len(images))]

    def _write(self, images: LabeledImages, row: int, position: int) -> Entry:
        label, source = int(images.labels[row]), Source.of(images, row)
        own = self.export.changing(images, row, source, position)
        kind = (label, source.synthetic, source.generator)
        if kind not in self.templates:
            self.templates[kind] = Template(self.export.capture(label, source, own))
        name = f"{position:08d}" if self.export.writing.dicomdir else f"{position:06d}.dcm"
        (self.folder / self.names[label] / name).write_bytes(self.templates[kind].file(own))
        return Entry(
            file=(self.names[label], name),
            patient_id=own.PatientID,
            patient_name=source.patient_name,
            study=own.StudyInstanceUID,
            series=own.SeriesInstanceUID,
            series_number=label + 1,
            instance=own.SOPInstanceUID,
            instance_number=own.InstanceNumber,
        )


def _pieces(stream: ImageStream) -> Iterator[LabeledImages]:
    bytes_each = int(np.prod(stream.image_shape)) * stream.dtype.itemsize
    for batch in stream.batches:
        yield from batch.batches(max(1, min(PIECE_IMAGES, PIECE_BYTES // bytes_each)))


def _placed(pieces: Iterator[LabeledImages]) -> Iterator[tuple[int, LabeledImages]]:
    """Each piece after the position of its first image."""
    position = 0
    for piece in pieces:
        yield position, piece
        position += len(piece)


def _jobs(writing: WriteOptions, stream: ImageStream) -> int:
    if writing.jobs is not None:
        return writing.jobs
    return cpu_count() if stream.total >= WORTH_PROCESSES else 1  # cores that this process may use


def _folder_names(class_names: Sequence[str], as_file_ids: bool) -> list[str]:
    """Class names as folder names, different from each other even where upper and lower case are one."""
    names: list[str] = []
    for label, class_name in enumerate(class_names):
        if as_file_ids:
            names.append(file_id(class_name, [*names, FILE_NAME]))
            continue
        name = re.sub(r"[^\w.-]+", "_", class_name)[:64].strip("._")
        taken = name.casefold() in {other.casefold() for other in names}
        names.append(f"{name or 'class'}_{label}" if taken or not name else name)
    return names
