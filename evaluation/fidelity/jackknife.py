"""Intervals for metrics of whole sets of images, from subsets drawn without replacement.

The bootstrap draws images twice: a copy is its own nearest neighbour, and the Fréchet distance of samples
with copies is biased. Subsets have no copies. A metric's variance over subsets of a share s of the images,
times s / (1 - s), is its variance on all of them: the delete-d jackknife (Shao & Wu 1989, "A general theory
for jackknife variance estimation"). Where patients are known, they are drawn, with all their images.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.metrics import METRICS
from synthaug.evaluation.statistics import Estimate, student_quantile

ScoreAll = Callable[[Features, Features, Sequence[str]], dict[str, float]]
Three = dict[str, npt.NDArray[np.float64]]  # of each metric: value, floor, gap

# Half of this share of the images is in a subset. By simulation: on larger ones the metrics that count
# neighbours jump more than the factor knows of (a share of 0.9 gives errors 1.2 to 2 times the truth), on
# smaller ones the neighbours are too far away. Squared distances take both sizes.
SHARE = 0.75
LARGEST = 2000  # images of the floor and of the synthetic set in the larger subset
LARGEST_REFERENCE = 4000
LEVEL = 0.95


def estimate(
    score_all: ScoreAll,
    reference: Features,
    floor: Features,
    synthetic: Features,
    names: Sequence[str],
    *,
    rounds: int = 50,
    seed: int = 0,
) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Value, floor and gap = value - floor of each metric, with 95 % intervals from the same subsets.

    A subset is one of all three sets at once, so that the gap's interval knows that value and floor share the
    reference.

    Args:
        score_all: (real, other, names) -> values by name.
        reference, floor, synthetic: ten rows or more each.
        names: keys of METRICS.
        rounds: subsets drawn; the width of an interval is itself uncertain by 70 % / √rounds, which Student's
            quantile of `freedom` allows for.

    Returns:
        By name, those that `score_all` gives: values of all rows, intervals within the metric's range.
    """
    rng = np.random.default_rng(seed)
    sets = (reference, floor, synthetic)
    values = _three(score_all, sets, names)
    share = min(SHARE, LARGEST / max(len(floor.vectors), len(synthetic.vectors)))
    pool = min(
        len(reference.vectors), round(LARGEST_REFERENCE / share)
    )  # a thinner one errs on the wide side
    thinned = (reference.take(_drawn(reference, rng)[:pool]), floor, synthetic)
    quadratic = [name for name in values if METRICS[name].quadratic]
    large, small = [], []
    for _ in range(rounds):
        orders = [_drawn(each, rng) for each in thinned]
        small.append(_three(score_all, _subsets(thinned, orders, share / 2), names))
        if quadratic:
            large.append(_three(score_all, _subsets(thinned, orders, share), quadratic))
    estimates = {}
    for name, value in values.items():
        variance = _variance(small, name) * (share / 2) / (1 - share / 2)
        if name in quadratic:
            variance = _of_mixed_order(_variance(large, name), _variance(small, name), share)
        estimates[name] = _estimates(name, value, np.sqrt(variance), freedom(floor, synthetic, rounds))
    return estimates


def _of_mixed_order(
    large: npt.NDArray[np.float64], small: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.float64]:
    """Variance on all images of a metric whose variance is a / n + b / n², from subsets of two sizes.

    Squared distances between distributions are such: b alone is left when the two are equal. The jackknife's
    factor takes all for a, and would then give intervals that are √(1 + 1 / share) times too wide.
    """

    def weights(s: float) -> tuple[float, float]:
        return 1 / s - 1, 1 / s**2 - 1  # of a / n and of b / n² in the variance over subsets

    (a1, b1), (a2, b2) = weights(share), weights(share / 2)
    both = (large * (b2 - a2) + small * (a1 - b1)) / (a1 * b2 - a2 * b1)
    return np.clip(both, large / b1, large / a1)  # neither part is below zero


def _drawn(features: Features, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The rows in random order, the rows of a patient one after the other: a subset is one of patients."""
    if features.groups is None:
        return rng.permutation(len(features.vectors))
    _, patients = np.unique(features.groups, return_inverse=True)
    return np.argsort(rng.permutation(patients.max() + 1)[patients], kind="stable")


def _subsets(
    sets: Sequence[Features], orders: Sequence[npt.NDArray[np.int64]], share: float
) -> list[Features]:
    return [
        each.take(order[: max(2, round(share * len(order)))])
        for each, order in zip(sets, orders, strict=True)
    ]


def _three(score_all: ScoreAll, sets: Sequence[Features], names: Sequence[str]) -> Three:
    reference, floor, synthetic = sets
    values, floors = score_all(reference, synthetic, names), score_all(reference, floor, names)
    return {name: np.array([value, floors[name], value - floors[name]]) for name, value in values.items()}


def _variance(drawn: Sequence[Three], name: str) -> npt.NDArray[np.float64]:
    return np.asarray(np.var([values[name] for values in drawn], axis=0, ddof=1))


def freedom(floor: Features, synthetic: Features, rounds: int) -> int:
    """Degrees of freedom of an interval: subsets drawn, or images or patients of a set, less one."""
    sizes = [
        len(one.vectors) if one.groups is None else len(np.unique(one.groups)) for one in (floor, synthetic)
    ]
    return max(1, min(rounds, *sizes) - 1)


def _estimates(
    name: str, values: npt.NDArray[np.float64], errors: npt.NDArray[np.float64], freedom: float
) -> tuple[Estimate, Estimate, Estimate]:
    metric = METRICS[name]
    lowest, highest = metric.lowest, metric.highest
    widest = highest - lowest
    ranges = ((lowest, highest), (lowest, highest), (-widest, widest))
    half = student_quantile((1 - LEVEL) / 2, freedom) * errors
    value, floor, gap = (
        Estimate(float(v), float(max(v - h, low)), float(min(v + h, high)), LEVEL)
        for v, h, (low, high) in zip(values, half, ranges, strict=True)
    )
    return value, floor, gap
