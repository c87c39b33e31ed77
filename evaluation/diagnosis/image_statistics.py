"""What can be said of each image without a network: its grey values, texture, rows and columns, and a sketch.

Nothing here judges. Every number is dimensionless or in grey levels of 0 to 255, so that two sets can be held
against each other whatever their size and depth.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from synthaug.augment.images import Indices, LabeledImages, Pixels

Array = npt.NDArray[np.floating]

SKETCH = 14  # side of the small picture by which images are compared at large: coarser than any texture
SMALLEST = 10  # images of a class, to judge it by itself
BATCH = 512  # images whose numbers are held as floats at once
SCALES = (1, 2, 4)  # pixels that one step of a texture spans


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """One row per image.

    Attributes:
        sketch: (N, C * 14 * 14) the image made small, in grey levels.
        colour: (N, C) mean of each channel.
        histogram: (N, 256) share of pixels at each grey level.
        texture: (N, 21) contrast, kurtosis and skewness of the grey values, and energy, kurtosis and skewness
            of the steps between neighbours, along both axes and at three scales.
        sharpness: (N,) log of the Laplacian's energy over the image's variance.
        smoothness: (N, 2) correlation of a pixel with the next, down and across.
        adjacency: (N, 2) share of rows, and of columns, whose most alike other one stands beside them; nan
            where fewer than four of them hold anything.
        kinship: (N, 2) correlation of a row, and of a column, with its most alike other one.
        content: (N,) a hash of the pixels: equal for equal images.
    """

    sketch: Array
    colour: Array
    histogram: Array
    texture: Array
    sharpness: Array
    smoothness: Array
    adjacency: Array
    kinship: Array
    content: npt.NDArray[np.bytes_]

    def take(self, rows: Indices) -> "ImageStatistics":
        """Of some of the images."""
        return replace(self, **{name: column[rows] for name, column in vars(self).items()})


@dataclass(frozen=True, eq=False)
class MeasuredSet:
    """A set of images with all that the detectors look at; one row per image.

    Attributes:
        vectors, probabilities: the domain classifier's features and class probabilities.
    """

    labels: Indices
    class_names: tuple[str, ...]
    pixels: Pixels
    vectors: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    statistics: ImageStatistics

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Indices) -> "MeasuredSet":
        """Some of the images."""
        return replace(
            self,
            labels=self.labels[rows],
            pixels=self.pixels[rows],
            vectors=self.vectors[rows],
            probabilities=self.probabilities[rows],
            statistics=self.statistics.take(rows),
        )

    def classes(self) -> dict[str, Indices]:
        """Rows of each class of at least ten images; all rows, where there is none."""
        rows = {name: np.flatnonzero(self.labels == k) for k, name in enumerate(self.class_names)}
        return {name: r for name, r in rows.items() if len(r) >= SMALLEST} or {
            "overall": np.arange(len(self))
        }


def image_statistics(images: LabeledImages) -> ImageStatistics:
    """Every number of every image, in order; depends on the pixels only."""
    parts = [vars(_of_batch(batch.pixels)) for batch in images.batches(BATCH)]
    return ImageStatistics(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _of_batch(pixels: Pixels) -> ImageStatistics:
    colours = as_grey_levels(pixels)
    grey = colours.mean(axis=1)
    down, across = row_likeness(grey), row_likeness(grey.swapaxes(1, 2))
    variance = grey.var(axis=(1, 2)) + 1e-6
    bend = 4 * grey[:, 1:-1, 1:-1]
    bend = bend - grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    steps = [np.square(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return ImageStatistics(
        sketch=F.adaptive_avg_pool2d(torch.from_numpy(colours), SKETCH).flatten(1).numpy(),
        colour=colours.mean(axis=(2, 3)),
        histogram=_histograms(colours),
        texture=texture(grey),
        sharpness=np.log(np.square(bend).mean(axis=(1, 2)) / variance + 1e-6),
        smoothness=np.stack([1 - step / variance / 2 for step in steps], axis=1),  # von Neumann's ratio
        adjacency=np.stack([down[0], across[0]], axis=1),
        kinship=np.stack([down[1], across[1]], axis=1),
        content=np.array([hashlib.blake2b(p.tobytes(), digest_size=16).digest() for p in pixels], "S16"),
    )


def as_grey_levels(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Any depth -> float32 from 0 to 255."""
    return pixels.astype(np.float32) * np.float32(255 / np.iinfo(pixels.dtype).max)


def texture(grey: npt.NDArray[np.float32]) -> Array:
    """(N, H, W) -> (N, 21); kurtosis and skewness hold what means and covariances of pixels do not settle."""
    columns = [np.log(grey.var(axis=(1, 2)) + 1), *_shape(grey)]
    for scale in SCALES:
        coarse = F.avg_pool2d(torch.from_numpy(grey), scale).numpy()
        for axis in (1, 2):
            step = np.diff(coarse, axis=axis)
            columns += [np.log(np.square(step).mean(axis=(1, 2)) + 0.1), *_shape(step)]
    return np.stack(columns, axis=1)


def _shape(values: npt.NDArray[np.float32]) -> tuple[Array, Array]:
    """Log kurtosis and skewness of each image's values."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    square = flat * flat
    spread = square.mean(axis=1) + 1e-3
    return np.log((square * square).mean(axis=1) / spread**2 + 1e-3), (square * flat).mean(
        axis=1
    ) / spread**1.5


def row_likeness(grey: npt.NDArray[np.float32]) -> tuple[Array, Array]:
    """Adjacency and kinship of the rows of (N, H, W); see `ImageStatistics`."""
    _, height, width = grey.shape
    squares = np.square(grey).sum(axis=2)
    apart = squares[:, :, None] + squares[:, None, :] - 2 * grey @ grey.swapaxes(1, 2)
    apart[:, np.arange(height), np.arange(height)] = np.inf
    most_alike = apart.argmin(axis=2)
    beside = np.abs(most_alike - np.arange(height)) == 1
    variance = grey.var(axis=(1, 2))
    holds = grey.var(axis=2) > 0.05 * variance[:, None]  # an empty row is like any other empty one
    counts = holds.sum(axis=1)
    share = np.where(counts >= 4, (beside & holds).sum(axis=1) / np.maximum(counts, 1), np.nan)
    nearest = np.maximum(apart.min(axis=2), 0) / (2 * width * (variance[:, None] + 1e-6))
    nearest = np.where(holds, nearest, 0).sum(axis=1) / np.maximum(counts, 1)
    return share, 1 - nearest


def _histograms(colours: npt.NDArray[np.float32]) -> Array:
    levels = (colours + 0.5).astype(np.int64).reshape(len(colours), -1)
    flat = (levels + 256 * np.arange(len(levels))[:, None]).ravel()
    return np.bincount(flat, minlength=256 * len(levels)).reshape(-1, 256) / levels.shape[1]
