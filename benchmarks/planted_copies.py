"""How many planted copies of training images the detector finds, and how many honest images it takes for one.

    python benchmarks/planted_copies.py --data-root DIR [mednist pneumoniamnist chestmnist chestmnist:64]

Each draw hides one kind of copy among held-out real images of the test split, at 1 % of the set: all honest
images, and copies of training images drawn at random; as many draws, at least three, as make 1,000 copies of
each kind. The threshold is set with the validation split only. Training images of one single grey value are
not planted: such a copy shows nobody (the table says how many there are). Honest images are judged once, as a
verdict does not depend on the other images of a set. A row has the share of copies found over all draws with
its 95 % interval (Wilson), and the share found with the very training image named: training images that
stand twice in a set are named once. Seconds are process time, on as many threads as OMP_NUM_THREADS allows.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.images import Pixels
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.memorization.near_copies import CopyDetector

MIX = 0.01  # of the images in a set are copies
DEFAULT = ["mednist", "pneumoniamnist", "chestmnist", "chestmnist:64"]

Draw = np.random.Generator
Plant = Callable[[Pixels, Draw], Pixels]  # (C, H, W) uint8 -> the same shape


def shift(image: Pixels, draw: Draw) -> Pixels:
    """By up to 2 pixels, never by none; the border filled with zeros or the edge."""
    steps = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if (y, x) != (0, 0)]
    y, x = steps[draw.integers(len(steps))]
    wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="edge" if draw.random() < 0.5 else "constant")
    return wide[:, 2 - y : 2 - y + image.shape[1], 2 - x : 2 - x + image.shape[2]]


def in_range(values: np.ndarray) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)


def noise(image: Pixels, draw: Draw, sigma: float = 0.02) -> Pixels:
    return in_range(image + draw.normal(0, 255 * sigma, image.shape))


def combined(image: Pixels, draw: Draw) -> Pixels:
    """Mirrored or not, shifted, brightness within 10 %, and the largest noise."""
    mirrored = image[:, :, ::-1] if draw.random() < 0.5 else image
    brightness = draw.uniform(0.9, 1.1)
    return in_range(brightness * shift(mirrored, draw) + draw.normal(0, 255 * 0.02, image.shape))


KINDS: dict[str, Plant] = {
    "exact": lambda image, draw: image,
    "shifted, up to 2 px": shift,
    "mirrored left-right": lambda image, draw: image[:, :, ::-1],
    "mirrored up-down": lambda image, draw: image[:, ::-1],
    "brightness x 1.1": lambda image, draw: in_range(image * 1.1),
    "brightness x 0.9": lambda image, draw: in_range(image * 0.9),
    "brightness + 10 %": lambda image, draw: in_range(image + 25.5),
    "brightness - 10 %": lambda image, draw: in_range(image - 25.5),
    "noise, sigma 0.01": lambda image, draw: noise(image, draw, 0.01),
    "noise, sigma 0.02": noise,
    "all of these": combined,
}


def measure(spec: str, root: Path, copies: int) -> list[str]:
    name, _, size = spec.partition(":")
    splits = load_dataset(name, ReadOptions(root=root, size=int(size) if size else None))
    start = time.process_time()
    detector = CopyDetector.fit(splits.train, splits.val)
    fitting = time.process_time() - start
    start = time.process_time()
    alarms = detector.near_copies(splits.test)
    each = (time.process_time() - start) / len(alarms)
    n, n_train, n_val = len(alarms), len(splits.train), len(detector.held_out.rows)
    grey = splits.train.pixels.reshape(n_train, -1)
    flat = (grey == grey[:, :1]).all(axis=1)
    planted = max(1, round(MIX / (1 - MIX) * n))
    draws = max(3, math.ceil(copies / planted))
    side, mix = splits.train.image_shape[-1], planted / (planted + n)
    lines = [
        f"{name}, {side} px, {n_train:,} training images, {flat.sum()} of one grey value",
        f"  threshold {detector.threshold:.4f}, flags {detector.false_alarms:.2%} of {n_val:,} in validation",
        f"  false alarms on test: {share(int(alarms.sum()), n)}",
        f"  seconds: {fitting:.1f} to fit, {each:.4f} per image searched",
        f"  {draws} draws of {planted} copies among {n:,} honest images: {mix:.1%} copies",
    ]
    for number, (kind, plant) in enumerate(KINDS.items()):
        found, named = 0, 0
        for seed in range(draws):
            draw = np.random.default_rng([seed, number])
            rows = draw.choice(np.flatnonzero(~flat), planted, replace=False)
            pixels = np.stack([plant(splits.train.pixels[row], draw) for row in rows])
            nearest = detector.search(replace(splits.train.take(rows), pixels=pixels, groups=None))
            copied = nearest.distances < detector.threshold
            found += int(copied.sum())
            named += int((copied & (nearest.rows == rows)).sum())
        recall = share(found, draws * planted)
        lines.append(f"  {kind:21} recall {recall}, named {named / (draws * planted):.2%}")
    return lines


def share(k: int, n: int) -> str:
    interval = binomtest(k, n).proportion_ci(method="wilson")
    return f"{k / n:.2%} [{interval.low:.2%}, {interval.high:.2%}] ({k:,} of {n:,})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="*", default=DEFAULT, help="NAME or NAME:SIZE")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=1000, help="of each kind, over all draws")
    options = parser.parse_args()
    for spec in options.datasets:
        print("\n".join(measure(spec, options.data_root, options.copies)), flush=True)


if __name__ == "__main__":
    main()
