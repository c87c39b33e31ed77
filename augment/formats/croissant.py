"""Croissant: a description of a data set that other tools read (MLCommons, JSON-LD, version 1.0).

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synthaug.augment.files.clock import moment_of_writing
from synthaug.augment.files.table import LABELS
from synthaug.augment.formats.contents import Contents

# The context of version 1.0, word for word as the specification gives it (its section "JSON-LD context").
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
PICTURES = "pictures"  # the set of picture files
MEDIA_TYPES = {
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".npz": "application/x-npz",
    ".png": "image/png",
    ".dcm": "application/dicom",
    ".csv": "text/csv",
    ".json": "application/json",
}
TABLE_FIELDS = {
    "label": ("sc:Text", "class of the image"),
    "patient_id": ("sc:Text", "pseudonym of the patient, empty where unknown"),
    "split": ("sc:Text", "train, val or test, empty where the set is not divided"),
    "synthetic": ("sc:Integer", "1 where a generator made the image, 0 where it is real"),
}


def croissant(contents: Contents, name: str, place: Path, files: Sequence[Path], pictures: str = "") -> str:
    """JSON-LD that describes a data set.

    Args:
        contents: counted while the set was written.
        name: of the file or folder.
        place: the folder that the description will stand in, to which its file names are relative.
        files: those to be described one by one, with their checksums.
        pictures: suffix, which may be left out, of those that are too many for that, in class folders; ""
            where there are none.
    """
    real, made = contents.number(made=False), contents.number(made=True)
    records = [_classes(contents)]
    if (place / LABELS) in files:
        records.append(_images())
    described: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"{real:,} real and {made:,} synthetic labelled medical images. Not for diagnosis; "
        "synthetic images belong in training sets only.",
        "license": contents.licence or "not stated",
        "version": "1.0.0",
        "datePublished": moment_of_writing().date().isoformat(),
        "creator": {"@type": "sc:Organization", "name": f"synthaug {version('synthaug')}"},
        "keywords": ["medical imaging", contents.kind],
        "citeAs": f"{name}, written by synthaug {version('synthaug')}",
        "rai:dataLimitations": contents.fact("memorization_gate") or "no memorization gate",
        "distribution": [_file_object(path, place) for path in files] + _file_sets(pictures, place),
        "recordSet": records,
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _file_object(path: Path, place: Path) -> dict[str, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": quote(path.relative_to(place).as_posix()),
        "name": path.name,
        "contentUrl": quote(path.relative_to(place).as_posix()),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"),
        "sha256": digest,
    }


def _file_sets(suffix: str, place: Path) -> list[dict[str, str]]:
    if not suffix:
        return []
    named = any(place.rglob(f"*{suffix}"))  # a DICOMDIR wants names without a suffix
    return [
        {
            "@type": "cr:FileSet",
            "@id": PICTURES,
            "name": PICTURES,
            "encodingFormat": MEDIA_TYPES[suffix],
            "includes": f"*{suffix}" if named else "*/*",
        }
    ]


def _classes(contents: Contents) -> dict[str, Any]:
    """The classes in their order with their counts: a table that is part of the description."""
    kinds = {"label": "sc:Integer", "name": "sc:Text", "real": "sc:Integer", "synthetic": "sc:Integer"}
    rows = [
        {
            "classes/label": label,
            "classes/name": name,
            "classes/real": contents.number(label, made=False),
            "classes/synthetic": contents.number(label, made=True),
        }
        for label, name in enumerate(contents.stream.class_names)
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "Classes in the order of their labels, and how many images each has.",
        "key": {"@id": "classes/label"},
        "field": [
            {"@type": "cr:Field", "@id": f"classes/{name}", "name": name, "dataType": kind}
            for name, kind in kinds.items()
        ],
        "data": rows,
    }


def _images() -> dict[str, Any]:
    """One record per picture: its pixels by its file, joined to its row of labels.csv."""
    file = {
        "fileSet": {"@id": PICTURES},
        "extract": {"fileProperty": "fullpath"},
        "transform": {"regex": "^(.+)$"},  # as text: mlcroissant's own paths are equal to no column's value
    }
    pixels = {"fileSet": {"@id": PICTURES}, "extract": {"fileProperty": "content"}}
    fields = [
        {
            "@type": "cr:Field",
            "@id": "images/path",
            "name": "path",
            "dataType": "sc:Text",
            "source": file,
            "references": {"fileObject": {"@id": LABELS}, "extract": {"column": "file"}},
        },
        {
            "@type": "cr:Field",
            "@id": "images/image",
            "name": "image",
            "dataType": "sc:ImageObject",
            "source": pixels,
        },
    ]
    for name, (kind, description) in TABLE_FIELDS.items():
        source = {"fileObject": {"@id": LABELS}, "extract": {"column": name}}
        fields.append(
            {
                "@type": "cr:Field",
                "@id": f"images/{name}",
                "name": name,
                "description": description,
                "dataType": kind,
                "source": source,
            }
        )
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "Every picture with its class and origin.",
        "field": fields,
    }
