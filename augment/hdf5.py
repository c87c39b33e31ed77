"""synthaug's HDF5 layout, in and out. Written as a stream: memory does not grow with the images.

/images      (N, H, W, C) uint8 or uint16, chunked, gzip
/labels      (N,) int64
/synthetic   (N,) bool
/groups      (N,) text, where known: patient or source (a pseudonym when written by `write_images`)
/provenance/{generator,seed,index}   (N,) of synthetic images; generator is empty for real ones
attributes   schema, class_names, bits, and the facts of the set (generator hash, configuration, licence)
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from synthaug.augment.cache import cached_rows
from synthaug.augment.errors import DataError
from synthaug.augment.images import PROVENANCE, LabeledImages, Pixels, concatenate
from synthaug.augment.reading import AS_STORED, Reading
from synthaug.augment.stream import Attributes, ImageStream, plain_facts
from synthaug.augment.writing import PLAINLY, Writing

SCHEMA = "synthaug/1"
CHUNK_BYTES = 1 << 20


def write_hdf5(stream: ImageStream, path: Path, writing: Writing = PLAINLY) -> None:
    """Write a stream of images; `path` is new."""
    channels, height, width = stream.image_shape
    image_bytes = channels * height * width * stream.dtype.itemsize
    rows = max(1, min(stream.total, CHUNK_BYTES // image_bytes))
    with h5py.File(path, "w", libver=("v108", "latest")) as file:
        file.attrs.update(plain_facts(stream.attributes))
        file.attrs.update({"schema": SCHEMA, "class_names": list(stream.class_names)})
        file.attrs["bits"] = 8 * stream.dtype.itemsize
        images = file.create_dataset(
            "images",
            (stream.total, height, width, channels),
            stream.dtype,
            chunks=(rows, height, width, channels),
            compression="gzip",
            compression_opts=1,
            shuffle=stream.dtype.itemsize > 1,
        )
        labels = file.create_dataset("labels", (stream.total,), np.int64)
        synthetic = file.create_dataset("synthetic", (stream.total,), bool)
        origin = file.create_group("provenance")
        columns = {
            name: origin.create_dataset(name, (stream.total,), PROVENANCE[name])
            for name in ("generator", "seed", "index")
        }
        groups = None
        at = 0
        for batch in _rechunked(stream.batches, rows):
            where = slice(at, at + len(batch))
            images[where] = batch.pixels.transpose(0, 2, 3, 1)
            labels[where] = batch.labels
            synthetic[where] = batch.synthetic
            if batch.provenance is not None:
                for name, column in columns.items():
                    column[where] = batch.provenance[name]
            if batch.groups is not None:
                groups = groups or file.create_dataset("groups", (stream.total,), h5py.string_dtype())
                groups[where] = batch.groups.astype(object)
            at += len(batch)


def read_hdf5(path: Path, reading: Reading = AS_STORED) -> LabeledImages:
    """All images of a file that `write_hdf5` wrote; the pixels memory-mapped from the cache.

    Raises:
        DataError: missing, truncated, empty, or of another layout.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("schema") != SCHEMA or "images" not in file:
                found = ", ".join(file) or "nothing"
                raise DataError(f"{path}: found {found}, expected a file of schema {SCHEMA}")
            if not len(file["images"]):
                raise DataError(f"{path}: found no image in it, expected at least one")
            origin = np.zeros(len(file["labels"]), PROVENANCE)
            for name in ("generator", "seed", "index"):
                origin[name] = file["provenance"][name][:]
            synthetic = file["synthetic"][:]
            groups = file["groups"].asstr()[:].astype(str) if "groups" in file else None
            return LabeledImages(
                pixels=_pixels(path, file["images"]),
                labels=file["labels"][:],
                class_names=tuple(str(name) for name in file.attrs["class_names"]),
                synthetic=synthetic,
                groups=groups,
                provenance=origin if synthetic.any() else None,
            )
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: expected a whole HDF5 file of schema {SCHEMA}, found {error}") from None


def count_hdf5(path: Path) -> dict[str, int]:
    """Images per class of a file that `write_hdf5` wrote, from the labels alone."""
    try:
        with h5py.File(path, "r") as file:
            names = [str(name) for name in file.attrs["class_names"]]
            numbers = np.bincount(file["labels"][:], minlength=len(names))
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: expected a whole HDF5 file of schema {SCHEMA}, found {error}") from None
    return {name: int(n) for name, n in zip(names, numbers, strict=True)}


def _pixels(path: Path, images: h5py.Dataset) -> Pixels:
    """(N, C, H, W), decoded into the cache: memory does not grow with the images."""
    rows = images.chunks[0] if images.chunks else 1024
    blocks = (images[start : start + rows] for start in range(0, len(images), rows))
    return cached_rows([path], "hdf5", images.shape, images.dtype, lambda: blocks).transpose(0, 3, 1, 2)


def read_hdf5_attributes(path: Path) -> Attributes:
    """The facts about the whole set that `write_hdf5` wrote."""
    with h5py.File(path, "r") as file:
        facts = {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}
    return plain_facts(facts)


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
