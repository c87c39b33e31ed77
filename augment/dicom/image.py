"""The attributes of one DICOM image: a Secondary Capture by highdicom (PS3.3 A.8).

Where an image keeps what, so that each file explains itself and can be made again:

- class: Acquisition Context Sequence (0040,0555) with two items of the concept Finding, a code and the name
  as text; the same in Series Description and its code sequence. One series per class and patient.
- synthetic or real: Synthetic Data (0008,001C), and Conversion Type SYN or WSD.
- generator: Contributing Equipment with purpose (109100, DCM, "Synthesizing Equipment"); its hash is the
  serial number, and its description says what the memorization gate found.
- for reading back: Image Comments holds one JSON object with label, all class names in order, split,
  generator, seed and index.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom import ContributingEquipment
from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.valuerep import DA, DT, TM

from synthaug.augment.dicom.codes import (
    concept_of,
    findings,
    is_paired,
    long_string,
    private_schemes,
    region_of,
)
from synthaug.augment.images import LabeledImages
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.writing import WriteOptions

# The same image gets the same UID on every machine: a name-based UUID under the root 2.25 (PS3.5 B.2).
UID_NAMESPACE = uuid.UUID("9a4bd3bb-6d6f-5b8e-9f0e-3d0f3a2c7a51")
VERSION = version("synthaug")
COMMENT_LIMIT = 10_240  # characters in Image Comments (VR LT)


@dataclass(frozen=True)
class Source:
    """Whom an image is of: a generator, or a patient whose name stays behind."""

    synthetic: bool
    patient_id: str
    patient_name: str
    generator: str = ""
    seed: int = 0
    index: int = 0

    @classmethod
    def of(cls, images: LabeledImages, row: int) -> "Source":
        """The source of image `row`."""
        if not images.synthetic[row]:
            identifier = "" if images.groups is None else pseudonym(str(images.groups[row]))
            return cls(False, identifier, "Anonymous^Patient")
        if images.provenance is None or not images.provenance["generator"][row]:
            return cls(True, "SYNTHETIC", "Synthetic^Image")
        generator, seed, index = images.provenance[row].item()
        short = re.sub(r"\W", "", generator.decode())[:12]
        return cls(True, f"SYNTHETIC-{short}", f"Synthetic^{short}", generator.decode(), seed, index)


@dataclass(frozen=True)
class Changing:
    """What differs between two images of one class and origin; field names are DICOM's keywords."""

    SOPInstanceUID: str
    PatientID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    InstanceNumber: int
    ImageComments: str
    PixelData: npt.NDArray[Any]  # (H, W, C)


