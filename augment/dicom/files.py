"""The DICOM files below a folder, each looked at before any pixel is decoded; the bad ones set aside."""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from synthaug.augment.dicom.keywords import names_patient, text_of
from synthaug.augment.dicom.labels import About, about, has_split_folders, labels_csv
from synthaug.augment.errors import DataError, SynthaugError
from synthaug.augment.files.decode import NAMED, warn_of_bad
from synthaug.augment.files.table import Table
from synthaug.augment.files.walk import files_below, is_picture, unreadable
from synthaug.augment.progress import progress_bar
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
MOST_DEFLATED = 1032  # times smaller can deflate make zeros
PLUG_INS = "pip install 'synthaug[dicom]'"
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class DicomImage:
    """A file whose pixels are still to be decoded.

    Attributes:
        shape: (H, W) of a frame.
        channels: 1, or 3 for RGB, YCbCr and palettes.
        bits: per pixel when nothing else is asked: 8, or 16 where `write_dicom` wrote 16.
        burned_in: the file says that text is burned into its pixels (PS3.3 C.7.6.1, Burned In Annotation).
    """

    path: Path
    about: About
    frames: int
    shape: tuple[int, int]
    channels: int
    bits: int
    burned_in: bool


@dataclass
class BadFiles:
    """Files that cannot be read: the first stops the run, or all are left out and one warning names them."""

    skip: bool
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, path: Path, reason: str) -> None:
        """Note one, and why.

        Raises:
            DataError: it is not to be skipped.
        """
        if not self.skip:
            found = f"{path}: expected a whole DICOM image with a label, found {reason}"
            raise DataError(f"{found}: mend or remove it, or add --skip-bad")
        self.reasons[str(path)] = reason

    def warn(self, folder: Path, total: int) -> None:
        """One warning, which counts them and names the first ten; nothing where there are none."""
        warn_of_bad(folder, self.reasons, total)


def dicom_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """(DICOM, others): files below `folder`, by suffix or first bytes, as many have no suffix.

    A file that cannot be opened may be DICOM, so it counts as such.
    """
    found: tuple[list[Path], list[Path]] = ([], [])
    for path in files_below(folder):
        may_be = not is_picture(path) and (bool(unreadable(path)) or claims_dicom(path))
        found[0 if may_be else 1].append(path)
    return sorted(found[0]), found[1]


def claims_dicom(path: Path) -> bool:
    """Whether a file that can be opened is DICOM, as far as its name or first bytes say."""
    if path.name.upper() == "DICOMDIR" or is_picture(path) or unreadable(path):
        return False
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:] == b"DICM" or _is_data_set(start)


def _is_data_set(start: bytes) -> bool:
    """Whether a file begins with a DICOM data set, without the preamble that makes it a file (PS3.10 7.1)."""
    group, element = start[0:2], int.from_bytes(start[2:4], "little")
    explicit = group in (b"\x02\0", b"\x08\0") and start[4:6] in (b"UL", b"UI", b"OB", b"CS", b"DA", b"TM")
    implicit = group == b"\x08\0" and element < 0x100 and start[5:8] == b"\0\0\0" and 0 < start[4] < 65
    return explicit or implicit


def look_at(
    paths: Sequence[Path], folder: Path, reading: ReadOptions, bad: BadFiles, table: Table | None = None
) -> list[DicomImage]:
    """What the files' headers say of their images, in the files' order, without the bad ones."""
    files = {path: path.relative_to(folder).as_posix() for path in paths}
    table = labels_csv(folder) if table is None else table
    divided = has_split_folders(files.values())

    def look(path: Path) -> DicomImage:
        dataset = dcmread(path, stop_before_pixels=True)
        known = about(dataset, files[path], reading, table, divided)
        if not known.ours and names_patient(known.class_name, dataset):
            raise DataError(  # in which neither the class nor the file may be named
                f"{folder}: found a class named as its patient (PatientID or PatientName), expected one that "
                "names nobody: rename the folder, say --label-from KEYWORD, or name classes in labels.csv"
            )
        return _image(path, dataset, known)

    images = [image for _, image in sound(look, paths, paths, bad, "look at")]
    if not any(image.about.split for image in images):
        return images
    for image in images:  # of a divided set, everything real must be in a part
        if not image.about.split and not image.about.synthetic:
            bad.add(image.path, "no split, where other files have one")
    kept = [image for image in images if image.about.split or image.about.synthetic]
    return [replace(image, about=replace(image.about, split=image.about.split or "train")) for image in kept]


