"""How files become images, where they leave that open: one record for every format."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FITS = ("crop", "pad")


@dataclass(frozen=True)
class ReadOptions:
    """What is asked of the images beyond what their files say; None leaves it to the files.

    Attributes:
        size: side in pixels.
        channels: 1 (grey) or 3 (RGB).
        bits: 8 or 16 per pixel. None keeps what the files have, except that DICOM is shown with 8.
        fit: how images that are not square become so: "crop" to the central square, "pad" with black. None
            crops where squares are needed, for a size or a format; else images that share a shape keep it.
        window: (center, width) of the grey levels shown, in the modality's unit (Hounsfield units for CT).
        label_from: what tells the class: a DICOM keyword, a CSV file's column, an HDF5 file's array.
        group_from: likewise for the patient or source; DICOM's is PatientID.
        images_from: the HDF5 file's array of images; the CSV file's column of their files.
        skip_bad: leave files that cannot be read out, with a warning that names and counts them, instead of
            stopping at the first.

    Raises:
        UsageError: a value that none of this can be.
    """

    size: int | None = None
    channels: int | None = None
    bits: int | None = None
    fit: str | None = None
    window: tuple[float, float] | None = None
    label_from: str | None = None
    group_from: str | None = None
    images_from: str | None = None
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise UsageError(f"{self.channels} channels: expected 1 (grey) or 3 (RGB)")
        if self.bits not in (None, 8, 16):
            raise UsageError(f"--bits {self.bits}: expected 8 or 16")
        if self.fit not in (None, *FITS):
            raise UsageError(f"--fit {self.fit}: expected {' or '.join(FITS)}")
        if self.window is not None and not (all(map(isfinite, self.window)) and self.window[1] > 0):
            said = f"--window {self.window[0]:g},{self.window[1]:g}"
            raise UsageError(f"{said}: expected two numbers, the second (the width) above 0")

    @property
    def fitting(self) -> str:
        """How an image becomes square where it must."""
        return self.fit or "crop"

    def only(self, heeded: Collection[str]) -> "ReadOptions":
        """What is asked of these fields; the files decide on the others."""
        return ReadOptions(**{f.name: getattr(self, f.name) for f in fields(self) if f.name in heeded})

    def said(self) -> dict[str, Any]:
        """What differs from the defaults, in plain values, for a configuration file."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "ReadOptions":
        """What `said` gave, back from a configuration file."""
        window = said.get("window")
        return cls(**{**said, "window": window and (float(window[0]), float(window[1]))})


READ_DEFAULTS = ReadOptions()
EVERYWHERE = ("size", "channels", "bits", "fit")  # what can be asked of the images of any format


def refuse_unheeded(asked: "DataclassInstance", heeded: Collection[str], what: str) -> None:
    """Stop where something is asked for that a format does not have: it would be passed over in silence.

    Args:
        asked: a record whose fields are named as the flags, all with defaults.
        heeded: the fields that the format heeds.
        what: the file or format, in words.

    Raises:
        UsageError: another field is not at its default.
    """
    said = [f.name for f in fields(asked) if getattr(asked, f.name) != f.default and f.name not in heeded]
    if said:
        raise UsageError(f"{as_flags(said)}: {what} has no such thing, leave it out")


def as_flags(names: Iterable[str]) -> str:
    """Fields as they are said on the command line: label_from is --label-from."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)