@dataclass(frozen=True)
class Export:
    """What all files of one export share; `fingerprint` keeps real studies of two exports apart."""

    class_names: tuple[str, ...]
    moment: datetime
    fingerprint: str
    gate: str = ""
    writing: WriteOptions = WriteOptions()

    def changing(self, images: LabeledImages, row: int, source: Source, position: int) -> Changing:
        """What is image `row`'s own; it is the `position`-th of the export."""
        label = int(images.labels[row])
        class_name = self.class_names[label]
        pixels = np.ascontiguousarray(np.moveaxis(images.pixels[row], 0, -1))
        # A patient's images are one study; so are all that one generator makes.
        study = derived_uid("study", source.patient_id, source.generator or self.fingerprint)
        note: dict[str, Any] = {"synthaug": 1, "class": class_name, "label": label}
        note["class_names"] = self.class_names
        if images.split is not None:
            note["split"] = str(images.split[row])
        if source.generator:
            note |= {"generator": source.generator, "seed": source.seed, "index": source.index}
        comments = json.dumps(note)
        described = [getattr(self.writing, name) for name in ("modality", "body_part", "laterality", "view")]
        series = derived_uid("series", study, class_name, *described)
        # Images that differ in anything but number and dates are two instances, and have two UIDs.
        own = [series, sha256(pixels), comments, self.gate if source.synthetic else ""]
        if not source.generator:  # real data sets do hold the same image twice
            own.append(str(position))
        return Changing(
            SOPInstanceUID=derived_uid("instance", *own),
            PatientID=source.patient_id,
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            InstanceNumber=position + 1,
            ImageComments=comments,
            PixelData=pixels,
        )

    def capture(self, label: int, source: Source, own: Changing) -> SCImage:
        """The Secondary Capture of one image."""
        class_name = self.class_names[label]
        pixels = own.PixelData
        day, time = self.moment.date(), self.moment.time()
        title = long_string(class_name) or f"class {label}"
        captured = SCImage(
            pixel_array=pixels[..., 0] if pixels.shape[-1] == 1 else pixels,
            photometric_interpretation="MONOCHROME2" if pixels.shape[-1] == 1 else "RGB",
            bits_allocated=8 * pixels.itemsize,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),  # demanded by highdicom, taken back below: it is not known
            study_instance_uid=own.StudyInstanceUID,
            series_instance_uid=own.SeriesInstanceUID,
            series_number=label + 1,
            sop_instance_uid=own.SOPInstanceUID,
            instance_number=own.InstanceNumber,
            manufacturer="synthaug",
            manufacturer_model_name="synthaug",
            software_versions=VERSION,
            patient_id=own.PatientID,
            patient_name=source.patient_name,
            study_id="1",
            study_date=day,
            study_time=time,
            content_date=day,
            content_time=time,
            series_description=title,
            specific_character_set="ISO_IR 192",
            coding_schemes=private_schemes(class_name),
            contributing_equipment=[_synthesizer(source.generator, self.gate)] if source.synthetic else None,
        )
        captured.SeriesDescriptionCodeSequence = [concept_of(class_name)]
        captured.AcquisitionContextSequence = findings(class_name)
        captured.ImageType = ["DERIVED", "SECONDARY"]
        captured.ConversionType = "SYN" if source.synthetic else "WSD"
        captured.SyntheticData = "YES" if source.synthetic else "NO"
        captured.ImageComments = own.ImageComments
        captured.PatientOrientation = []
        captured.InstanceCreationDate = captured.DateOfSecondaryCapture = DA(day)
        captured.InstanceCreationTime = captured.TimeOfSecondaryCapture = TM(time)
        captured.TimezoneOffsetFromUTC = "+0000"
        for equipment in captured.ContributingEquipmentSequence:  # highdicom adds itself, at its own time
            equipment.ContributionDateTime = DT(self.moment)
        _describe(captured, self.writing)
        if not source.synthetic:
            _say_that_identity_is_removed(captured)
        return captured


def _describe(captured: SCImage, writing: WriteOptions) -> None:
    """What the user says of all images; what is not said stays unknown."""
    captured.Modality = writing.modality
    if writing.body_part is not None:
        captured.BodyPartExamined = writing.body_part
        captured.AnatomicRegionSequence = [region_of(writing.body_part)]
    # PS3.3 C.7.3.1: Laterality stands where a paired part is examined, or nobody knows, not beside the other
    if writing.laterality is not None:
        captured.ImageLaterality = writing.laterality
    elif writing.body_part is None or is_paired(writing.body_part):
        captured.Laterality = ""
    if writing.view is not None:
        captured.ViewPosition = writing.view


def _say_that_identity_is_removed(captured: SCImage) -> None:
    """Nothing but pixels came from the original, which is more than the profile asks (PS3.15 E.2)."""
    profile = codes.DCM.BasicApplicationConfidentialityProfile
    captured.PatientIdentityRemoved = "YES"
    captured.DeidentificationMethod = "New file of the pixels alone; patient ID hashed, UIDs derived"
    captured.DeidentificationMethodCodeSequence = [CodedConcept.from_code(profile)]


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


def can_be_noted(class_names: Sequence[str]) -> bool:
    """Whether Image Comments (VR LT) hold all class names, an image's own, and the rest of a note."""
    longest = max((len(json.dumps(name)) for name in class_names), default=0)
    return len(json.dumps(class_names)) + longest <= COMMENT_LIMIT - 512


def derived_uid(*parts: object) -> str:
    """A UID under 2.25 that depends on `parts` alone (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(UID_NAMESPACE, repr([str(part) for part in parts])).int}"


def sha256(pixels: npt.NDArray[Any]) -> str:
    """Of the values, their shape and type."""
    header = repr((pixels.shape, str(pixels.dtype))).encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()
