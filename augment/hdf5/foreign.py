"""HDF5 files that others made: an array of images beside an array of labels, under whatever names."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.files.cache import cached_rows
from synthaug.augment.files.columns import LABEL, PATIENT, SPLIT, Role, columns_by_role, named
from synthaug.augment.files.table import split_name
from synthaug.augment.hdf5.compression import require_filters
from synthaug.augment.hdf5.shards import sources_of
from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.levels import as_used
from synthaug.augment.options import as_flags
from synthaug.augment.reading import ReadOptions

ARRAYS = {
    "images": Role(("images", "imgs", "image", "img", "pixels", "x"), "images_from"),
    "label": Role(("labels", *LABEL.known, "y"), "label_from"),
    "patient_id": Role((*PATIENT.known, "groups"), "group_from", PATIENT.likely),
    "split": SPLIT,
}
LAYOUTS = "(N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels"
ROWS = 256  # decoded at a time


def read_foreign(path: Path, file: h5py.File, reading: ReadOptions) -> LabeledImages:
    """Images of uint8, uint16 or float in [0, 1], which becomes 8 bits or as many as asked.

    Labels are whole numbers, named by an attribute `class_names` where the file has one, or text.

    Raises:
        DataError: an array is missing, or of another shape or type.
    """
    arrays = _arrays(path, file, reading)
    images, labels = arrays["images"], arrays["label"]
    groups = None
    if "patient_id" in arrays:
        found = _texts(_column(path, arrays["patient_id"]))
        rows = [f"row {k}" for k in range(len(found))]  # each whose patient is not known is one of its own
        groups = np.where(np.isin(found, ("", "nan")), rows, found)
    split = _split(path, arrays["split"]) if "split" in arrays else None
    numbers, names = _classes(path, file, labels)
    for name, column in (("labels", numbers), ("patients", groups), ("splits", split)):
        if column is not None and len(column) != len(images):
            raise DataError(f"{path}: {len(images)} images and {len(column)} {name}, expected one for each")
    if not len(images):
        raise DataError(f"{path}: found no image in it, expected at least one")
    pixels = _pixels(path, file, images, reading.bits or 8)
    return as_used(path, LabeledImages(pixels, numbers, names, groups=groups, split=split), reading)


def _arrays(path: Path, file: h5py.File, options: ReadOptions) -> dict[str, h5py.Dataset]:
    """The file's arrays by what they tell, those of `ARRAYS`; images and labels are among them.

    Raises:
        DataError: no array of images or of labels.
    """
    there: dict[str, h5py.Dataset] = {}
    file.visititems(
        lambda name, item: (
            there.update({name: item}) if isinstance(item, h5py.Dataset) and item.shape else None
        )  # a scalar has no rows
    )
    for role in ARRAYS.values():
        asked = getattr(options, role.option)
        if asked is not None and not named(asked, list(there)):
            raise _no_array(path, there, f"an array {asked}", role)
    found = columns_by_role(path, list(there), ARRAYS, options)
    for name in ("images", "label"):
        if name not in found:
            expected = f"a file of schema synthaug/1 or 2, or an array {ARRAYS[name].known[0]}"
            raise _no_array(path, there, expected, ARRAYS[name])
    return {role: there[name] for role, name in found.items()}


def _no_array(path: Path, there: Collection[str], expected: str, role: Role) -> DataError:
    found = ", ".join(list(there)[:12]) or "nothing"
    return DataError(
        f"{path}: found {found}, expected {expected} (name another by {as_flags([role.option])})"
    )


def _split(path: Path, array: h5py.Dataset) -> npt.NDArray[np.str_]:
    """(N,) of train, val and test."""
    texts = _texts(_column(path, array)).tolist()
    for text in texts:
        if not split_name(text):
            raise DataError(f"{path}: {array.name[1:]} holds {text!r}, expected train, val or test")
    return np.array([split_name(text) for text in texts])


def _column(path: Path, array: h5py.Dataset) -> npt.NDArray[Any]:
    """(N,) of an (N,) or (N, 1) array."""
    if array.ndim < 1 or any(side != 1 for side in array.shape[1:]):
        raise DataError(
            f"{path}: {array.name[1:]} of shape {array.shape}, expected (N,) or (N, 1): one class or group "
            "for each image, not one-hot or multi-label rows"
        )
    values = array.asstr()[()] if h5py.check_string_dtype(array.dtype) else array[()]
    column: npt.NDArray[Any] = values.reshape(-1)
    return column


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    return np.array([str(value) for value in values.tolist()], dtype=np.str_)


def _classes(
    path: Path, file: h5py.File, labels: h5py.Dataset
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """(N,) labels, and the names they are indices of."""
    values = _column(path, labels)
    if h5py.check_string_dtype(labels.dtype):
        texts = _texts(values).tolist()
        if missing := [k for k, text in enumerate(texts) if not parse_label(text)]:
            raise DataError(
                f"{path}: {labels.name[1:]} is empty in row {missing[0]}, expected a class of each"
            )
        return class_numbers(path, texts)
    if values.dtype.kind not in "iub":
        raise DataError(f"{path}: {labels.name[1:]} of type {values.dtype}, expected whole numbers or text")
    numbers = values.astype(np.int64)
    highest = int(numbers.max(initial=-1))
    if numbers.min(initial=0) < 0 or highest >= 1 << 16:
        raise DataError(
            f"{path}: {labels.name[1:]} from {numbers.min()} to {highest}, expected classes from 0 on"
        )
    said = labels.attrs.get("class_names", file.attrs.get("class_names"))
    if said is None:
        return numbers, tuple(str(k) for k in range(highest + 1))
    names = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in np.asarray(said).reshape(-1))
    if highest >= len(names):
        raise DataError(f"{path}: label {highest}, expected less than {len(names)}, one per class name")
    return numbers, names


def _pixels(path: Path, file: h5py.File, images: h5py.Dataset, bits: int) -> Pixels:
    """(N, C, H, W), decoded into the cache."""
    name = images.name[1:]
    shape = images.shape
    if len(shape) == 4 and shape[3] in (1, 3):
        axes: tuple[int, ...] = (0, 3, 1, 2)
    elif len(shape) == 4 and shape[1] in (1, 3):
        axes = (0, 1, 2, 3)
    elif len(shape) == 3:
        axes = (0, 1, 2)
    else:
        raise DataError(f"{path}: {name} of shape {shape}, expected {LAYOUTS}")
    float_images = images.dtype.kind == "f"
    if not float_images and images.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path}: {name} of type {images.dtype}, expected uint8, uint16 or float in [0, 1]")
    files = sources_of(path, file)
    for source in files:
        if not source.is_file():
            raise DataError(f"{path}: {source}, where its images are, is missing: move both together")
    require_filters(path, images)
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16) if float_images else images.dtype

    def blocks() -> Iterator[npt.NDArray[Any]]:
        for start in range(0, len(images), ROWS):
            block = images[start : start + ROWS]
            yield _scaled(path, name, block, dtype) if float_images else block

    how = ("foreign hdf5", images.name, dtype.str)
    rows = cached_rows([path, *files], how, shape, dtype, blocks)
    return rows[:, None] if rows.ndim == 3 else rows.transpose(axes)


def _scaled(path: Path, name: str, block: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    low, high = float(block.min()), float(block.max())
    if not (low >= 0 and high <= 1):  # says no to NaN too
        raise DataError(f"{path}: {name} from {low:g} to {high:g}, expected float in [0, 1], uint8 or uint16")
    scaled: npt.NDArray[Any] = (block * np.iinfo(dtype).max).round().astype(dtype)
    return scaled
