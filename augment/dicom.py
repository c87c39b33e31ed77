"""DICOM, both directions: reading here, writing in `dicom_writer.py`, which says what is kept where."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from synthaug.augment.dicom_writer import write_dicom
from synthaug.augment.errors import DataError
from synthaug.augment.images import PROVENANCE, LabeledImages, Pixels
from synthaug.augment.labels import class_order
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.reading import AS_STORED, Reading

__all__ = ["holds_dicom", "read_dicom", "write_dicom"]


def read_dicom(folder: Path, reading: Reading = AS_STORED) -> LabeledImages:
    """Read every DICOM file under `folder`.

    Files from `write_dicom` give back their pixels, labels, class names, order, synthetic flags and
    provenance. Other files are labelled by the sub-folder of `folder` they lie in and shown as a
    viewer would: modality and VOI LUT applied, MONOCHROME1 inverted, 8 bits, colour as RGB. Without a
    window, grey of more than 8 bits is scaled from its own minimum to its maximum.

    Args:
        folder: searched with its sub-folders; files that are not DICOM are passed over.
        reading: `size` crops the centre square and resizes with anti-aliasing; without it images that share
            one shape keep it, others get the shortest side found.

    Returns:
        Images whose groups are pseudonyms of Patient ID (or, in foreign files without one, of Study
        Instance UID), "synthetic" for synthetic images, None where no real image has any.

    Raises:
        DataError: no DICOM file; a file that is truncated, not an image, multi-frame or outside a class
            folder; exports with different classes side by side.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _claims_dicom(path))
    if not paths:
        raise DataError(
            f"{folder}: no DICOM file found, expected <class>/<name>.dcm, check the folder's name"
        )
    size = reading.size
    files = [_read_file(path, folder, size) for path in paths]
    files.sort(
        key=lambda file: file.position
    )  # stable: foreign files, all at 0, stay in order of their paths
    class_names = _class_names(files, folder)
    synthetic = np.array([file.synthetic for file in files])
    origins = [(file.generator, file.seed, file.index) for file in files]
    return LabeledImages(
        pixels=_stack([file.pixels for file in files], size),
        labels=np.array([class_names.index(file.class_name) for file in files], dtype=np.int64),
        class_names=class_names,
        synthetic=synthetic,
        groups=_groups(files),
        provenance=np.array(origins, PROVENANCE) if any(file.generator for file in files) else None,
    )


@dataclass(frozen=True)
class _File:
    """One image as it was read; the lower half is empty in files that `write_dicom` did not make."""

    pixels: Pixels  # (H, W, C)
    class_name: str
    synthetic: bool
    patient: str  # a pseudonym, or "" where unknown
    all_classes: tuple[str, ...] = ()
    generator: bytes = b""
    seed: int = 0
    index: int = 0
    position: int = 0


def holds_dicom(folder: Path) -> bool:
    """Whether any file under `folder` is DICOM, as far as its name or first bytes say."""
    return any(path.is_file() and _claims_dicom(path) for path in folder.rglob("*"))


def _claims_dicom(path: Path) -> bool:
    """By its suffix or by its first bytes; DICOM files often have no suffix at all."""
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _read_file(path: Path, folder: Path, size: int | None) -> _File:
    # pydicom warns of each small deviation (a date with dots, padding); what is needed here is checked below.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        try:
            dataset = dcmread(path)
            record = _record(dataset)
            pixels = pixel_array(dataset) if record else _as_displayed(dataset)
        except Exception as error:  # a damaged file fails anywhere inside the decoders, with any exception
            detail = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"{path}: expected a whole DICOM image ({detail}), copy it again or remove it"
            ) from error
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3):
        raise DataError(
            f"{path}: pixels of shape {pixels.shape}, expected one grey or colour frame, split the file"
        )
    if size is not None:
        pixels = _fit(pixels, size)
    synthetic = dataset.get("SyntheticData") == "YES"
    identifier = str(dataset.get("PatientID") or ("" if record else dataset.get("StudyInstanceUID") or ""))
    patient = pseudonym(identifier) if identifier and not synthetic else ""
    if record is None:
        parts = path.relative_to(folder).parts
        if len(parts) < 2:
            raise DataError(f"{path}: not in a class folder, expected <class>/{path.name}, move it into one")
        return _File(pixels, parts[0], synthetic, patient)
    position = int(dataset.get("InstanceNumber") or 0)
    return _File(pixels, synthetic=synthetic, patient=patient, position=position, **record)


