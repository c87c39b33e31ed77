"""Which attributes of a DICOM file may tell its class or its patient (`--label-from`, `--group-from`)."""

import re

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions

BINARY = {"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"}
# A class name is printed and written everywhere, so it must not be what tells one person from another. These
# rules go beyond PS3.15 Table E.1-1 except for descriptions of the study and series, which do name classes.
PERSONAL_VRS = {"PN", "DA", "DT", "TM", "UI", "LT", "ST", "UT", "UR", "AE"}  # names, times, UIDs, free text
PERSONAL_GROUPS = {
    0x0010,
    0x0012,
    0x0032,
    0x0038,
    0x0040,
    0x4008,
}  # patient, trial, request, visit, step, report
PERSONAL_WORDS = re.compile(
    r"IDs?$|IDIssuer|^Issuer|Institution|Station|SerialNumber|Accession|Telephone|Address|Author|^GPS"
)
HARMLESS = {
    *(
        "PatientSex",
        "PatientSexNeutered",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "PatientBodyMassIndex",
    ),
    *("PatientSpeciesDescription", "PatientBreedDescription", "AnatomicalOrientationType"),
    *("EthnicGroup", "SmokingStatus", "PregnancyStatus", "OrganExposed"),
}


def check_keywords(reading: ReadOptions) -> None:
    """Stop where a label or group is asked of an attribute that is none, is no text, or names a person.

    Raises:
        UsageError: so.
    """
    for flag, keyword in (("--label-from", reading.label_from), ("--group-from", reading.group_from)):
        if keyword is None:
            continue
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise UsageError(
                f"{flag} {keyword}: no DICOM keyword, expected one such as BodyPartExamined or Modality"
            )
        kind = dictionary_VR(tag)
        if BINARY & set(kind.split(" or ")):
            raise UsageError(
                f"{flag} {keyword}: of VR {kind}, expected an attribute that is text or a number"
            )
        if flag == "--label-from" and _is_personal(keyword, tag, kind):
            raise UsageError(f"{flag} {keyword}: tells one person from another, expected what tells classes")


def text_of(dataset: Dataset, keyword: str) -> str:
    """An attribute's value in one line; "" where it is absent or empty."""
    value = dataset.get(keyword)
    values = value if isinstance(value, MultiValue) else [value]
    return " ".join("\\".join("" if part is None else str(part) for part in values).split())


def names_patient(class_name: str, dataset: Dataset) -> bool:
    """Whether a class has the letters and digits of the file's Patient ID or Name, words in any order.

    Two of them or fewer are chance: of many numbered patients, one is 1.
    """
    asked = _spellings(class_name)
    names = (text_of(dataset, keyword) for keyword in ("PatientID", "PatientName"))
    return any(len(word) > 2 for name in names for word in asked & _spellings(name))


def _is_personal(keyword: str, tag: int, kind: str) -> bool:
    if keyword in HARMLESS:
        return False
    return kind in PERSONAL_VRS or tag >> 16 in PERSONAL_GROUPS or PERSONAL_WORDS.search(keyword) is not None


def _spellings(name: str) -> set[str]:
    words = re.findall(r"[^\W_]+", name.casefold())
    return {"".join(words), "".join(sorted(words))}
