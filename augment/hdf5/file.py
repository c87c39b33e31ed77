"""synthaug's HDF5 layout, in and out. Written as a stream: memory does not grow with the images.

/images      (N, H, W, C) uint8 or uint16, chunked, compressed
/labels      (N,) int64
/synthetic   (N,) bool
/groups      (N,) text, where known: patient or source (a pseudonym when written by `write_images`)
/split       (N,) text, where the set is divided: train, val or test
/provenance/{generator,seed,index}   (N,) of synthetic images; generator is empty for real ones
attributes   schema, class_names, bits, and the facts of the set (generator hash, configuration, licence)

A set in shards is an index of virtual datasets in this same layout (`shards.py`). Files that others made
are read by `foreign.py`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.cache import cached_rows
from synthaug.augment.hdf5.compression import compression_options, require_filters
from synthaug.augment.hdf5.foreign import read_foreign
from synthaug.augment.hdf5.shards import (
    require_shards,
    shards_folder,
    write_index,
    write_shards,
)
from synthaug.augment.images import PROVENANCE, LabeledImages, concatenate
from synthaug.augment.options import as_flags
from synthaug.augment.reading import NAMING, ReadOptions
from synthaug.augment.stream import Attributes, ImageStream, plain_facts
from synthaug.augment.writing import WriteOptions

SCHEMA = "synthaug/2"
SCHEMAS = ("synthaug/1", SCHEMA)  # the first had no /split
CHUNK_BYTES = 1 << 17  # what reading one image costs; as small as compression allows
TEXTS = {"groups": h5py.string_dtype(), "split": np.dtype("S5")}


def write_hdf5(stream: ImageStream, path: Path, writing: WriteOptions = WriteOptions()) -> None:
    """Write a stream of images as one file, or as an index with its shards beside it; `path` is new.

    Raises:
        UsageError: an unknown compression, or one whose plug-in is not installed.
        DataError: the stream holds more or fewer images than it says.
    """
    if writing.shard_size is None:
        write_file(stream, path, writing.compression)
        return
    folder = shards_folder(path)
    folder.mkdir()
    shards = list(write_shards(stream, folder, writing, write_file))
    write_index(path, folder.name, shards)


def write_file(stream: ImageStream, path: Path, compression: str = "gzip") -> None:
    """Write a stream of images as one file."""
    channels, height, width = stream.image_shape
    image_bytes = channels * height * width * stream.dtype.itemsize
    rows = max(1, min(stream.total, CHUNK_BYTES // image_bytes))
    options = compression_options(compression, stream.dtype.itemsize)
    with h5py.File(path, "w", libver=("v108", "v110")) as file:  # what HDF5 1.10 reads, no later features
        file.attrs.update(plain_facts(stream.attributes))
        file.attrs.update({"schema": SCHEMA, "class_names": list(stream.class_names)})
        file.attrs["bits"] = 8 * stream.dtype.itemsize
        shape = (stream.total, height, width, channels)
        images = file.create_dataset("images", shape, stream.dtype, chunks=(rows, *shape[1:]), **options)
        labels = file.create_dataset("labels", (stream.total,), np.int64)
        synthetic = file.create_dataset("synthetic", (stream.total,), bool)
        origin = file.create_group("provenance")
        columns = {
            name: origin.create_dataset(name, (stream.total,), PROVENANCE[name])
            for name in ("generator", "seed", "index")
        }
        at = 0
        for batch in _rechunked(stream.batches, rows):
            where = slice(at, at + len(batch))
            at += len(batch)
            if at > stream.total:
                break
            images[where] = batch.pixels.transpose(0, 2, 3, 1)
            labels[where] = batch.labels
            synthetic[where] = batch.synthetic
            if batch.provenance is not None:
                for name, column in columns.items():
                    column[where] = batch.provenance[name]
            for name, kind in TEXTS.items():
                texts = getattr(batch, name)
                if texts is not None:
                    column = file.get(name) or file.create_dataset(name, (stream.total,), kind)
                    column[where] = texts.astype(object if kind == h5py.string_dtype() else kind)
        if at != stream.total:
            raise DataError(f"{path}: a stream of {at} images, expected {stream.total} as it said")


def read_hdf5(path: Path, reading: ReadOptions = ReadOptions()) -> LabeledImages:
    """All images of a file, ours or another's; the pixels memory-mapped from the cache.

    Raises:
        DataError: missing, truncated, empty, of another layout, a shard of it missing, or compressed in a way
            that needs a plug-in.
        UsageError: an array is named for a file whose layout is known.
    """
    try:
        with h5py.File(path, "r") as file:
            if not str(file.attrs.get("schema", "")).startswith("synthaug/"):
                return read_foreign(path, file, reading)
            if any(getattr(reading, name) for name in NAMING):
                raise UsageError(f"{as_flags(NAMING)}: {path} is synthaug's own, leave them out")
            _require_ours(path, file)
            if not len(file["images"]):
                raise DataError(f"{path}: found no image in it, expected at least one")
            files = require_shards(path, file)
            columns = _columns(file, slice(None))
            return LabeledImages(pixels=_pixels(path, file["images"], files), **columns)
    except (OSError, KeyError, ValueError) as error:
        raise _not_whole(path, error) from None


def is_ours(path: Path) -> bool:
    """Whether a file says that it has this layout."""
    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get("schema") in SCHEMAS
    except OSError:
        return False


def stream_file(path: Path, rows: int = 1024) -> Iterator[LabeledImages]:
    """The images of one file that `write_file` wrote, some rows at a time, and not through the cache."""
    try:
        with h5py.File(path, "r") as file:
            _require_ours(path, file)
            require_filters(path, file["images"])
            for start in range(0, len(file["images"]), rows):
                where = slice(start, start + rows)
                pixels = file["images"][where].transpose(0, 3, 1, 2)
                yield LabeledImages(pixels=pixels, **_columns(file, where))
    except (OSError, KeyError, ValueError) as error:
        raise _not_whole(path, error) from None


def count_hdf5(path: Path) -> dict[str, int]:
    """Images per class of a file that `write_hdf5` wrote, from the labels alone."""
    try:
        with h5py.File(path, "r") as file:
            require_shards(path, file)
            names = [str(name) for name in file.attrs["class_names"]]
            numbers = np.bincount(file["labels"][:], minlength=len(names))
    except (OSError, KeyError) as error:
        raise _not_whole(path, error) from None
    return {name: int(n) for name, n in zip(names, numbers, strict=True)}


def read_hdf5_attributes(path: Path) -> Attributes:
    """The facts about the whole set that `write_hdf5` wrote; nothing in a file of another's."""
    with h5py.File(path, "r") as file:
        if file.attrs.get("schema") not in SCHEMAS:
            return {}
        facts = {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}
    return plain_facts(facts)