def _record(dataset: Dataset) -> dict[str, Any] | None:
    """What `write_dicom` noted in Image Comments, as fields of `_File`; None in any other file."""
    comments = str(dataset.get("ImageComments", ""))
    if not comments.startswith('{"synthaug":'):
        return None
    note = json.loads(comments)
    names = tuple(str(name) for name in note["class_names"])
    label = int(note["label"])
    if not 0 <= label < len(names):
        raise ValueError(f"label {label} among {len(names)} classes")
    return {
        "class_name": names[label],
        "all_classes": names,
        "generator": str(note.get("generator", "")).encode("ascii"),
        "seed": int(note.get("seed", 0)),
        "index": int(note.get("index", 0)),
    }


def _as_displayed(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """The pixels as a viewer shows them: (H, W) or (H, W, 3), 8 bits, black 0."""
    photometric = dataset.PhotometricInterpretation
    values: npt.NDArray[Any] = pixel_array(dataset)  # YCbCr comes as RGB already
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        return _scaled(values, 0, np.iinfo(values.dtype).max)
    if values.shape[-1:] == (3,) and dataset.SamplesPerPixel == 3:
        return _scaled(values, 0, 2**dataset.BitsStored - 1)
    values = apply_modality_lut(values, dataset)
    if values.dtype == np.uint8:
        low, high = 0.0, 2.0**dataset.BitsStored - 1
    else:
        low, high = float(values.min()), float(values.max())
    # A window's or VOI LUT's range shows when it is passed two extremes; without, they come back as sent.
    extremes = np.array([-(2**30), 2**30])
    with np.errstate(over="ignore"):  # a sigmoid window at the extremes
        ends = apply_voi_lut(extremes, dataset)
    if not np.array_equal(ends, extremes):
        low, high = float(ends[0]), float(ends[1])
        values = apply_voi_lut(np.rint(values).astype(np.int64), dataset)
    shown = _scaled(values, low, high)
    return 255 - shown if photometric == "MONOCHROME1" else shown


def _scaled(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return values
    span = (high - low) or 1.0
    unit: npt.NDArray[np.float64] = np.clip((values - low) / span, 0.0, 1.0)
    return np.rint(unit * 255).astype(np.uint8)


def _fit(pixels: Pixels, size: int) -> Pixels:
    """The centre square of `pixels` (H, W, C), resized to (size, size, C) with anti-aliasing."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    if side == size:
        return square
    resized = np.empty((size, size, square.shape[-1]), np.float32)
    for channel in range(square.shape[-1]):
        plane = Image.fromarray(square[..., channel].astype(np.float32))
        resized[..., channel] = np.asarray(plane.resize((size, size), Image.Resampling.BICUBIC))
    whole = np.clip(np.rint(resized), 0, np.iinfo(pixels.dtype).max)
    return whole.astype(np.uint8) if pixels.dtype == np.uint8 else whole.astype(np.uint16)


def _stack(images: Sequence[Pixels], size: int | None) -> Pixels:
    """(N, C, H, W) of one shape and depth: the shortest side, colour if any is, 8 bits if any has 8."""
    if size is None and len({image.shape[:2] for image in images}) > 1:
        shortest = min(min(image.shape[:2]) for image in images)
        images = [_fit(image, shortest) for image in images]
    if len({image.dtype for image in images}) > 1:
        images = [image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8) for image in images]
    channels = max(image.shape[-1] for image in images)
    images = [image if image.shape[-1] == channels else image.repeat(channels, axis=-1) for image in images]
    return np.ascontiguousarray(np.moveaxis(np.stack(images), -1, 1))


def _class_names(files: Sequence[_File], folder: Path) -> tuple[str, ...]:
    """The exports' own classes in their order, then the class folders; of two, the normal one first."""
    noted = {file.all_classes for file in files if file.all_classes}
    if len(noted) > 1:
        raise DataError(
            f"{folder}: exports with classes {sorted(noted)}, expected one list, read them one by one"
        )
    first = noted.pop() if noted else ()
    return (*first, *class_order({file.class_name for file in files} - set(first)))


def _groups(files: Sequence[_File]) -> npt.NDArray[np.str_] | None:
    """A name per patient; real images without one share a name, so that no split can part them."""
    if not any(file.patient for file in files):
        return None
    unknown = pseudonym("")
    return np.array(["synthetic" if file.synthetic else file.patient or unknown for file in files])
