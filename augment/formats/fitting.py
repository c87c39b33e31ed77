"""What a format cannot hold: made to fit before it is written, and named in one warning each."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from synthaug.augment.dicom.image import can_be_noted
from synthaug.augment.stream import ImageStream
from synthaug.augment.transforms import with_bits

log = logging.getLogger("synthaug")

Fit = Callable[[ImageStream], tuple[ImageStream, str]]  # what is written, and what was lost; "" for nothing
LONGEST = 64  # characters that a class name keeps where all together are too many


def fitted(stream: ImageStream, fits: Iterable[Fit], path: Path) -> ImageStream:
    """The stream as a format holds it; each loss is one line to the log."""
    for fit in fits:
        stream, lost = fit(stream)
        if lost:
            log.warning("%s: %s", path, lost)
    return stream


def colour_in_8_bits(stream: ImageStream) -> tuple[ImageStream, str]:
    """PNG files of class folders and Secondary Capture hold colour of 8 bits."""
    if stream.image_shape[0] != 3 or stream.dtype != np.uint16:
        return stream, ""
    batches = (with_bits(batch, 8) for batch in stream.batches)
    return (
        replace(stream, batches=batches, dtype=np.dtype(np.uint8)),
        "holds colour of 8 bits, written with the upper 8 of 16: take hdf5 or npz to keep all",
    )


def grey_of_16_bits(stream: ImageStream) -> tuple[ImageStream, str]:
    """Class folders hold it, but not every reader of theirs."""
    if stream.image_shape[0] != 1 or stream.dtype != np.uint16:
        return stream, ""
    return stream, "16 bits are white in torchvision's ImageFolder by default: load as its README says"


def names_that_folders_keep(stream: ImageStream) -> tuple[ImageStream, str]:
    """labels.csv is read without the space around a name, and one that is empty is no name."""
    names = _distinct([name.strip() or "_" for name in stream.class_names])
    return _renamed(stream, names, "class names cannot be empty or begin or end with a space")


def names_that_dicom_keeps(stream: ImageStream) -> tuple[ImageStream, str]:
    """Every file notes all class names; those that are too long even when cut are refused by the writer."""
    if can_be_noted(stream.class_names):
        return stream, ""
    names = _distinct([name[:LONGEST] for name in stream.class_names])
    if not can_be_noted(names):
        return stream, ""
    return _renamed(stream, names, f"class names are too long for DICOM, cut to {LONGEST} letters")


def _renamed(stream: ImageStream, names: list[str], why: str) -> tuple[ImageStream, str]:
    renamed = [(old, new) for old, new in zip(stream.class_names, names, strict=True) if old != new]
    if not renamed:
        return stream, ""
    old, new = renamed[0]
    batches = (replace(batch, class_names=tuple(names)) for batch in stream.batches)
    return (
        replace(stream, batches=batches, class_names=tuple(names)),
        f"{why}: {len(renamed)} of {len(names)} renamed, such as {old[:LONGEST]!r} to {new!r}",
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """The names; one that is there already gets its number behind it."""
    found: list[str] = []
    for label, name in enumerate(names):
        while name in found:
            name += f"_{label}"
        found.append(name)
    return found


FOR_FOLDERS: tuple[Fit, ...] = (colour_in_8_bits, grey_of_16_bits, names_that_folders_keep)
FOR_DICOM: tuple[Fit, ...] = (colour_in_8_bits, names_that_dicom_keeps)
