"""Intervals from subsets: their width against the truth, by simulation, and their rules."""

import numpy as np
import pytest

from synthaug.evaluation import jackknife
from synthaug.evaluation.features import Features
from synthaug.evaluation.jackknife import estimate
from synthaug.evaluation.metrics import METRICS, score_all

NAMES = list(METRICS)
PARTS = ("value", "floor", "gap")


def cloud(rng: np.random.Generator, n: int, dimensions: int = 8, *, worse: bool = False) -> Features:
    """Normal features with variances 1 / k, and logits of four classes that follow from them."""
    vectors = rng.normal(size=(n, dimensions)) * np.arange(1, dimensions + 1) ** -0.5
    if worse:
        vectors = 0.2 + 1.1 * vectors
    classes = np.random.default_rng(5).normal(size=(dimensions, 4))
    return Features(vectors, 2 * vectors @ classes)


def drawn_often(times: int, n: int, dimensions: int, *, worse: bool, rounds: int) -> dict[str, np.ndarray]:
    """Of each metric (times, value/floor/gap, value/error/low/high) over independent sets."""
    rng = np.random.default_rng(0)
    found: dict[str, list] = {name: [] for name in NAMES}
    for k in range(times):
        sets = [cloud(rng, n, dimensions, worse=w) for w in (False, False, worse)]
        for name, three in estimate(score_all, *sets, NAMES, rounds=rounds, seed=k).items():
            found[name].append([(e.value, e.low, e.high) for e in three])
    return {name: np.array(rows) for name, rows in found.items()}


def wrong_widths(found: dict[str, np.ndarray], lowest: float, highest: float) -> list[str]:
    """Where the mean half width is not 1.96 true deviations; clipped sides are left out. Prints all of it."""
    wrong = []
    for name, rows in found.items():
        for k, part in enumerate(PARTS):
            values, low, high = rows[:, k].T
            half = np.maximum(values - low, high - values)
            ratio = half.mean() / 1.96 / values.std(ddof=1)
            truth = values.mean() if part != "gap" else 0.0
            covered = np.mean((low <= truth) & (truth <= high))
            print(f"{name:9s} {part:5s} error / deviation {ratio:.2f}, intervals with truth {covered:.3f}")
            if not lowest <= ratio <= highest:
                wrong.append(f"{name} {part} {ratio:.2f}")
    return wrong
