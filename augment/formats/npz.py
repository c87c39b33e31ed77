"""MedMNIST's .npz layout: {train,val,test}_images (N, H, W[, 3]) and _labels (N, 1). Writing: `npz_writer`.

Our own files add {train,val,test}_{synthetic,generator,seed,index,groups}, class_names, attributes (the facts
of the set as JSON), and divided where the set has a split, if only train is filled.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.files.columns import key_of
from synthaug.augment.formats.npz_writer import write_npz
from synthaug.augment.images import PARTS, PROVENANCE, LabeledImages, Splits, concatenate
from synthaug.augment.labels import normal_first
from synthaug.augment.levels import as_used, from_numbers
from synthaug.augment.reading import ReadOptions
from synthaug.augment.splits import official_splits
from synthaug.augment.stream import Attributes, plain_facts

__all__ = ["load_npz", "read_npz", "read_npz_attributes", "write_npz"]

Arrays = dict[str, npt.NDArray[Any]]
KINDS = {"images": ("x", ("image", "img", "imgs")), "labels": ("y", ("label", "target", "targets"))}
ORIGIN = ("generator", "seed", "index")  # of each part, where `write_npz` made the file


def load_npz(path: Path, name: str, class_names: tuple[str, ...] | None = None) -> Splits:
    """The three splits of a MedMNIST file.

    Multi-label files (ChestMNIST) become normal, the all-zero label vector, versus abnormal; one-hot labels,
    one in each row, are refused.

    Args:
        class_names: by label; the file's own where it has them, else "0", "1", ...

    Raises:
        DataError: the file is missing, truncated, of another layout, or has an empty split.
    """
    arrays = _read_arrays(path)
    empty = [part for part in PARTS if not len(arrays[f"{part}_images"])]
    if empty:
        raise DataError(f"{path}: {', '.join(empty)} empty, expected images in train, val and test")
    train, val, test = (_labelled(path, arrays, part, class_names) for part in PARTS)
    return official_splits(train, val, test, name).map(normal_first)


def read_npz(path: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """All images of a MedMNIST file: train, val and test, with their split where more than train is there.

    Raises:
        DataError: the file is missing, truncated, of another layout, or has no image.
    """
    arrays = _read_arrays(path)
    found = [part for part in PARTS if len(arrays[f"{part}_images"])]
    if not found:
        raise DataError(f"{path}: found no image in it, expected at least one")
    images = concatenate([_labelled(path, arrays, part, None) for part in found])
    if not _is_ours(arrays):
        images = as_used(path, images, reading)
    if found == ["train"] and "divided" not in arrays:
        return images
    sizes = [len(arrays[f"{part}_images"]) for part in found]
    return replace(images, split=np.repeat(found, sizes))


def _is_ours(arrays: Arrays) -> bool:
    return "attributes" in arrays or "train_synthetic" in arrays


def read_npz_attributes(path: Path) -> Attributes:
    """The facts about the whole set that `write_npz` wrote; nothing in a file of MedMNIST's own."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return plain_facts(json.loads(str(file["attributes"]))) if "attributes" in file.files else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def _labelled(path: Path, arrays: Arrays, part: str, class_names: tuple[str, ...] | None) -> LabeledImages:
    raw, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    if raw.ndim not in (3, 4) or (raw.ndim == 4 and not {raw.shape[1], raw.shape[3]} & {1, 3}):
        raise DataError(f"{path}: {part}_images of shape {raw.shape}, expected (N, H, W) or (N, H, W, 3)")
    if raw.ndim == 4 and raw.shape[3] not in (1, 3):  # channels first
        raw = raw.transpose(0, 2, 3, 1)
    if raw.dtype.kind in "fi":
        raw = from_numbers(f"{path}: {part}_images", raw)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels, class_names = labels.astype(bool).max(axis=1), ("normal", "abnormal")
    try:
        return LabeledImages(
            pixels=raw[:, None] if raw.ndim == 3 else raw.transpose(0, 3, 1, 2),
            labels=labels.reshape(-1).astype(np.int64),
            class_names=_class_names(arrays) if class_names is None else class_names,
            synthetic=_synthetic(arrays, part),
            groups=arrays.get(f"{part}_groups"),
            provenance=_provenance(arrays, part),
        )
    except (DataError, ValueError) as error:  # columns of unequal lengths
        raise DataError(f"{path}: {part} has {error}") from None


