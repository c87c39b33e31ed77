"""DICOM files as other programs write them, and those that come with pydicom."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from synthaug.augment.dicom import read_dicom
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions

PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"


def foreign(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    """A file of grey pixels (H, W), or of frames (N, H, W)."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, int(pixels.dtype.kind == "i")
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def item(**attributes: object) -> Dataset:
    """An item of a sequence."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def shown(
    folder: Path, pixels: np.ndarray, reading: ReadOptions | None = None, **attributes: object
) -> np.ndarray:
    """What a foreign file's pixels become: (H, W), or (N, H, W) of frames."""
    foreign(folder / "c" / "a.dcm", pixels, **attributes)
    back = read_dicom(folder, reading or ReadOptions()).pixels[:, 0]
    return back if pixels.ndim == 3 else back[0]


def packaged(name: str, folder: Path, reading: ReadOptions | None = None) -> LabeledImages:
    """One of pydicom's test files, read."""
    if not (PACKAGED / name).exists():
        pytest.skip(f"pydicom comes without {name}")
    (folder / "c").mkdir(parents=True)
    shutil.copy(PACKAGED / name, folder / "c")
    return read_dicom(folder, reading or ReadOptions())
