"""Reading DICOM; `writer.py` says what our own files keep where."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from pydicom import Dataset
from pydicom import __version__ as pydicom_version

from synthaug.augment.dicom.files import (
    BadFiles,
    DicomImage,
    claims_dicom,
    dicom_files,
    has_plug_ins,
    look_at,
    sound,
    warn_of_text,
)
from synthaug.augment.dicom.keywords import check_keywords
from synthaug.augment.dicom.labels import classes, groups
from synthaug.augment.dicom.pixels import displayed, fitted, in_depth, stored_frames
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.cache import Arrays, cache_folder, cached_arrays
from synthaug.augment.files.table import Table
from synthaug.augment.files.walk import files_below, passed_over, say_passed_over
from synthaug.augment.grey import luma, mean
from synthaug.augment.images import PROVENANCE, LabeledImages, Pixels
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
VERSION = 2  # of how pixels are shown: another one does not take what the cache has


def read_dicom(
    folder: Path, reading: ReadOptions = ReadOptions(), table: Table | None = None
) -> LabeledImages:
    """Read every DICOM file under `folder`; each frame is an image.

    Files from `write_dicom` give back their pixels, labels, class names, order, synthetic flags, provenance
    and split. Other files are shown as a viewer would (`pixels.displayed`) with 8 bits, or where asked
    for with 16, finer steps of the same range. They are labelled by an attribute, by labels.csv or by the
    sub-folder of `folder` they lie in; train/ and test/ folders above are the split.

    Args:
        folder: searched with its sub-folders; files that are not DICOM are passed over.
        reading: `size` and `fit` make squares; without a size, images that share one shape keep it, others
            become squares of the shortest side found. `label_from` and `group_from` are DICOM keywords.

        table: rows by file, as `labels_csv` gives them, of the only files to read; None: all, by labels.csv.

    Returns:
        Images in the order of Instance Number (ours) and path, pixels memory-mapped from the cache. Groups
        are Patient ID (or, in foreign files without one, Study Instance UID) as the files have it, to stay in
        memory: `write_images` writes pseudonyms. Where no real image has any, files of several frames make
        each file a group, else there are none. "synthetic" for synthetic images.

    Raises:
        DataError: no DICOM file; one that is damaged, no image or without a label (with `skip_bad`: all are);
            no plug-in for its compression; exports with different classes side by side; a class named as
            its patient; `group_from` in no real file.
        UsageError: `label_from` or `group_from` is no keyword that can be used so; a `window` where no image
            is grey.
    """
    check_keywords(reading)
    if folder.is_file():
        raise DataError(f"{folder}: a single file, expected the folder that its class folder lies in")
    paths, others = dicom_files(folder)
    if table is not None:
        paths = [path for path in paths if path.relative_to(folder).as_posix() in table]
    if not paths:
        raise DataError(
            f"{folder}: no DICOM file found, expected <class>/<name>.dcm, check the folder's name"
        )
    bad = BadFiles(reading.skip_bad)
    with warnings.catch_warnings():
        # pydicom warns of each small deviation (a date with dots, padding); what is needed here is checked.
        warnings.filterwarnings("ignore", category=UserWarning)
        images = look_at(paths, folder, reading, bad, table)
        if reading.window is not None and images and all(image.channels == 3 for image in images):
            raise UsageError(f"--window: no image of {folder} is grey, leave it out")
        images.sort(key=lambda image: image.about.position)  # stable: foreign ones, at 0, stay as they are
        images, pixels = _pixels(images, reading, bad)
    if not images:
        path, reason = next(iter(bad.reasons.items()))
        raise DataError(
            f"{folder}: all {len(paths)} DICOM files are bad, the first is {path}: found {reason}"
        )
    labelled = replace(
        _labelled(images, pixels, folder, reading),
        passed_over=passed_over(others, "DICOM"),
        by_rules=not all(image.about.ours for image in images),
    )
    say_passed_over(folder, labelled.passed_over, log.warning)
    bad.warn(folder, len(paths))
    warn_of_text(images, folder)
    _warn_of_shrinking(images, pixels, reading, folder)
    return labelled


def holds_dicom(folder: Path) -> bool:
    """Whether any file under `folder` is DICOM, as far as its name or first bytes say."""
    return any(claims_dicom(path) for path in files_below(folder))


@dataclass(frozen=True)
class _Target:
    """What every frame becomes."""

    height: int
    width: int
    channels: int
    dtype: str
    fit: str
    window: tuple[float, float] | None
    rules: int


def _pixels(
    images: Sequence[DicomImage], reading: ReadOptions, bad: BadFiles
) -> tuple[list[DicomImage], Pixels]:
    """The images that can be decoded, and the pixels (N, C, H, W) of all their frames, from the cache."""
    if not images:
        return [], np.zeros((0, 1, 1, 1), np.uint8)
    target = _target(images, reading)
    key = ("dicom", VERSION, pydicom_version, has_plug_ins(), target)
    paths = [image.path for image in images]
    found = cached_arrays(paths, key, lambda: _decoded(images, target, bad))
    reasons = found["reasons"].tolist()
    for path, reason in zip(paths, reasons, strict=True):
        if reason:
            bad.add(path, reason)
    kept = [image for image, reason in zip(images, reasons, strict=True) if not reason]
    if kept and _target(kept, reading) != target:  # bad files do not decide what the others become
        return _pixels(kept, reading, bad)
    return kept, found["pixels"][: sum(image.frames for image in kept)].transpose(0, 3, 1, 2)


def _target(images: Sequence[DicomImage], reading: ReadOptions) -> _Target:
    shapes = {image.shape for image in images}
    height, width = next(iter(shapes))
    if reading.size is not None:
        height = width = reading.size
    elif len(shapes) > 1:
        height = width = min(min(shape) if reading.fitting == "crop" else max(shape) for shape in shapes)
    return _Target(
        height=height,
        width=width,
        channels=reading.channels or max(image.channels for image in images),
        dtype=f"uint{reading.bits or min(image.bits for image in images)}",
        fit=reading.fitting,
        window=reading.window,
        rules=reading.rules,
    )


def _decoded(images: Sequence[DicomImage], target: _Target, bad: BadFiles) -> Arrays:
    """All frames (N, H, W, C) on disk, never whole in memory, and why a file has none ("")."""
    starts = np.cumsum([0, *(image.frames for image in images)])
    cache_folder().mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=cache_folder()) as scratch:
        shape = (int(starts[-1]), target.height, target.width, target.channels)
        rows = np.memmap(scratch, target.dtype, "w+", shape=shape)

    def decode(k: int) -> None:
        frames = _frames(images[k], target)
        for row, frame in zip(range(starts[k], starts[k + 1]), frames, strict=True):
            rows[row] = frame

    here = BadFiles(bad.skip)
    good = [k for k, _ in sound(decode, range(len(images)), [image.path for image in images], here, "decode")]
    kept = [row for k in good for row in range(starts[k], starts[k + 1])]
    for new, old in enumerate(kept):  # the rows of bad files go to the end, which is cut off
        if new != old:
            rows[new] = rows[old]
    return {
        "pixels": rows[: len(kept)],
        "reasons": np.array([here.reasons.get(str(image.path), "") for image in images]),
    }


def _frames(image: DicomImage, target: _Target) -> Iterator[Pixels]:
    """(H, W, C) each."""
    attributes = Dataset()
    for k, values in enumerate(stored_frames(image.path, attributes)):
        if not image.about.ours or target.window is not None:
            values = displayed(values, attributes, k, target.window, target.rules)
        values = values[..., np.newaxis] if values.ndim == 2 else values
        pixels = in_depth(fitted(values, target.height, target.width, target.fit), target.dtype)
        if pixels.shape[-1] > target.channels:
            pixels = luma(pixels, -1) if target.rules > 1 else mean(pixels, -1)
        yield pixels  # grey is repeated to RGB where it is put


def _warn_of_shrinking(
    images: Sequence[DicomImage], pixels: Pixels, reading: ReadOptions, folder: Path
) -> None:
    """One warning where images became smaller because others are, which nobody asked for."""
    larger = [image for image in images if min(image.shape) > pixels.shape[2]]
    if reading.size is None and larger:
        log.warning(
            "%s: images of different shapes: %d of %d files made smaller, to %d×%d as the "
            "smallest: ask for another side with --size",
            *(folder, len(larger), len(images), *pixels.shape[2:]),
        )


def _labelled(
    images: Sequence[DicomImage], pixels: Pixels, folder: Path, reading: ReadOptions
) -> LabeledImages:
    files = [image.about for image in images]
    frames = [image.frames for image in images]
    labels, names = classes(files, folder)
    origins = np.array([(file.generator, file.seed, file.index) for file in files], PROVENANCE)
    paths = [image.path.relative_to(folder).as_posix() for image in images]
    patients = groups(files, paths, frames, reading.group_from)
    return LabeledImages(
        pixels=pixels,
        labels=np.repeat(labels, frames),
        class_names=names,
        synthetic=np.repeat(np.array([file.synthetic for file in files]), frames),
        groups=None if patients is None else np.repeat(patients, frames),
        provenance=np.repeat(origins, frames) if any(file.generator for file in files) else None,
        split=np.repeat(np.array([file.split for file in files]), frames) if files[0].split else None,
    )
