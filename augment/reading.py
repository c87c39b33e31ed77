"""What is asked of a data set that is read: one record for every name, path and format."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from synthaug.augment.errors import UsageError
from synthaug.augment.options import changed, option, refuse_out_of_bounds

# How pixels are read. 1: grey is the mean of the channels, or of pictures the green one; levels of 16 bits
# are those declared; padding keeps its level. 2: grey is luma, levels are those in use, padding is black.
RULES = 2
FITS = ("crop", "pad")
DATA_VARIABLE = "SYNTHAUG_DATA"
EVERYWHERE = ("root", "split_seed", "size", "channels", "bits", "fit", "rules")  # what any format heeds
NAMING = ("label_from", "group_from", "split_from", "images_from")  # columns, arrays and attributes
TABLES = ("images_root", "path_prefix", "label_separator", "task", "negative", "uncertain")  # of CSV files
UNCERTAIN = ("ignore", "positive", "negative")
OWN_KEYS = ("root", "split_seed", "size", "channels", "rules")  # not in the table of `as_config`


def parse_window(text: str) -> tuple[float, float]:
    """ "40,400" -> (40.0, 400.0); brackets of a list are allowed.

    Raises:
        UsageError: these are not two numbers.
    """
    try:
        center, width = (float(part) for part in text.strip("[]()").split(","))
    except ValueError:
        raise UsageError(f"--window {text}: expected CENTER,WIDTH, such as 40,400") from None
    return center, width


OF_FILES = "How files are read"
_of_files = partial(option, panel=OF_FILES)


@dataclass(frozen=True)
class ReadOptions:
    """What is asked of a data set beyond what its files say; None leaves it to the files.

    A field is an option of every command that reads: its type, help text and bounds are spelled here only.

    Attributes:
        root: folder that data sets are looked for in and downloaded to. None: $SYNTHAUG_DATA, else the
            user's data folder.
        split_seed: of the train/val/test split, where it is drawn here; recorded splits do not depend on it.
        size: side in pixels.
        channels: 1 (grey) or 3 (RGB).
        bits: 8 or 16 per pixel. None keeps what the files have, except that DICOM is shown with 8.
        levels: bits of the grey levels that are in use in images of 16 bits: 8, 10, 12, 14 or 16. None takes
            as few as the highest level of the data set needs. White becomes white.
        fit: how images that are not square become so: "crop" to the central square, "pad" with black. None
            crops where squares are needed, for a size or a format; else images that share a shape keep it.
        window: (center, width) of the grey levels shown, in the modality's unit (Hounsfield units for CT).
        label_from: what gives the class: a DICOM keyword, a CSV file's column, an HDF5 file's array.
        group_from: likewise for the patient or source; DICOM's is PatientID. Of pictures, also a regular
            expression with a group in brackets, which finds the patient in each file's path.
        split_from: a CSV file's column or an HDF5 file's array that says train, val or test.
        images_from: the HDF5 file's array of images; the CSV file's column of their files.
        table: CSV file that names the pictures of a folder and their classes.
        images_root: folder that a CSV file's pictures are looked for in; its own by default.
        path_prefix: what a CSV file's paths have in front that is no folder here.
        label_separator: what parts the findings of a CSV file's cell.
        task: of several findings an image: normal-abnormal, or a finding against the rest.
        negative: the finding that says that there is none, such as "No Finding"; with a finding as the task,
            the only images it is told from.
        uncertain: what becomes of findings that are uncertain (-1): ignore (the image is left out where it
            depends on them), positive or negative. Irvin et al. 2019 compare these policies.
        trust_layout: take a folder as it lies: masks are images, and every folder is a class, even one alone.
        max_pixels: of a picture; larger ones are refused, as they may be made to fill the memory. None is
            Pillow's limit, 178,956,970.
        skip_bad: leave files that cannot be read out, with a warning that names and counts them, instead of
            stopping at the first.
        rules: version of how pixels are read, `RULES`; generators remember images by those of their time.

    Raises:
        UsageError: a value that none of this can be.
    """

    root: Path | None = option(
        None, "Where data sets are, and are downloaded to.", flag="--data-root", envvar=DATA_VARIABLE
    )
    split_seed: int = option(0, "Of the train/val/test split, where it is drawn here.", low=0, high=2**31)
    size: int | None = option(None, "Side in pixels; the data set's own by default.", low=4, high=1024)
    channels: int | None = option(None, "1 grey or 3 RGB; the data set's own by default.")
    bits: int | None = _of_files(None, "8 or 16 per pixel; as stored by default, DICOM is shown with 8.")
    levels: int | None = _of_files(None, "Bits in use of images of 16: 8 to 16; found out by default.")
    fit: str | None = _of_files(None, "How images become square: crop (default) or pad.")
    window: tuple[float, float] | None = _of_files(
        None, "CENTER,WIDTH of DICOM's grey levels, such as 40,400.", parse=parse_window
    )
    label_from: str | None = _of_files(
        None, "What gives the class: a DICOM keyword, a CSV column, an HDF5 array."
    )
    group_from: str | None = _of_files(
        None, "Likewise for the patient, or a pattern: '(person[0-9]+)_' of file names."
    )
    split_from: str | None = _of_files(None, "CSV column or HDF5 array that says train, val or test.")
    images_from: str | None = _of_files(None, "HDF5 array or CSV column of the images.")
    table: Path | None = option(
        None, "CSV file that names a folder's pictures and their classes.", panel=OF_FILES
    )
    images_root: Path | None = option(
        None, "Folder of a CSV file's pictures; its own by default.", panel=OF_FILES
    )
    path_prefix: str | None = _of_files(None, "What a CSV file's paths have in front that is not here.")
    label_separator: str | None = _of_files(None, "What parts the findings of a CSV file's cell.")
    task: str | None = _of_files(None, "Of several findings: normal-abnormal, or one against the rest.")
    negative: str | None = _of_files(None, "The finding that says that there is none.")
    uncertain: str = _of_files("ignore", "Findings of -1: ignore, positive or negative.")
    trust_layout: bool = _of_files(False, "Take a folder as it lies, however unlikely its classes are.")
    max_pixels: int | None = _of_files(None, "Pixels of the largest picture that is read.", low=1)
    skip_bad: bool = _of_files(False, "Leave unreadable files out, and say which.")

    rules: int = option(RULES, "Version of how pixels are read.", low=1, high=RULES, hidden=True)

    def __post_init__(self) -> None:
        refuse_out_of_bounds(self)
        if self.channels not in (None, 1, 3):
            raise UsageError(f"{self.channels} channels: expected 1 (grey) or 3 (RGB)")
        if self.bits not in (None, 8, 16):
            raise UsageError(f"--bits {self.bits}: expected 8 or 16")
        if self.levels not in (None, 8, 10, 12, 14, 16):
            raise UsageError(f"--levels {self.levels}: expected 8, 10, 12, 14 or 16")
        if self.uncertain not in UNCERTAIN:
            raise UsageError(f"--uncertain {self.uncertain}: expected {', '.join(UNCERTAIN)}")
        if self.fit not in (None, *FITS):
            raise UsageError(f"--fit {self.fit}: expected {' or '.join(FITS)}")
        if self.window is not None and not (all(map(isfinite, self.window)) and self.window[1] > 0):
            window = f"--window {self.window[0]:g},{self.window[1]:g}"
            raise UsageError(f"{window}: expected two numbers, the second (the width) above 0")

    @property
    def data_root(self) -> Path:
        """The folder of data sets, as asked, else $SYNTHAUG_DATA, else the user's data folder."""
        import os

        from platformdirs import user_data_path

        if self.root is not None:
            return self.root
        return Path(os.environ.get(DATA_VARIABLE) or user_data_path("synthaug"))

    @property
    def fitting(self) -> str:
        """How an image becomes square where it must."""
        return self.fit or "crop"

    def only(self, heeded: Collection[str]) -> "ReadOptions":
        """What is asked of these fields; the files decide on the others."""
        return ReadOptions(**{f.name: getattr(self, f.name) for f in fields(self) if f.name in heeded})

    def as_config(self) -> dict[str, Any]:
        """The table `reading` of a configuration file: what is not at its default, in plain values.

        `OWN_KEYS` are not in it: a configuration has a key of its own for them.
        """
        values = {name: value for name, value in changed(self).items() if name not in OWN_KEYS}
        plain = {
            name: str(value.absolute()) if isinstance(value, Path) else value
            for name, value in values.items()
        }
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_config(cls, table: Mapping[str, Any], **own: Any) -> "ReadOptions":
        """The options that `as_config` gave the table of, and those of `OWN_KEYS`."""
        values = dict(table) | {name: Path(table[name]) for name in ("table", "images_root") if name in table}
        if window := table.get("window"):
            values["window"] = (float(window[0]), float(window[1]))
        return cls(**{**values, **own})


@dataclass(frozen=True)
class DataSource:
    """Where a data set was read from.

    Attributes:
        spec: its name or path.
        options: what was asked of it.
    """

    spec: str
    options: ReadOptions
