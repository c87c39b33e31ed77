"""Intervals of one classifier's scores: what a number would be on other patients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from synthaug.augment.errors import DataError

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
# (labels (N,), what a classifier predicts of each image: probabilities (N, K) or classes (N,)) -> value
ScoreFunction = Callable[[Labels, npt.NDArray[Any]], float]


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that covers the truth with probability `level`."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def student_quantile(p: float, freedom: float) -> float:
    """Upper quantile of Student's distribution; of the normal one for infinite degrees of freedom."""
    if np.isinf(freedom):
        return float(-special.ndtri(p))
    return float(-special.stdtrit(freedom, p))


def resample_groups(
    labels: Labels, groups: npt.NDArray[np.generic] | None, rounds: int, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Bootstrap samples of the test rows, (rows drawn,) each: whole groups, every class present.

    Args:
        groups: (N,) patients; None lets every image be its own. Without groups, draws are stratified by
            class; with groups, samples that lost a class are drawn again.

    Raises:
        DataError: a class is carried by so few groups that most draws lack it.
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        for _ in range(rounds):
            yield np.concatenate([rng.choice(rows, len(rows)) for rows in members])
        return
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    by_group = np.argsort(numbers, kind="stable")  # the rows, group after group
    starts = np.cumsum(sizes) - sizes
    classes = len(np.unique(labels))
    drawn_rounds = 0
    for _ in range(20 * rounds):
        drawn = rng.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        shift = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        rows = by_group[np.arange(len(shift)) + shift]
        if len(np.unique(labels[rows])) == classes:
            yield rows
            drawn_rounds += 1
        if drawn_rounds == rounds:
            return
    raise DataError("too few patients per class for a bootstrap by patient: add test images")


def bootstrap(
    score: ScoreFunction,
    labels: Labels,
    answers: npt.NDArray[Any],
    groups: npt.NDArray[np.generic] | None = None,
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Percentile bootstrap over test images (or patients) of one classifier's score (Efron 1979)."""
    samples = resample_groups(labels, groups, rounds, seed)
    values = [score(labels[rows], answers[rows]) for rows in samples]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(score(labels, answers), float(low), float(high), level)
