"""MedMNIST's .npz layout, in and out: {train,val,test}_images (N, H, W[, 3]) and _labels (N, 1)."""

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.images import PROVENANCE, LabeledImages, Splits
from synthaug.augment.labels import normal_first
from synthaug.augment.splits import official_splits
from synthaug.augment.stream import ImageStream

PARTS = ("train", "val", "test")


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """All arrays of an .npz file; nothing in it is ever unpickled.

    Raises:
        DataError: the file is missing, truncated or of another layout.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a whole .npz in MedMNIST's layout, found {error}") from None
    missing = [f"{part}_{kind}" for part in PARTS for kind in ("images", "labels")]
    missing = [name for name in missing if name not in arrays]
    if missing:
        raise DataError(f"{path}: found {', '.join(arrays)}, expected also {', '.join(missing)}")
    return arrays


def load_npz(path: Path, name: str, class_names: tuple[str, ...] | None = None) -> Splits:
    """The three splits of a MedMNIST file.

    Multi-label files (ChestMNIST) become normal, the all-zero label vector, versus abnormal.

    Args:
        class_names: by label; the file's own where it has them, else "0", "1", ...
    """
    arrays = read_arrays(path)
    train, val, test = (_labelled(arrays, part, class_names) for part in PARTS)
    empty = [part for part, images in zip(PARTS, (train, val, test), strict=True) if not len(images)]
    if empty:
        raise DataError(f"{path}: {', '.join(empty)} empty, expected images in train, val and test")
    return official_splits(train, val, test, name).map(normal_first)


def read_npz(path: Path) -> LabeledImages:
    """The training images of a MedMNIST file, all that a synthetic set has."""
    images = _labelled(read_arrays(path), "train", None)
    if not len(images):
        raise DataError(f"{path}: train_images is empty, expected at least one image")
    return images


def _labelled(
    arrays: dict[str, npt.NDArray[np.generic]], part: str, class_names: tuple[str, ...] | None
) -> LabeledImages:
    raw, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels, class_names = labels.astype(bool).max(axis=1), ("normal", "abnormal")
    numbers = labels.reshape(-1).astype(np.int64)
    if class_names is None:
        stored = arrays.get("class_names")
        class_names = tuple(
            map(str, range(int(numbers.max()) + 1)) if stored is None else (str(name) for name in stored)
        )
    has_origin = part == "train" and "train_generator" in arrays
    if has_origin:
        origin = np.zeros(len(numbers), PROVENANCE)
        for field in ("generator", "seed", "index"):
            origin[field] = arrays[f"train_{field}"]
    return LabeledImages(
        pixels=raw[:, None] if raw.ndim == 3 else raw.transpose(0, 3, 1, 2),  # type: ignore[arg-type]
        labels=numbers,
        class_names=class_names,
        synthetic=arrays["train_synthetic"].astype(bool) if has_origin else np.zeros(len(numbers), bool),
        provenance=origin if has_origin else None,
    )


def write_npz(stream: ImageStream, path: Path) -> None:
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
        rest: dict[str, npt.NDArray[np.generic]] = {
            "train_labels": np.concatenate(labels)[:, None].astype(np.uint8),
            "train_synthetic": np.concatenate(synthetic),
            "train_generator": origin["generator"],
            "train_seed": origin["seed"],
            "train_index": origin["index"],
            "class_names": np.array(stream.class_names),
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