def _synthetic(arrays: Arrays, part: str) -> npt.NDArray[np.bool_]:
    """Which images of a part are marked as synthetic, or name a generator."""
    nothing = np.zeros(len(arrays[f"{part}_images"]), "S64")
    made = arrays.get(f"{part}_synthetic", nothing.astype(bool))
    makers = arrays.get(f"{part}_generator", nothing)
    if made.dtype.kind not in "biu" or makers.dtype.kind not in "SU":
        raise DataError(
            f"synthetic of type {made.dtype} and generator of {makers.dtype}, expected 0 and 1, and text"
        )
    return made.astype(bool) | (np.char.str_len(makers) > 0)


def _provenance(arrays: Arrays, part: str) -> npt.NDArray[np.void] | None:
    """Where synthetic images came from; None where the file does not say, or none of the part is."""
    columns = [arrays.get(f"{part}_{name}") for name in ORIGIN]
    if any(column is None for column in columns) or not _synthetic(arrays, part).any():
        return None
    origin = np.zeros(len(arrays[f"{part}_{ORIGIN[0]}"]), PROVENANCE)
    for name in ORIGIN:
        origin[name] = arrays[f"{part}_{name}"]
    return origin


def _class_names(arrays: Arrays) -> tuple[str, ...]:
    """The file's own, else the numbers up to the highest label of any split."""
    if "class_names" in arrays:
        return tuple(str(name) for name in arrays["class_names"])
    labels = [arrays[f"{part}_labels"] for part in PARTS]
    return tuple(str(k) for k in range(1 + max(int(part.max()) for part in labels if part.size)))


def _read_arrays(path: Path) -> Arrays:
    """All arrays of the file under MedMNIST's names; nothing in it is ever unpickled.

    Other spellings are known (x_train and y_train, X and y), and parts may be missing; they are empty then.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a whole .npz in MedMNIST's layout, found {error}") from None
    found = ", ".join(arrays) or "nothing"
    arrays = _under_known_names(path, arrays)
    missing = [name for name in ("train_images", "train_labels") if name not in arrays]
    missing += [f"{part}_labels" for part in PARTS[1:] if f"{part}_images" in arrays]
    missing = [name for name in missing if name not in arrays]
    if missing:
        raise DataError(f"{path}: found {found}, expected also {', '.join(missing)}")
    for part in PARTS:
        arrays.setdefault(f"{part}_images", arrays["train_images"][:0])
        arrays.setdefault(f"{part}_labels", arrays["train_labels"][:0])
    _refuse_odd_labels(path, [arrays[f"{part}_labels"] for part in PARTS])
    return arrays


def _under_known_names(path: Path, arrays: Arrays) -> Arrays:
    """The arrays under MedMNIST's names, however a file spells them.

    Raises:
        DataError: two of them are one.
    """
    known = {f"{part}{kind}": f"{part}_{kind}" for part in PARTS for kind in KINDS}
    for part in PARTS:
        for kind, (letter, words) in KINDS.items():
            known |= {f"{word}{part}": f"{part}_{kind}" for word in (letter, *words)}
            known |= {f"{part}{word}": f"{part}_{kind}" for word in (letter, *words)}
    for kind, (letter, words) in KINDS.items():  # of a file that is not divided
        known |= dict.fromkeys((kind, letter, *words), f"train_{kind}")
    renamed: Arrays = {}
    for name, array in arrays.items():
        new = known.get(key_of(name), name)
        if new in renamed:
            raise DataError(f"{path}: found two arrays for {new}, {name} is one of them, expected one")
        renamed[new] = array
    return renamed


def _refuse_odd_labels(path: Path, labels: Sequence[npt.NDArray[Any]]) -> None:
    """Stop at what cannot be the numbers of classes, or the 0s and 1s of several labels.

    Raises:
        DataError: text, fractions, or one-hot rows.
    """
    for found in labels:
        if found.dtype.kind not in "biuf" or not (found == np.trunc(found)).all():  # says no to NaN too
            raise DataError(f"{path}: labels of type {found.dtype}, expected whole numbers from 0 on")
    rows = [found for found in labels if found.ndim == 2 and found.shape[1] > 1 and len(found)]
    if rows and all((found.sum(axis=1) == 1).all() for found in rows):
        raise DataError(
            f"{path}: labels of shape {rows[0].shape} with a single 1 in each row, expected the number of "
            "the class, (N,) or (N, 1): save their argmax(axis=1)"
        )
