"""MedMNIST's .npz layout, in and out: {train,val,test}_images (N, H, W[, 3]) and _labels (N, 1)."""

import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.images import PARTS, PROVENANCE, LabeledImages, Splits, concatenate
from synthaug.augment.labels import normal_first
from synthaug.augment.reading import AS_STORED, Reading
from synthaug.augment.splits import official_splits
from synthaug.augment.stream import Attributes, ImageStream, plain_facts
from synthaug.augment.writing import PLAINLY, Writing

Arrays = dict[str, npt.NDArray[Any]]
ORIGIN = ("synthetic", "generator", "seed", "index")  # of the train split, where `write_npz` made the file


def load_npz(path: Path, name: str, class_names: tuple[str, ...] | None = None) -> Splits:
    """The three splits of a MedMNIST file.

    Multi-label files (ChestMNIST) become normal, the all-zero label vector, versus abnormal.

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


def read_npz(path: Path, reading: Reading = AS_STORED) -> LabeledImages:
    """All images of a MedMNIST file: train, val and test, with their split where more than train is there.

    Raises:
        DataError: the file is missing, truncated, of another layout, or has no image.
    """
    arrays = _read_arrays(path)
    found = [part for part in PARTS if len(arrays[f"{part}_images"])]
    if not found:
        raise DataError(f"{path}: found no image in it, expected at least one")
    images = concatenate([_labelled(path, arrays, part, None) for part in found])
    if found == ["train"]:
        return images
    sizes = [len(arrays[f"{part}_images"]) for part in found]
    return replace(images, split=np.repeat(found, sizes))


def read_npz_attributes(path: Path) -> Attributes:
    """The facts about the whole set that `write_npz` wrote; nothing in a file of MedMNIST's own."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return plain_facts(json.loads(str(file["attributes"]))) if "attributes" in file.files else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def _labelled(path: Path, arrays: Arrays, part: str, class_names: tuple[str, ...] | None) -> LabeledImages:
    raw, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    if raw.ndim not in (3, 4):
        raise DataError(f"{path}: {part}_images of shape {raw.shape}, expected (N, H, W) or (N, H, W, 3)")
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels, class_names = labels.astype(bool).max(axis=1), ("normal", "abnormal")
    numbers = labels.reshape(-1).astype(np.int64)
    origin = None
    if part == "train" and all(f"train_{name}" in arrays for name in ORIGIN):
        origin = np.zeros(len(numbers), PROVENANCE)
        for field in ("generator", "seed", "index"):
            origin[field] = arrays[f"train_{field}"]
    try:
        return LabeledImages(
            pixels=raw[:, None] if raw.ndim == 3 else raw.transpose(0, 3, 1, 2),
            labels=numbers,
            class_names=_class_names(arrays) if class_names is None else class_names,
            synthetic=np.zeros(0, bool) if origin is None else arrays["train_synthetic"].astype(bool),
            provenance=origin,
        )
    except DataError as error:
        raise DataError(f"{path}: {part} has {error}") from None


def _class_names(arrays: Arrays) -> tuple[str, ...]:
    """The file's own, else the numbers up to the highest label of any split."""
    if "class_names" in arrays:
        return tuple(str(name) for name in arrays["class_names"])
    labels = [arrays[f"{part}_labels"] for part in PARTS]
    return tuple(str(k) for k in range(1 + max(int(part.max()) for part in labels if part.size)))


def _read_arrays(path: Path) -> Arrays:
    """All arrays of the file; nothing in it is ever unpickled."""
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a whole .npz in MedMNIST's layout, found {error}") from None
    names = [f"{part}_{kind}" for part in PARTS for kind in ("images", "labels")]
    missing = [name for name in names if name not in arrays]
    if missing:
        found = ", ".join(arrays) or "nothing"
        raise DataError(f"{path}: found {found}, expected also {', '.join(missing)}")
    return arrays


def write_npz(stream: ImageStream, path: Path, writing: Writing = PLAINLY) -> None:
    """Write a MedMNIST file: the images as its train split, val and test empty.

    Pixels go to the file batch by batch; labels and provenance (33 bytes an image) follow at the end.
    """
    channels, height, width = stream.image_shape
    shape = (height, width) if channels == 1 else (height, width, channels)
    labels, synthetic, origins = [], [], []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(_entry("train_images"), "w", force_zip64=True) as file:
            header = {"descr": stream.dtype.str, "fortran_order": False, "shape": (stream.total, *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in stream.batches:
                file.write(np.ascontiguousarray(batch.pixels.transpose(0, 2, 3, 1)).tobytes())
                labels.append(batch.labels)
                synthetic.append(batch.synthetic)
                none = np.zeros(len(batch), PROVENANCE)
                origins.append(none if batch.provenance is None else batch.provenance)
        origin = np.concatenate(origins)
        rest: Arrays = {
            "train_labels": np.concatenate(labels)[:, None].astype(np.uint8),
            "train_synthetic": np.concatenate(synthetic),
            "train_generator": origin["generator"],
            "train_seed": origin["seed"],
            "train_index": origin["index"],
            "class_names": np.array(stream.class_names),
            "attributes": np.array(json.dumps(dict(stream.attributes), sort_keys=True)),
        }
        for part in ("val", "test"):
            rest[f"{part}_images"] = np.zeros((0, *shape), stream.dtype)
            rest[f"{part}_labels"] = np.zeros((0, 1), np.uint8)
        for name, array in rest.items():
            with archive.open(_entry(name), "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{name}.npy")  # a fixed date: the same images give the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
