"""DICOM's words: the code of a class, and the terms that may be asked for in an image's attributes."""

import difflib
import hashlib
import re
from functools import cache
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodeContentItem, CodedConcept, TextContentItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from synthaug.augment.errors import UsageError
from synthaug.augment.writing import WriteOptions

PRIVATE_SCHEME = "99SYNTHAUG"  # for classes without a code of SNOMED CT; PS3.16 8.2 keeps 99... for such
FINDING = Code("121071", "DCM", "Finding")

# SNOMED CT's codes of classes that the usual data sets have. Add one only where it means the same everywhere.
FINDINGS = {
    "normal": codes.SCT.Normal,
    "abnormal": codes.SCT.Abnormal,
    "pneumonia": Code("233604007", "SCT", "Pneumonia"),
    "pneumothorax": codes.SCT.Pneumothorax,
    "effusion": codes.SCT.Effusion,
    "pleural effusion": codes.SCT.PleuralEffusion,
    "cardiomegaly": codes.SCT.Cardiomegaly,
    "edema": codes.SCT.Edema,
    "fibrosis": codes.SCT.Fibrosis,
    "mass": codes.SCT.Mass,
    "nodule": codes.SCT.Nodule,
    "benign": codes.SCT.Benign,
    "malignant": codes.SCT.Malignant,
    "melanoma": codes.SCT.MalignantMelanoma,
    "actinic keratosis": codes.SCT.ActinicKeratosis,
    "adenocarcinoma": codes.SCT.Adenocarcinoma,
    "large cell carcinoma": codes.SCT.LargeCellCarcinoma,
    "squamous cell carcinoma": codes.SCT.SquamousCellCarcinoma,
}


def concept_of(class_name: str) -> CodedConcept:
    """The class as a code: SNOMED CT's where it has one, else ours, a hash of the name."""
    known = FINDINGS.get(re.sub(r"[\W_]+", " ", class_name).strip().casefold())
    if known is not None:
        return CodedConcept.from_code(known)
    value = hashlib.sha256(class_name.encode()).hexdigest()[:16]
    return CodedConcept(value, PRIVATE_SCHEME, long_string(class_name) or "class without a name")


def findings(class_name: str) -> list[Any]:
    """The class as two Content Items (PS3.3 10.2) named Finding: a code, and the data set's own word."""
    return [
        CodeContentItem(FINDING, concept_of(class_name)),
        TextContentItem(FINDING, class_name or "unnamed"),
    ]


def private_schemes(class_name: str) -> list[CodingSchemeIdentificationItem] | None:
    """What Coding Scheme Identification (PS3.3 C.12.1.1.1) says of our own scheme, where a class needs it."""
    if concept_of(class_name).scheme_designator != PRIVATE_SCHEME:
        return None
    name = "synthaug: class names of data sets; a value is the start of the name's SHA-256"
    item = CodingSchemeIdentificationItem(PRIVATE_SCHEME, name=name, responsible_organization="synthaug")
    return [item]


def region_of(body_part: str) -> CodedConcept:
    """The code of a term of PS3.16 Annex L, for Anatomic Region Sequence (0008,2218)."""
    return _regions()[body_part][0]


def is_paired(body_part: str) -> bool:
    """Whether there are a left and a right one, as PS3.16 Annex L says."""
    return _regions()[body_part][1]


def refuse_wrong_terms(writing: WriteOptions) -> None:
    """Stop at a value that its attribute cannot have.

    Modality must be a term of PS3.3 C.7.3.1.1.1 (as PS3.16 CID 33 lists them), the body part one of PS3.16
    Annex L, laterality R, L or B (PS3.3 C.7.6.1), the view any Code String: PS3.3 C.8.1.3 names some (AP, PA,
    LL, RL, ...) and C.8.11.5 leaves them open.

    Raises:
        UsageError: another value.
    """
    modalities = {code.value for code in codes.cid33.concepts.values()}
    if writing.modality not in modalities:
        raise UsageError(
            f"--modality {writing.modality}: expected a term of DICOM, such as CR, DX, CT, MR or OT (other)"
        )
    if writing.body_part is not None and writing.body_part not in _regions():
        near = difflib.get_close_matches(writing.body_part.upper(), _regions(), n=3) or ["CHEST", "BREAST"]
        found = f"--body-part {writing.body_part}"
        raise UsageError(f"{found}: expected a term of DICOM PS3.16 Annex L, such as {', '.join(near)}")
    if writing.laterality not in (None, "R", "L", "B"):
        raise UsageError(f"--laterality {writing.laterality}: expected R (right), L (left) or B (both)")
    if writing.view is not None and not re.fullmatch(r"[A-Z0-9_][A-Z0-9_ ]{0,15}", writing.view):
        raise UsageError(f"--view {writing.view}: expected up to 16 capitals or digits, such as AP, PA or LL")


@cache
def _regions() -> dict[str, tuple[CodedConcept, bool]]:
    """Annex L as highdicom keeps it; asked for by few, so that a change there stops only those."""
    from highdicom._standard_utils import get_anatomic_region_map

    regions: dict[str, tuple[CodedConcept, bool]] = get_anatomic_region_map()
    return regions


def long_string(text: str) -> str:
    """`text` as a value of VR LO: at most 64 characters, no backslash, no control character."""
    return re.sub(r"[\\\x00-\x1f\x7f]", " ", text).strip()[:64]
