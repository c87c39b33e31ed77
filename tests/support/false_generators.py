"""Generators that are wrong in a known way: what a diagnosis must name.

Each takes (train, fresh, rng): the real training images, and real images that no training saw, which stand
for the output of a perfect generator. It spoils one thing and returns as many images as `fresh` has.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.transforms import resize, with_channels

Draw = np.random.Generator
Make = Callable[[LabeledImages, LabeledImages, Draw], LabeledImages]


@dataclass(frozen=True)
class FalseGenerator:
    """A way to be wrong, and the name by which the diagnosis must call it."""

    finding: str
    make: Make


def mean_image(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """The mean training image of its class, again and again."""
    means = {label: train.of_class(label).pixels.mean(axis=0) for label in np.unique(fresh.labels)}
    return as_made(fresh, np.stack([means[label] for label in fresh.labels]))


def noisy_mean_image(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """The mean image with a little noise, so that no two are equal."""
    mean = mean_image(train, fresh, rng).pixels
    return as_made(fresh, mean + rng.normal(0, 3, mean.shape))


def full_covariance_gaussian(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Pixels from N(mean, covariance) of the class's training images."""
    pixels = np.empty(fresh.pixels.shape)
    for label in np.unique(fresh.labels):
        real = train.of_class(label).pixels
        flat = real.reshape(len(real), -1).astype(np.float64)
        centred = flat - flat.mean(axis=0)
        rows = np.flatnonzero(fresh.labels == label)
        # A sum of the centred images with normal weights has their covariance exactly, singular or not.
        drawn = rng.standard_normal((len(rows), len(real))) @ centred / (len(real) - 1) ** 0.5
        pixels[rows] = (flat.mean(axis=0) + drawn).reshape(-1, *fresh.image_shape)
    return as_made(fresh, pixels)


