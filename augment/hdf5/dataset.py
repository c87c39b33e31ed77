"""Images of an HDF5 file for PyTorch: read one by one, from one file or an index of shards."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.hdf5.file import SCHEMAS, whole_split
from synthaug.augment.hdf5.shards import require_shards
from synthaug.augment.images import PARTS, Indices

OPEN_FILES = 64  # a process may have some hundred


class HDF5Dataset(Dataset[tuple[Tensor, int]]):
    """(image, label) pairs of a file that `write_hdf5` wrote; an image is (C, H, W) float32 in [0, 1].

    Each worker of a DataLoader opens the files for itself and keeps them open; the parent process opens them
    for a batch at a time and holds no handle, so that workers may be forked or spawned.

    Args:
        path: one file, or an index with its shards beside it.
        split: train, val or test; None takes every image.
        transform: applied to each image.

    Attributes:
        class_names: label i is class_names[i].
        labels: (N,) int64, for samplers.

    Raises:
        DataError: not a file of ours, a shard missing, or no image in the split.
        UsageError: no such split.
    """

    def __init__(
        self, path: str | Path, split: str | None = None, transform: Callable[[Tensor], Tensor] | None = None
    ):
        if split not in (None, *PARTS):
            raise UsageError(f"split {split!r}: expected one of {', '.join(PARTS)}, or None")
        self.path = Path(path)
        self.transform = transform
        try:
            with h5py.File(self.path, "r") as file:
                if file.attrs.get("schema") not in SCHEMAS:
                    raise DataError(
                        f"{path}: expected a file of schema {' or '.join(SCHEMAS)}: export to one"
                    )
                self._files = require_shards(self.path, file) or [self.path]
                self.class_names = tuple(str(name) for name in file.attrs["class_names"])
                labels = file["labels"][:]
                self._rows = np.arange(len(labels)) if split is None else _rows_of(self.path, file, split)
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: expected a whole HDF5 file of synthaug's, found {error}") from None
        self.labels: Indices = labels[self._rows]
        self._starts = self._first_rows()
        self._open: dict[int, h5py.File] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """A batch at once, as PyTorch's DataLoader asks for it."""
        try:
            return [self._item(index) for index in indices]
        finally:
            if get_worker_info() is None:
                self.close()

    def close(self) -> None:
        """Close what is open; reading opens it again."""
        for file in self._open.values():
            file.close()
        self._open = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without open files: a worker that is spawned opens its own."""
        return {**self.__dict__, "_open": {}}

    def _item(self, index: int) -> tuple[Tensor, int]:
        row = int(self._rows[index])
        shard = bisect_right(self._starts, row) - 1
        if shard not in self._open:
            if len(self._open) == OPEN_FILES:
                self.close()
            self._open[shard] = h5py.File(self._files[shard], "r")
            require_shards(self._files[shard], self._open[shard])  # a spawned worker has no plug-in yet
        pixels = self._open[shard]["images"][row - self._starts[shard]].transpose(2, 0, 1)
        image = torch.from_numpy(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        return image if self.transform is None else self.transform(image), int(self.labels[index])

    def _first_rows(self) -> list[int]:
        """Of each file, in the set."""
        starts = [0]
        for shard in self._files[:-1]:
            with h5py.File(shard, "r") as file:
                starts.append(starts[-1] + len(file["labels"]))
        return starts


def _rows_of(path: Path, file: h5py.File, split: str) -> Indices:
    if "split" not in file:
        raise DataError(f"{path}: it has no /split, expected one to take {split} from: leave split out")
    parts = whole_split(file["split"].asstr()[:].astype(str), file["synthetic"][:])
    rows = np.flatnonzero(parts == split)
    if not len(rows):
        raise DataError(f"{path}: no image of the split {split}, expected at least one")
    return rows
