"""Batches of real images: class-balanced or not, with unlabelled images at the end."""

import numpy as np
import torch
from torch import Tensor

from synthaug.augment.images import Indices, LabeledImages
from synthaug.augment.transforms import to_unit_range
from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.config import GANConfig

KNOWN = 1000  # images of a class are enough for its statistics


class Batches:
    """Draws from labelled images and, half as many, from unlabelled ones.

    Args:
        unlabelled: more images of the same shape, their labels not looked at; or None.
    """

    def __init__(self, images: LabeledImages, unlabelled: LabeledImages | None, config: GANConfig):
        self.images, self.unlabelled = images, unlabelled
        self.rows_of_class = [np.flatnonzero(images.labels == c) for c in range(len(images.class_names))]
        self.size = config.batch_size
        # held-out images may lack a class
        self.balanced = config.balanced and all(map(len, self.rows_of_class))

    def draw(self, rng: torch.Generator, step: int) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [-1, 1] and labels (N,), `UNKNOWN` for the unlabelled ones at the end."""
        rows = self._rows(rng, self.size, step)
        pixels, labels = _in_range(self.images, rows), torch.from_numpy(self.images.labels[rows])
        if self.unlabelled is None:
            return pixels, labels
        more = torch.randint(len(self.unlabelled), (self.size // 2,), generator=rng).numpy()
        unknown = torch.full((len(more),), UNKNOWN)
        return torch.cat([pixels, _in_range(self.unlabelled, more)]), torch.cat([labels, unknown])

    def draw_labels(self, rng: torch.Generator, n: int) -> Tensor:
        """(n,) labels in the mix that batches have."""
        return torch.from_numpy(self.images.labels[self._rows(rng, n, 0)])

    def of_classes(self) -> list[Tensor]:
        """Up to a thousand images of each class, (N, C, H, W) in [-1, 1], evenly spread over the set."""
        return [_in_range(self.images, rows[:: -(-len(rows) // KNOWN)]) for rows in self.rows_of_class]

    def with_unknown(self, fake: Tensor) -> Tensor:
        """Fakes for the labels of a batch: half of them once more where those end in unknown ones."""
        return fake if self.unlabelled is None else torch.cat([fake, fake[: len(fake) // 2]])

    def _rows(self, rng: torch.Generator, n: int, step: int) -> Indices:
        draw = torch.rand(n, generator=rng, dtype=torch.float64).numpy()
        if not self.balanced:
            return (draw * len(self.images)).astype(np.int64)
        wanted = (np.arange(n) + step * n) % len(self.rows_of_class)
        members = [self.rows_of_class[label] for label in wanted]
        return np.array([rows[int(u * len(rows))] for rows, u in zip(members, draw, strict=True)])


def _in_range(images: LabeledImages, rows: Indices) -> Tensor:
    return 2 * to_unit_range(images.pixels[rows]) - 1