def uniform_noise(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Every pixel from 0 to 255 alike."""
    return as_made(fresh, rng.integers(0, 256, fresh.pixels.shape))


def gaussian_noise(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Independent pixels of the real brightness and contrast."""
    return as_made(fresh, rng.normal(train.pixels.mean(), train.pixels.std(), fresh.pixels.shape))


def signed_cast(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """[-1, 1] cast to bytes as it is: 0, 1 and (from -1) 255."""
    return as_made(fresh, np.trunc(signed(fresh)).astype(np.int64) % 256)


def unit_cast(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """[0, 1] cast to bytes as it is: 0 and 1."""
    return as_made(fresh, np.trunc((signed(fresh) + 1) / 2))


def signed_clipped(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """[-1, 1] times 255, clipped: the + 1 and the / 2 forgotten."""
    return as_made(fresh, signed(fresh) * 255)


def signed_wrapped(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """[-1, 1] times 255, cast: negative values come out at the other end."""
    return as_made(fresh, np.trunc(signed(fresh) * 255).astype(np.int64) % 256)


def unit_as_signed(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """[0, 1] taken for [-1, 1]: (x + 1) / 2 applied once too often."""
    return as_made(fresh, ((signed(fresh) + 1) / 2 + 1) * 127.5)


def permuted_rows(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """The same shuffle of the rows in every image."""
    return as_made(fresh, fresh.pixels[:, :, rng.permutation(fresh.image_shape[1])])


def permuted_columns(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """The same shuffle of the columns in every image."""
    return as_made(fresh, fresh.pixels[..., rng.permutation(fresh.image_shape[2])])


def interleaved_rows(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Even rows above, odd rows below: two fields of a video picture one over the other."""
    return as_made(fresh, np.concatenate([fresh.pixels[:, :, ::2], fresh.pixels[:, :, 1::2]], axis=2))


def interleaved_columns(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Even columns at the left, odd ones at the right."""
    return as_made(fresh, np.concatenate([fresh.pixels[..., ::2], fresh.pixels[..., 1::2]], axis=3))


def rows_of_their_own(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Another shuffle of the rows for each image."""
    order = rng.permuted(np.tile(np.arange(fresh.image_shape[1]), (len(fresh), 1)), axis=1)
    return as_made(fresh, np.take_along_axis(fresh.pixels, order[:, None, :, None], axis=2))


def swapped_channels(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """RGB for BGR."""
    return as_made(fresh, fresh.pixels[:, ::-1])


def channels_last_read_as_first(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """(H, W, C) memory read as (C, H, W)."""
    return as_made(
        fresh, np.ascontiguousarray(fresh.pixels.transpose(0, 2, 3, 1)).reshape(fresh.pixels.shape)
    )


def memoriser(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Training images, returned."""
    return of_labels(train, fresh.labels, rng)


def one_class_collapse(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Every label, but all images are of the first class."""
    own = fresh.of_class(0)
    return replace(own, labels=rng.permutation(np.resize(np.unique(fresh.labels), len(own))))


def last_class_collapse(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Every label, but all images are of the last class."""
    own = fresh.of_class(int(fresh.labels.max()))
    return replace(own, labels=rng.permutation(np.resize(np.unique(fresh.labels), len(own))))


def one_image_per_class(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """One image of each class, again and again."""
    first = {label: np.flatnonzero(fresh.labels == label)[0] for label in np.unique(fresh.labels)}
    return as_made(fresh, fresh.pixels[[first[label] for label in fresh.labels]])


def one_noisy_image_per_class(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """One image of each class with a little noise, so that no two are equal."""
    same = one_image_per_class(train, fresh, rng).pixels
    return as_made(fresh, same + rng.normal(0, 3, same.shape))


def labels_swapped(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Each class under the next one's name."""
    return replace(fresh, labels=(fresh.labels + 1) % len(fresh.class_names))


def two_labels_swapped(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """The first two classes under each other's names."""
    names = np.arange(len(fresh.class_names))
    names[:2] = 1, 0
    return replace(fresh, labels=names[fresh.labels])


def labels_shuffled(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Labels that say nothing about the image."""
    return replace(fresh, labels=rng.permutation(fresh.labels))


def blurred_reals(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """Real images through a Gaussian filter of 1 pixel in 28."""
    sigma = fresh.image_shape[1] / 28
    return as_made(fresh, ndimage.gaussian_filter(fresh.pixels.astype(np.float64), (0, 0, sigma, sigma)))


def duplicated_reals(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
    """A twentieth of the images (five of a class at least), each repeated."""
    rows = np.empty(len(fresh), np.int64)
    for label in np.unique(fresh.labels):
        own = np.flatnonzero(fresh.labels == label)
        rows[own] = np.resize(own[: max(5, len(own) // 20)], len(own))
    return as_made(fresh, fresh.pixels[rows])


def another_data_set(other: LabeledImages) -> Make:
    """Real images of another data set, labelled at random."""

    def make(train: LabeledImages, fresh: LabeledImages, rng: Draw) -> LabeledImages:
        channels, side, _ = fresh.image_shape
        drawn = other.take(rng.permutation(len(other))[: len(fresh)])
        pixels = with_channels(resize(drawn, side), channels).pixels
        return replace(fresh.take(np.arange(len(pixels))), pixels=pixels)

    return make


def signed(images: LabeledImages) -> np.ndarray:
    """(N, C, H, W) in [-1, 1]: a generator's own range."""
    return images.pixels / 127.5 - 1


def as_made(fresh: LabeledImages, pixels: np.ndarray) -> LabeledImages:
    """The labels of `fresh` with other pixels, clipped and rounded to bytes."""
    made: Pixels = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return replace(fresh, pixels=made)


def of_labels(images: LabeledImages, labels: np.ndarray, rng: Draw) -> LabeledImages:
    """Images of these labels in this order, none twice while a class lasts."""
    rows = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        wanted = labels == label
        rows[wanted] = np.resize(rng.permutation(np.flatnonzero(images.labels == label)), wanted.sum())
    return images.take(rows)


# The names that the diagnosis must give. "reals of another data set" needs one: `another_data_set(other)`.
FALSE_GENERATORS = {
    "mean image": FalseGenerator("mean image", mean_image),
    "noisy mean image": FalseGenerator("mean image", noisy_mean_image),
    "full-covariance Gaussian": FalseGenerator("full-covariance Gaussian", full_covariance_gaussian),
    "uniform noise": FalseGenerator("noise", uniform_noise),
    "Gaussian noise": FalseGenerator("noise", gaussian_noise),
    "[-1, 1] cast": FalseGenerator("value range", signed_cast),
    "[0, 1] cast": FalseGenerator("value range", unit_cast),
    "[-1, 1] times 255, clipped": FalseGenerator("value range", signed_clipped),
    "[-1, 1] times 255, wrapped": FalseGenerator("value range", signed_wrapped),
    "[0, 1] taken for [-1, 1]": FalseGenerator("value range", unit_as_signed),
    "rows permuted": FalseGenerator("rows or columns scrambled", permuted_rows),
    "columns permuted": FalseGenerator("rows or columns scrambled", permuted_columns),
    "rows interleaved": FalseGenerator("rows or columns scrambled", interleaved_rows),
    "columns interleaved": FalseGenerator("rows or columns scrambled", interleaved_columns),
    "rows permuted in each image": FalseGenerator("rows or columns scrambled", rows_of_their_own),
    "memoriser": FalseGenerator("training images returned", memoriser),
    "one-class collapse": FalseGenerator("one-class collapse", one_class_collapse),
    "collapse to the last class": FalseGenerator("one-class collapse", last_class_collapse),
    "one image per class": FalseGenerator("one image per class", one_image_per_class),
    "one noisy image per class": FalseGenerator("one image per class", one_noisy_image_per_class),
    "labels swapped": FalseGenerator("labels swapped", labels_swapped),
    "two labels swapped": FalseGenerator("labels swapped", two_labels_swapped),
    "labels shuffled": FalseGenerator("labels shuffled", labels_shuffled),
    "blurred reals": FalseGenerator("blurred", blurred_reals),
    "duplicated reals": FalseGenerator("duplicated images", duplicated_reals),
}
# In colour only.
FALSE_COLOURS = {
    "channels swapped": FalseGenerator("colour channels swapped", swapped_channels),
    "channels last read as first": FalseGenerator("rows or columns scrambled", channels_last_read_as_first),
}
