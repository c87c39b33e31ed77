"""Copies of training images hidden among honest ones are found, and honest images are not taken for copies.

The threshold is set with the validation split only; honest images are those of the test split. A verdict does
not depend on the other images of a set. Images of one grey value are not planted: a copy shows nobody.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.images import Pixels, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.memorization.near_copies import CopyDetector

Draw = np.random.Generator
COPIES = 200  # of each kind: 99 % found is at most 2 missed, 1 allowed for chance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def shifted(image: Pixels, draw: Draw) -> Pixels:
    """By up to 2 pixels, never by none; the border filled with zeros or the edge."""
    steps = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if (y, x) != (0, 0)]
    y, x = steps[draw.integers(len(steps))]
    wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="edge" if draw.random() < 0.5 else "constant")
    return wide[:, 2 - y : 2 - y + image.shape[1], 2 - x : 2 - x + image.shape[2]]


def in_range(values: np.ndarray) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)


def noisy(image: np.ndarray, draw: Draw, sigma: float = 0.02) -> Pixels:
    return in_range(image + draw.normal(0, 255 * sigma, image.shape))


def all_at_once(image: Pixels, draw: Draw) -> Pixels:
    """Mirrored or not, shifted, brightness within 10 %, and the largest noise."""
    mirrored = image[:, :, ::-1] if draw.random() < 0.5 else image
    return noisy(draw.uniform(0.9, 1.1) * shifted(mirrored, draw), draw)


KINDS: dict[str, Callable[[Pixels, Draw], Pixels]] = {
    "exact": lambda image, draw: image,
    "shifted": shifted,
    "mirrored left-right": lambda image, draw: image[:, :, ::-1],
    "mirrored up-down": lambda image, draw: image[:, ::-1],
    "brightness × 1.1": lambda image, draw: in_range(image * 1.1),
    "brightness × 0.9": lambda image, draw: in_range(image * 0.9),
    "brightness + 10 %": lambda image, draw: in_range(image + 25.5),
    "brightness - 10 %": lambda image, draw: in_range(image - 25.5),
    "noise, σ 0.01": lambda image, draw: noisy(image, draw, 0.01),
    "noise, σ 0.02": noisy,
    "all at once": all_at_once,
}


@pytest.fixture(scope="module", params=["chestmnist", "chestmnist:64", "pneumoniamnist", "mednist"])
def known(request: pytest.FixtureRequest, data_root: Path) -> tuple[Splits, CopyDetector]:
    name, _, size = request.param.partition(":")
    splits = load_dataset(name, ReadOptions(root=data_root, size=int(size) if size else None))
    return splits, CopyDetector.fit(splits.train, splits.val)


def test_honest_images_are_hardly_ever_taken_for_copies(known: tuple[Splits, CopyDetector]) -> None:
    splits, detector = known
    assert detector.near_copies(splits.test).mean() <= 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_found_and_their_original_is_named(
    known: tuple[Splits, CopyDetector], kind: str
) -> None:
    splits, detector = known
    grey = splits.train.pixels.reshape(len(splits.train), -1)
    showing = np.flatnonzero((grey != grey[:, :1]).any(axis=1))
    draw = np.random.default_rng([*KINDS].index(kind))
    rows = draw.choice(showing, COPIES, replace=False)
    pixels = np.stack([KINDS[kind](splits.train.pixels[row], draw) for row in rows])
    nearest = detector.search(replace(splits.train.take(rows), pixels=pixels, groups=None))
    found = nearest.distances < detector.threshold
    assert found.mean() >= 0.985
    assert (nearest.rows == rows)[found].mean() >= 0.9  # what stands twice in a set is named once
