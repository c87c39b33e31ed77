"""Writing DICOM: Secondary Capture files, one folder per class. `dicom.py` reads them back.

Where an export keeps what, so that each file explains itself and can be made again:

- class, in plain text: Series Description; as a code: Series Description Code Sequence (scheme 99SYNTHAUG,
  the value a hash of the name, the meaning the name itself). One series per class and patient.
- synthetic or real: Synthetic Data (0008,001C), and Conversion Type SYN or WSD.
- generator: Contributing Equipment with purpose (109100, DCM, "Synthesizing Equipment"); its hash is the
  serial number, and its description says what the memorization gate found.
- for reading back: Image Comments holds one JSON object with label, all class names in order, generator,
  seed and index. Facts about the whole set are in `dataset.json` beside the class folders.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom import ContributingEquipment
from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.valuerep import DA, DT, TM

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.stream import ImageStream, write_facts
from synthaug.augment.writing import PLAINLY, Writing

# The same image gets the same UID on every machine: a name-based UUID under the root 2.25 (PS3.5 B.2).
UID_NAMESPACE = uuid.UUID("9a4bd3bb-6d6f-5b8e-9f0e-3d0f3a2c7a51")
VERSION = version("synthaug")
COMMENT_LIMIT = 10_240  # characters in Image Comments (VR LT)


def write_dicom(stream: ImageStream, folder: Path, writing: Writing = PLAINLY) -> None:
    """Write each image as `<class>/<position>.dcm`, a Secondary Capture of grey 8 or 16 bits or RGB 8 bits.

    UIDs are derived, not drawn: from generator, class, seed and index, or for an image without a generator
    from its pixels and position. Where SOURCE_DATE_EPOCH is set, writing twice gives the same bytes.
    There is one study per generator and one per patient, who appears as a `pseudonym` only. A synthetic
    image that occurs twice has the same UID twice, as it is the same image.

    Args:
        stream: the images, written one at a time.
        folder: made here; must not exist.

    Raises:
        UsageError: colour images of 16 bits, or class names too long to be stored in each file.
        DataError: the stream holds no image.
    """
    channels = stream.image_shape[0]
    if channels == 3 and stream.dtype == np.uint16:
        raise UsageError(
            "colour images of 16 bits: Secondary Capture holds 8, write them with 8 bits or as hdf5"
        )
    if len(json.dumps(stream.class_names)) > COMMENT_LIMIT - 512:
        raise UsageError(
            f"{len(stream.class_names)} class names: too long for DICOM, shorten them or use hdf5"
        )
    folder.mkdir(parents=True)
    class_folders = [folder / name for name in _folder_names(stream.class_names)]
    export = None
    position = 0
    for batch in stream.batches:
        for row in range(len(batch)):
            image = batch.take([row])
            if export is None:
                gate = str(stream.attributes.get("memorization_gate", ""))
                export = _Export(stream.class_names, _moment(), _sha256(image.pixels), gate)
            class_folder = class_folders[int(image.labels[0])]
            class_folder.mkdir(exist_ok=True)
            captured = export.capture(image, position)
            captured.save_as(class_folder / f"{position:06d}.dcm", enforce_file_format=True)
            position += 1
    if position == 0:
        raise DataError("no image to write: expected at least one, check the class and the number asked for")
    write_facts(stream, folder)


@dataclass(frozen=True)
class _Source:
    """Whom an image is of: a generator, or a patient whose name stays behind."""

    synthetic: bool
    patient_id: str
    patient_name: str
    generator: str = ""
    seed: int = 0
    index: int = 0

    @classmethod
    def of(cls, image: LabeledImages) -> "_Source":
        if not image.synthetic[0]:
            return cls(
                False, "" if image.groups is None else pseudonym(str(image.groups[0])), "Anonymous^Patient"
            )
        if image.provenance is None or not image.provenance["generator"][0]:
            return cls(True, "SYNTHETIC", "Synthetic^Image")
        generator, seed, index = image.provenance[0].item()
        short = re.sub(r"\W", "", generator.decode())[:12]
        return cls(True, f"SYNTHETIC-{short}", f"Synthetic^{short}", generator.decode(), seed, index)


@dataclass(frozen=True)
class _Export:
    """What all files of one export share; `fingerprint` keeps real studies of two exports apart."""

    class_names: tuple[str, ...]
    moment: datetime
    fingerprint: str
    gate: str

    def capture(self, image: LabeledImages, position: int) -> SCImage:
        """The Secondary Capture of the one image in `image`, the `position`-th of the export."""
        label = int(image.labels[0])
        class_name = self.class_names[label]
        pixels = np.moveaxis(image.pixels[0], 0, -1)  # (H, W, C)
        source = _Source.of(image)
        study = _uid("study", source.patient_id, source.generator or self.fingerprint)
        instance = (
            _uid("instance", class_name, *astuple(source), pixels.shape, pixels.dtype)
            if source.generator
            else _uid("instance", _sha256(pixels), position)  # real data sets do hold the same image twice
        )
        day, time = self.moment.date(), self.moment.time()
        title = _long_string(class_name) or f"class {label}"
        captured = SCImage(
            pixel_array=pixels[..., 0] if pixels.shape[-1] == 1 else pixels,
            photometric_interpretation="MONOCHROME2" if pixels.shape[-1] == 1 else "RGB",
            bits_allocated=8 * pixels.itemsize,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),  # demanded by highdicom, taken back below: it is not known
            study_instance_uid=study,
            series_instance_uid=_uid("series", study, class_name),
            series_number=label + 1,
            sop_instance_uid=instance,
            instance_number=position + 1,
            manufacturer="synthaug",
            manufacturer_model_name="synthaug",
            software_versions=VERSION,
            patient_id=source.patient_id,
            patient_name=source.patient_name,
            study_id="1",
            study_date=day,
            study_time=time,
            content_date=day,
            content_time=time,
            series_description=title,
            specific_character_set="ISO_IR 192",
            contributing_equipment=[_synthesizer(source.generator, self.gate)] if source.synthetic else None,
        )
        code = hashlib.sha256(class_name.encode()).hexdigest()[:16]
        captured.SeriesDescriptionCodeSequence = [CodedConcept(code, "99SYNTHAUG", title)]
        captured.ImageType = ["DERIVED", "SECONDARY"]
        captured.ConversionType = "SYN" if source.synthetic else "WSD"
        captured.SyntheticData = "YES" if source.synthetic else "NO"
        captured.ImageComments = self._record(label, source)
        captured.PatientOrientation = []
        captured.Laterality = ""
        captured.InstanceCreationDate = captured.DateOfSecondaryCapture = DA(day)
        captured.InstanceCreationTime = captured.TimeOfSecondaryCapture = TM(time)
        captured.TimezoneOffsetFromUTC = "+0000"
        for equipment in captured.ContributingEquipmentSequence:  # highdicom adds itself, at its own time
            equipment.ContributionDateTime = DT(self.moment)
        return captured

    def _record(self, label: int, source: "_Source") -> str:
        record: dict[str, Any] = {"synthaug": 1, "class": self.class_names[label], "label": label}
        record["class_names"] = self.class_names
        if source.generator:
            record |= {"generator": source.generator, "seed": source.seed, "index": source.index}
        return json.dumps(record)


def _synthesizer(generator: str, gate: str) -> ContributingEquipment:
    words = f"Image made by generator {generator or 'unknown'}, not from a patient"
    return ContributingEquipment(
        manufacturer="synthaug",
        purpose_of_reference=codes.DCM.SynthesizingEquipment,
        manufacturer_model_name="synthaug generator",
        software_versions=VERSION,
        device_serial_number=generator or None,
        contribution_description=f"{words}; memorization gate: {gate}"[:1024] if gate else words,
    )


def _moment() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    if not epoch.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}: expected seconds since 1970, set or unset it")
    return datetime.fromtimestamp(int(epoch), UTC)


def _uid(*parts: object) -> str:
    return f"2.25.{uuid.uuid5(UID_NAMESPACE, repr([str(part) for part in parts])).int}"


def _sha256(pixels: npt.NDArray[Any]) -> str:
    header = repr((pixels.shape, str(pixels.dtype))).encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _long_string(text: str) -> str:
    """`text` as a value of VR LO: at most 64 characters, no backslash, no control character."""
    return re.sub(r"[\\\x00-\x1f\x7f]", " ", text).strip()[:64]


def _folder_names(class_names: Sequence[str]) -> list[str]:
    """Class names as folder names, different from each other even where upper and lower case are one."""
    names: list[str] = []
    for label, class_name in enumerate(class_names):
        name = re.sub(r"[^\w.-]+", "_", class_name)[:64].strip("._")
        taken = name.casefold() in {other.casefold() for other in names}
        names.append(f"{name or 'class'}_{label}" if taken or not name else name)
    return names
