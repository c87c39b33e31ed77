"""Synthetic images as an endless or finite stream of batches for a DataLoader."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, from_numpy
from torch.utils.data import IterableDataset, get_worker_info

from synthaug._api.gate import gate_of_generator
from synthaug._api.generator import Generator, opened
from synthaug._api.load import Data, read_options
from synthaug._api.runtime import device_of
from synthaug.augment.errors import UsageError
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.transforms import to_unit_range
from synthaug.generators.sampling import BLOCK


class SyntheticStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Class-balanced batches of synthetic images, made as they are asked for.

    A batch holds one block of 64 consecutive images of every class, the classes taking turns: images
    (64 K, C, H, W) float32 in [0, 1] and labels (64 K,) int64, for K classes. Blocks are dealt to the
    workers of a DataLoader in turn, so that the batches and their order are the same for any number of them::

        loader = DataLoader(sa.SyntheticStream("chest-xray"), batch_size=None, num_workers=4)

    Near copies of training images are left out of a batch; image i of a class stays image i.

    Args:
        generator: what `train_generator` returned, a generator's name, run folder or file; by default the
            shipped one that makes these classes.
        classes: class names; label k of the stream is classes[k]. By default all of the generator's.
        n_per_class: images of each class before near copies are left out; None goes on for ever.
        seed: of the images.
        training_images: a data set to compare with for near copies, besides the generator's own.
        allow_near_copies: let near copies pass.
        device: "auto", "cpu", "cuda" or "mps"; with workers, "cpu".
        **options: how `training_images` is read, see `load`.

    Attributes:
        class_names: label k is class_names[k].

    Raises:
        DataError: no such generator.
        UsageError: no such class.
    """

    def __init__(
        self,
        generator: str | Path | Generator | None = None,
        classes: Sequence[str] | None = None,
        *,
        n_per_class: int | None = None,
        seed: int = 0,
        training_images: Data | None = None,
        allow_near_copies: bool = False,
        device: str = "auto",
        **options: Any,
    ):
        if n_per_class is not None and n_per_class < 1:
            raise UsageError(f"n_per_class {n_per_class}: expected at least 1, or None for an endless stream")
        source = opened(generator, tuple(classes or ()))
        self._synthesizer = source.synthesizer(device_of(device))
        self.class_names = tuple(classes) if classes is not None else source.class_names
        self._labels = [self._synthesizer.label_of(name) for name in self.class_names]
        self.n_per_class, self.seed = n_per_class, seed
        self._gate = None
        if not allow_near_copies:
            self._gate = gate_of_generator(
                self._synthesizer, training_images, read_options(options), source.data
            )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        number, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        while self.n_per_class is None or number * BLOCK < self.n_per_class:
            images = self.batch(number)
            yield to_unit_range(images.pixels), from_numpy(images.labels)
            number += step

    def __len__(self) -> int:
        """Batches of a finite stream."""
        if self.n_per_class is None:
            raise TypeError("an endless SyntheticStream has no length: give n_per_class")
        return -(-self.n_per_class // BLOCK)

    def batch(self, number: int) -> LabeledImages:
        """The images of one batch, with their provenance.

        Args:
            number: of the batch, from 0.
        """
        start, stop = number * BLOCK, (number + 1) * BLOCK
        stop = stop if self.n_per_class is None else min(stop, self.n_per_class)
        blocks = [self._synthesizer.images(label, start, stop, self.seed) for label in self._labels]
        images = concatenate(blocks).take(
            np.arange(len(blocks) * (stop - start)).reshape(len(blocks), -1).T.ravel()
        )
        if self._gate is not None:
            images = images.take(~self._gate.near_copies(images))
        labels = np.array([self._labels.index(label) for label in images.labels], np.int64)
        return LabeledImages(
            images.pixels, labels, self.class_names, images.synthetic, provenance=images.provenance
        )
