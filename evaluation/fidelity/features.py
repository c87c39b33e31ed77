"""Features of images: computed in a stream, kept by the content they came from, mapped when read again."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap

from synthaug.augment.files.cache import kept
from synthaug.augment.images import LabeledImages
from synthaug.augment.progress import progress_bar
from synthaug.evaluation.score import Protocol

BATCH = 256  # fixed: the last bits of a network's answer may depend on the batch an image shares


@dataclass(frozen=True, eq=False)
class Features:
    """Of one set of images.

    Attributes:
        vectors: (N, D) float32 or float64.
        logits: (N, K) of a classifier, for the Inception Score, or None.
        groups: (N,) patients, whose images are alike, for intervals; None lets every image be its own.
    """

    vectors: npt.NDArray[np.floating]
    logits: npt.NDArray[np.floating] | None = None
    groups: npt.NDArray[np.str_] | None = None

    def take(self, rows: npt.NDArray[np.int64]) -> "Features":
        """The features of some of the images."""
        return Features(
            self.vectors[rows],
            None if self.logits is None else self.logits[rows],
            None if self.groups is None else self.groups[rows],
        )


@dataclass(frozen=True, eq=False)
class Extractor:
    """A way to turn images into features, with the protocol it stands for.

    Attributes:
        of_batch: features of a few images, float32; what it gives of an image depends on no other image.
    """

    protocol: Protocol
    of_batch: Callable[[LabeledImages], Features]

    def extract(self, images: LabeledImages) -> Features:
        """Features of every image, in order, memory-mapped: memory does not grow with their number.

        They are kept in the cache folder under a hash of the protocol and the images' content: the same
        images are never put through the same network twice, also after a crash.
        """
        key = self.protocol, torch.__version__, _content(images)
        folder = kept("features", key, lambda fresh: self._fill(images, fresh))
        arrays = {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")}
        return Features(arrays["vectors"], arrays.get("logits"))

    def _fill(self, images: LabeledImages, folder: Path) -> None:
        columns: dict[str, np.memmap[Any, np.dtype[np.float32]]] = {}
        with progress_bar(f"{self.protocol.name} features", len(images)) as advance:
            for start in range(0, len(images), BATCH):
                rows = np.arange(start, min(start + BATCH, len(images)))
                batch = self.of_batch(images.take(rows))
                for name, values in (("vectors", batch.vectors), ("logits", batch.logits)):
                    if values is None:
                        continue
                    if name not in columns:
                        shape = (len(images), values.shape[1])
                        columns[name] = open_memmap(folder / f"{name}.npy", "w+", np.float32, shape)
                    columns[name][rows] = values
                advance(len(rows))
        for column in columns.values():
            column.flush()


def _content(images: LabeledImages) -> str:
    """Of the pixels alone: features do not depend on labels."""
    state = hashlib.sha256(repr((images.pixels.shape, str(images.pixels.dtype))).encode())
    for start in range(0, len(images), 4096):
        state.update(images.pixels[start : start + 4096].tobytes())
    return state.hexdigest()
