"""Large HDF5 sets: shards in a folder, and beside it an index that shows them as one file.

    set.h5                               virtual datasets in the layout of `hdf5`, by relative paths
    set-shards/00000-5f1c….h5, …         each a whole file of that layout

A shard is named by its number and its content, so a new set's shards stand beside the old one's without
touching them, and renaming the index is the one moment at which the old set becomes the new one.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from synthaug.augment.errors import DataError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.hdf5.compression import require_filters
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

SHARD = re.compile(r"\d{5,}-[0-9a-f]{16}\.h5")
Write = Callable[[ImageStream, Path, str], None]


def shards_folder(path: Path) -> Path:
    """Where the shards of an index stand: set-shards beside set.h5."""
    return path.with_name(f"{path.stem if path.suffix == '.h5' else path.name}-shards")


def write_shards(
    stream: ImageStream, folder: Path, writing: WriteOptions, write: Write, first: int = 0
) -> Iterator[Path]:
    """Cut a stream into files of `writing.shard_size` images, and give each once it is whole.

    Args:
        write: writes one file with a compression.
        first: number of the first one.

    Raises:
        DataError: the stream holds more or fewer images than it says.
    """
    size = writing.shard_size or stream.total
    rest = _Rest(stream.batches)
    for number, start in enumerate(range(0, stream.total, size), first):
        n = min(size, stream.total - start)
        fresh = folder / f"{number:05d}.h5.part"
        write(replace(stream, batches=rest.next(n), total=n), fresh, writing.compression)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())  # a name is given to what is on the disk
        yield fresh.replace(folder / f"{number:05d}-{digest_of(fresh)}.h5")
    if rest.next_batch() is not None:  # runs to the end: a gate speaks there
        raise DataError(f"{folder}: a stream of more images than {stream.total}, expected as many as it said")


def write_index(path: Path, folder: str, shards: Sequence[Path]) -> None:
    """Write the index of shards which stand, or will stand, in the folder of that name beside it."""
    parts: dict[str, list[_Part]] = {}
    total = 0
    facts = {}
    for shard in shards:
        with h5py.File(shard, "r") as file:
            facts = dict(file.attrs)
            beside = f"{folder}/{shard.name}".replace("%", "%%")  # HDF5 reads %b as a number
            for name in _datasets(file):
                parts.setdefault(name, []).append(_Part(beside, total, file[name].shape, file[name].dtype))
            total += len(file["images"])
    with h5py.File(path, "w", libver=("v108", "v110")) as index:
        index.attrs.update(facts)
        for name, found in parts.items():
            _show(index, name, total, found)


def sources_of(path: Path, file: h5py.File) -> list[Path]:
    """The shards of an index, in order; none of a plain file."""
    if "images" not in file or not getattr(file["images"], "is_virtual", False):
        return []
    names = [source.file_name.replace("%%", "%") for source in file["images"].virtual_sources()]
    return [path.parent / name for name in dict.fromkeys(names)]


def require_shards(path: Path, file: h5py.File) -> list[Path]:
    """The shards of an index, all there and readable: HDF5 shows zeros in place of one that is not.

    Raises:
        DataError: one is missing or no whole file; or a plug-in is needed to read them.
    """
    shards = sources_of(path, file)
    for shard in shards:
        if not shard.is_file():
            raise DataError(f"{path}: its shard {shard} is missing, expected it there: move both together")
        try:
            with h5py.File(shard, "r") as part:
                require_filters(shard, part["images"])
        except (OSError, KeyError) as error:
            raise DataError(f"{shard}: expected a whole shard of {path}, found {error}") from None
    if not shards:
        require_filters(path, file["images"])
    return shards


@contextmanager
def replacing_set(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """`replacing` for a file that may have shards: a kill leaves the old set or the new one, whole."""
    with replacing(path, overwrite) as fresh:
        yield fresh
        if shards_folder(fresh).is_dir():
            adopt(sorted(shards_folder(fresh).iterdir()), path)
    forget_stale(path)


def adopt(shards: Iterable[Path], path: Path) -> None:
    """Move new shards to where the index at `path` will look for them, beside those of the old index."""
    home = shards_folder(path)
    home.mkdir(exist_ok=True)
    for shard in shards:
        if shard.parent != home:
            shard.replace(home / shard.name)


def forget_stale(path: Path) -> None:
    """Remove shards that the file at `path` does not name: of a set it replaced, or of a killed writer."""
    home = shards_folder(path)
    if not home.is_dir():
        return
    named: set[str] = set()
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            named = {shard.name for shard in sources_of(path, file)}
    for file_there in home.iterdir():
        if SHARD.fullmatch(file_there.name) and file_there.name not in named:
            file_there.unlink()
    if not any(home.iterdir()):
        home.rmdir()


def digest_of(shard: Path) -> str:
    """The part of a shard's name that tells its content."""
    with shard.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


class _Part(NamedTuple):
    """An array of a shard, and where in the set it begins."""

    file: str
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _show(index: h5py.File, name: str, total: int, parts: Sequence[_Part]) -> None:
    """A virtual dataset; by h5py's lower level, which can leave the time out: equal sets, equal bytes."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    space = h5py.h5s.create_simple((total, *parts[0].shape[1:]))
    for part in parts:
        space.select_hyperslab((part.start, *(0 for _ in part.shape[1:])), part.shape)
        whole = h5py.h5s.create_simple(part.shape)
        properties.set_virtual(space, part.file.encode(), name.encode(), whole)
    space.select_all()
    group, _, leaf = name.rpartition("/")
    parent = index.require_group(group) if group else index
    kind = h5py.h5t.py_create(parts[0].dtype, logical=True)
    h5py.h5d.create(parent.id, leaf.encode(), kind, space, properties)


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


class _Rest:
    """What is left of some batches."""

    def __init__(self, batches: Iterable[LabeledImages]):
        self.batches = iter(batches)
        self.held: LabeledImages | None = None

    def next_batch(self) -> LabeledImages | None:
        batch, self.held = self.held, None
        return next(self.batches, None) if batch is None else batch

    def next(self, n: int) -> Iterator[LabeledImages]:
        """The next n images, or fewer at the end."""
        while n and (batch := self.next_batch()) is not None:
            if len(batch) > n:
                self.held = batch.take(np.arange(n, len(batch)))
                batch = batch.take(np.arange(n))
            n -= len(batch)
            yield batch
