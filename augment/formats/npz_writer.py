"""Writing MedMNIST's .npz layout at constant memory: a file per array on the way, one archive at the end."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import PARTS, PROVENANCE, LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

Array = npt.NDArray[Any]


def write_npz(stream: ImageStream, path: Path, writing: WriteOptions = WriteOptions()) -> None:
    """Write a MedMNIST file: each image into the part of its split, or all into train where there is none.

    Images of a batch without a split, among others that have one, go to train. Labels are uint8 where that is
    wide enough, as MedMNIST's own.
    """
    channels, height, width = stream.image_shape
    shape = (height, width) if channels == 1 else (height, width, channels)
    divided = grouped = False
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder, ExitStack() as stack:
        columns = {}
        for part in PARTS:
            for name, kind in _columns(stream, shape).items():
                file = stack.enter_context((Path(folder) / f"{part}_{name}").open("w+b"))
                columns[part, name] = _Column(file, kind)
        for batch in stream.batches:
            divided |= batch.split is not None
            grouped |= batch.groups is not None
            for part, images in _parts(batch):
                for name, values in _values(images, shape).items():
                    columns[part, name].append(values)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for (part, name), column in columns.items():
                if name != "groups" or grouped:
                    column.write(archive, f"{part}_{name}")
            rest = {
                "class_names": np.array(stream.class_names),
                "attributes": np.array(json.dumps(dict(stream.attributes), sort_keys=True)),
                **({"divided": np.array(True)} if divided else {}),
            }
            for name, array in rest.items():
                with archive.open(_entry(name), "w") as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)


class _Column:
    """Rows of one array, kept in a file as .npy blocks until their number and their width are known."""

    def __init__(self, file: IO[bytes], like: Array) -> None:
        """`like`: (0, ...) of the type of the rows, or of the narrowest text."""
        self.file, self.dtype, self.rows, self.shape = file, like.dtype, 0, like.shape[1:]

    def append(self, rows: Array) -> None:
        np.save(self.file, rows, allow_pickle=False)
        self.rows += len(rows)
        if self.dtype.kind == "U":
            self.dtype = np.promote_types(self.dtype, rows.dtype)

    def write(self, archive: zipfile.ZipFile, name: str) -> None:
        with archive.open(_entry(name), "w", force_zip64=True) as entry:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.shape)}
            np.lib.format.write_array_header_1_0(entry, header)
            for block in self._blocks():
                entry.write(np.ascontiguousarray(block, self.dtype).tobytes())

    def _blocks(self) -> Iterator[Array]:
        end = self.file.tell()
        self.file.seek(0)
        while self.file.tell() < end:
            yield np.load(self.file, allow_pickle=False)


def _columns(stream: ImageStream, shape: tuple[int, ...]) -> dict[str, Array]:
    """Every array of a part with no row yet."""
    labels = np.min_scalar_type(max(len(stream.class_names) - 1, 0))
    origin = {name: np.zeros(0, PROVENANCE[name]) for name in ("generator", "seed", "index")}
    return {
        "images": np.zeros((0, *shape), stream.dtype),
        "labels": np.zeros((0, 1), labels),
        "synthetic": np.zeros(0, bool),
        **origin,
        "groups": np.zeros(0, "U1"),
    }


def _values(images: LabeledImages, shape: tuple[int, ...]) -> dict[str, Array]:
    """The rows of every array for some images of one part."""
    none = np.zeros(len(images), PROVENANCE)
    origin = none if images.provenance is None else images.provenance
    unknown = np.where(images.synthetic, "synthetic", "")
    return {
        "images": images.pixels.transpose(0, 2, 3, 1).reshape(-1, *shape),
        "labels": images.labels[:, None],
        "synthetic": images.synthetic,
        **{name: origin[name] for name in ("generator", "seed", "index")},
        "groups": unknown if images.groups is None else images.groups,
    }


def _parts(batch: LabeledImages) -> Iterator[tuple[str, LabeledImages]]:
    if batch.split is None:
        yield "train", batch
        return
    for part in PARTS:
        rows = np.flatnonzero(batch.split == part)
        if len(rows):
            yield part, batch.take(rows)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{name}.npy")  # a fixed date: the same images give the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