def whole_split(split: npt.NDArray[np.str_], synthetic: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    """The split, train where a synthetic image has none.

    Raises:
        ValueError: a real image has none.
    """
    unsaid = split == ""
    if (real := np.flatnonzero(unsaid & ~synthetic)).size:
        raise ValueError(f"no /split of row {real[0]}, a real image among {len(split)}")
    return np.where(unsaid, "train", split)


def _require_ours(path: Path, file: h5py.File) -> None:
    schema = str(file.attrs.get("schema"))
    if schema not in SCHEMAS or "images" not in file:
        found = f"schema {schema}" if schema not in SCHEMAS else ", ".join(file) or "nothing"
        raise DataError(f"{path}: found {found}, expected a file of schema {' or '.join(SCHEMAS)}")


def _columns(file: h5py.File, where: slice) -> dict[str, Any]:
    """All that `LabeledImages` holds of some rows beside the pixels."""
    synthetic = file["synthetic"][where]
    origin = np.zeros(len(synthetic), PROVENANCE)
    for name in ("generator", "seed", "index"):
        origin[name] = file["provenance"][name][where]
    texts: dict[str, npt.NDArray[np.str_] | None] = {}
    for name in TEXTS:
        texts[name] = file[name].asstr()[where].astype(str) if name in file else None
    if texts["split"] is not None:
        texts["split"] = whole_split(texts["split"], synthetic)
    return {
        "labels": file["labels"][where],
        "class_names": tuple(str(name) for name in file.attrs["class_names"]),
        "synthetic": synthetic,
        "provenance": origin if synthetic.any() else None,
        **texts,
    }


def _pixels(path: Path, images: h5py.Dataset, files: list[Path]) -> Any:
    """(N, C, H, W), decoded into the cache: memory does not grow with the images."""
    rows = 8 * images.chunks[0] if images.chunks else 1024
    blocks = (images[start : start + rows] for start in range(0, len(images), rows))
    return cached_rows([path, *files], "hdf5", images.shape, images.dtype, lambda: blocks).transpose(
        0, 3, 1, 2
    )


def _not_whole(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: expected a whole HDF5 file of schema {SCHEMA}, found {error}")


def _rechunked(batches: Iterable[LabeledImages], rows: int) -> Iterator[LabeledImages]:
    """Batches that begin at multiples of `rows`, so that no chunk is compressed twice."""
    held: list[LabeledImages] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += len(batch)
        if count >= rows:
            whole = concatenate(held)
            ready = count - count % rows
            for start in range(0, ready, rows):
                yield whole.take(np.arange(start, start + rows))
            held = [whole.take(np.arange(ready, count))] if ready < count else []
            count -= ready
    if held:
        yield concatenate(held)