def sound(
    work: Callable[[Item], Result], items: Sequence[Item], paths: Sequence[Path], bad: BadFiles, what: str
) -> list[tuple[int, Result]]:
    """(number, result) of each item for which `work` succeeds, in threads; the others' files are bad."""

    def attempt(item: Item) -> tuple[list[Result], str]:
        try:
            return [work(item)], ""
        except SynthaugError:  # not the file's fault
            raise
        except Exception as error:  # a damaged file fails anywhere inside the decoders, with any exception
            return [], _reason(error)

    results: list[tuple[int, Result]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool, progress_bar(what, len(items)) as advance:
        for k, (result, reason) in enumerate(pool.map(attempt, items)):
            if reason:
                bad.add(paths[k], reason)
            results.extend((k, one) for one in result)
            advance(1)
    return results


def warn_of_text(images: Sequence[DicomImage], folder: Path) -> None:
    """One warning of the files that say there is text in their pixels: it would be exported with them."""
    found = [image.path.relative_to(folder).as_posix() for image in images if image.burned_in]
    if found:
        more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        log.warning(
            "%s: %d of %d files have Burned In Annotation YES (%s%s): text in pixels is not removed, and may "
            "name patients: look at them before anything is passed on",
            *(folder, len(found), len(images), ", ".join(found[:NAMED]), more),
        )


def has_plug_ins() -> bool:
    """Whether the extra's decoders are installed."""
    return find_spec("libjpeg") is not None and find_spec("openjpeg") is not None


def _image(path: Path, dataset: Dataset, known: About) -> DicomImage:
    if not dataset.get("Rows") or not dataset.get("Columns"):
        kind = UID(dataset.get("SOPClassUID") or "").name or "unknown"
        raise ValueError(f"no image (SOP class {kind})")
    if dataset.SamplesPerPixel not in (1, 3):
        raise ValueError(f"{dataset.SamplesPerPixel} samples per pixel")
    if dataset.get("HighBit", dataset.BitsStored - 1) != dataset.BitsStored - 1:
        raise ValueError(
            f"HighBit {dataset.HighBit} with BitsStored {dataset.BitsStored}, expected one less (PS3.5 8.1.1)"
        )
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise ValueError("no transfer syntax")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise DataError(f"{path}: compressed by {syntax.name}, which needs a plug-in: {PLUG_INS}")
    frames, most = int(dataset.get("NumberOfFrames") or 1), _most_frames(path, dataset)
    if not 1 <= frames <= most:
        raise ValueError(f"{frames} frames where its size has room for {most}")
    coloured = dataset.SamplesPerPixel == 3 or dataset.PhotometricInterpretation == "PALETTE COLOR"
    return DicomImage(
        path=path,
        about=known,
        frames=frames,
        shape=(int(dataset.Rows), int(dataset.Columns)),
        channels=3 if coloured else 1,
        bits=16 if known.ours and dataset.BitsAllocated == 16 else 8,
        burned_in=text_of(dataset, "BurnedInAnnotation").upper() == "YES",
    )


def _most_frames(path: Path, dataset: Dataset) -> int:
    """An upper bound, so that a wrong number does not claim terabytes; other damage is found in decoding."""
    syntax, size = UID(dataset.file_meta.TransferSyntaxUID), path.stat().st_size
    if syntax.is_compressed:  # each frame is a fragment at least, which begins with eight bytes (PS3.5 A.4)
        return max(1, size // 8)
    if syntax.is_deflated:
        size *= MOST_DEFLATED
    bits: int = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    # YBR_FULL_422 stores two thirds of that. One frame is let through: how much it lacks is said later.
    return max(1, size * 8 * 3 // (bits * 2))


def _reason(error: Exception) -> str:
    """What a decoder says, in one line."""
    if isinstance(error, OSError) and error.strerror:  # its text holds the path
        return error.strerror
    if isinstance(error, InvalidDicomError):
        return "no DICOM file: the letters DICM do not stand at byte 128 (PS3.10 7.1)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = "; ".join(lines)[:300]
    if "plugins" in said and not has_plug_ins():
        return f"{said} ({PLUG_INS} may read it)"
    return said
