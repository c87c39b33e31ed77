"""Intervals: what a number would be on other patients, and what a gain would be on other trainings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from synthaug.augment.errors import DataError

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
# (labels (N,), what a classifier said of each image: probabilities (N, K) or classes (N,)) -> value
Score = Callable[[Labels, npt.NDArray[Any]], float]


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that covers the truth with probability `level`."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


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
    found = 0
    for _ in range(20 * rounds):
        drawn = rng.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        shift = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        rows = by_group[np.arange(len(shift)) + shift]
        if len(np.unique(labels[rows])) == classes:
            yield rows
            found += 1
        if found == rounds:
            return
    raise DataError("too few patients per class for a bootstrap by patient: add test images")


def bootstrap(
    score: Score,
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


def paired_gain(
    score: Score,
    labels: Labels,
    arm: list[Probabilities],
    reference: list[Probabilities],
    groups: npt.NDArray[np.generic] | None = None,
    *,
    rounds: int = 300,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Mean score difference arm - reference over paired trainings, for new trainings *and* new patients.

    The variance of the mean is the sum of two: the spread of the difference over trainings (subset,
    generator, initial weights), s²/n, and the bootstrap variance over test patients with the trainings held
    fixed. The t quantile's degrees of freedom follow Satterthwaite (1946): with few trainings that disagree
    the interval is as wide as n - 1 degrees of freedom demand, with trainings that agree it is the test
    set's size that decides. The sum errs on the wide side, as both parts see some of the same noise.

    Args:
        arm, reference: probabilities (N, K) of each training; entry i of both shares seed and subset.
        level: of the interval; raise it when several arms are compared.

    Returns:
        The estimate; its interval is infinite with a single training, which cannot show its own spread.
    """
    pairs = list(zip(arm, reference, strict=True))
    differences = [score(labels, a) - score(labels, b) for a, b in pairs]
    mean = float(np.mean(differences))
    n = len(pairs)
    if n < 2:
        return Estimate(mean, -np.inf, np.inf, level)
    resampled = [
        np.mean([score(labels[rows], a[rows]) - score(labels[rows], b[rows]) for a, b in pairs])
        for rows in resample_groups(labels, groups, rounds, seed)
    ]
    over_trainings = float(np.var(differences, ddof=1)) / n
    over_patients = float(np.var(resampled, ddof=1))
    variance = over_trainings + over_patients
    if variance == 0:
        return Estimate(mean, mean, mean, level)
    freedom = variance**2 / (over_trainings**2 / (n - 1) + over_patients**2 / (rounds - 1))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * variance**0.5
    return Estimate(mean, mean - half, mean + half, level)
