"""Images and exports of them that several tests of DICOM share."""

from pathlib import Path

import numpy as np

from synthaug.augment.dicom.writer import write_dicom
from synthaug.augment.images import PROVENANCE, LabeledImages, concatenate
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

CLASSES = ("normal", "a/b \\ Lungenentzündung")
GENERATOR = "0123456789abcdef" * 4
PATIENTS = ("MRN-4711-Smith", "MRN-4712-Jones")
KINDS = {"grey 8": {}, "grey 16": {"dtype": np.uint16}, "rgb 8": {"channels": 3}}
DESCRIBED = WriteOptions(modality="DX", body_part="CHEST", laterality="B", view="PA")


def images(n: int, *, channels: int = 1, dtype: type = np.uint8, synthetic: bool = False) -> LabeledImages:
    draw = np.random.default_rng(n + channels)
    pixels = draw.integers(0, np.iinfo(dtype).max, (n, channels, 9, 7), dtype=dtype)  # odd: needs padding
    labels = np.arange(n) % 2
    if not synthetic:
        return LabeledImages(pixels, labels, CLASSES, groups=np.array([PATIENTS[k % 2] for k in range(n)]))
    origins = np.array([(GENERATOR.encode(), 7, k // 2) for k in range(n)], PROVENANCE)
    return LabeledImages(pixels, labels, CLASSES, synthetic=np.ones(n, dtype=bool), provenance=origins)


def blend(**kind: object) -> LabeledImages:
    real, made = images(5, **kind), images(4, synthetic=True, **kind)  # type: ignore[arg-type]
    return concatenate([real, made]).take([8, 0, 1, 5, 2, 6, 3, 7, 4])


def export(what: LabeledImages, folder: Path, writing: WriteOptions = WriteOptions()) -> list[Path]:
    """The files written, in the order of their names."""
    write_dicom(ImageStream.of(what), folder, writing)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in (".dcm", ""))
