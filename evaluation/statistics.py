"""Intervals: what a number would be on other patients, and what a gain would be on other trainings."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from synthaug.augment.errors import UsageError

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
Score = Callable[[Labels, Probabilities], float]


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
) -> list[npt.NDArray[np.int64]]:
    """Bootstrap samples of the test rows, (rows drawn,) each: whole groups, every class present.

    Args:
        groups: (N,) patients; None lets every image be its own. Without groups, draws are stratified by
            class; with groups, samples that lost a class are drawn again.

    Raises:
        UsageError: a class is carried by so few groups that no draw holds every class.
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        return [np.concatenate([rng.choice(rows, len(rows)) for rows in members]) for _ in range(rounds)]
    _, numbers = np.unique(groups, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    classes = len(np.unique(labels))
    samples: list[npt.NDArray[np.int64]] = []
    for _ in range(20 * rounds):
        rows = np.concatenate([rows_of[g] for g in rng.integers(len(rows_of), size=len(rows_of))])
        if len(np.unique(labels[rows])) == classes:
            samples.append(rows)
        if len(samples) == rounds:
            return samples
    raise UsageError("too few patients per class for a bootstrap by patient: add test images")


def bootstrap(
    score: Score,
    labels: Labels,
    probabilities: Probabilities,
    groups: npt.NDArray[np.generic] | None = None,
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Percentile bootstrap over test images (or patients) of one classifier's score (Efron 1979)."""
    samples = resample_groups(labels, groups, rounds, seed)
    values = [score(labels[rows], probabilities[rows]) for rows in samples]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(score(labels, probabilities), float(low), float(high), level)


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
    n = len(arm)
    differences = np.array([score(labels, a) - score(labels, b) for a, b in zip(arm, reference, strict=True)])
    if n < 2:
        return Estimate(float(differences.mean()), -np.inf, np.inf, level)
    resampled = []
    for rows in resample_groups(labels, groups, rounds, seed):
        pairs = zip(arm, reference, strict=True)
        resampled.append(
            np.mean([score(labels[rows], a[rows]) - score(labels[rows], b[rows]) for a, b in pairs])
        )
    over_trainings = float(differences.var(ddof=1)) / n
    over_patients = float(np.var(resampled, ddof=1))
    variance = over_trainings + over_patients
    if variance == 0:
        return Estimate(
            float(differences.mean()), float(differences.mean()), float(differences.mean()), level
        )
    freedom = variance**2 / (over_trainings**2 / (n - 1) + over_patients**2 / (rounds - 1))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * variance**0.5
    mean = float(differences.mean())
    return Estimate(mean, mean - half, mean + half, level)
