"""How many labelled subsets an experiment needs, and how small an effect it can find."""

from bisect import bisect_left
from functools import lru_cache
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from synthaug.augment.errors import UsageError
from synthaug.evaluation.hierarchy import Difference
from synthaug.evaluation.influence import Values
from synthaug.evaluation.statistics import Labels, student_quantile

ALPHA = 0.05
MOST_SUBSETS = 10_000
ASSUMED_AREA, ASSUMED_CORRELATION = 0.85, 0.9  # before any was trained
QUANTILES = (np.arange(2000) + 0.5) / 2000  # of the standard deviation that an experiment happens to find


class Terms(TypedDict, total=False):
    """What `power` depends on besides effect, subsets and their spread."""

    over_patients: float
    patient_freedom: float
    comparisons: int
    alpha: float


def power(
    effect: float,
    subsets: int,
    sd: float,
    *,
    over_patients: float = 0.0,
    patient_freedom: float = np.inf,
    comparisons: int = 1,
    alpha: float = ALPHA,
) -> float:
    """The probability that `hierarchy.Difference` of so many subsets leaves zero out at Holm's first step.

    With `over_patients` 0 it is the power of the paired t test (noncentral t); else the test patients, who
    stay the same however many subsets there are, add their normal error to both the interval and the value.

    Args:
        effect: true mean difference, as a share of AUROC: 0.02 is two points.
        subsets: members of the outermost level (`Difference.clusters`), 2 or more.
        sd: standard deviation of the paired differences between them; `pilot_sd` takes it from trainings.
        over_patients: standard error of the test patients (`Difference.over_patients`).
        patient_freedom: its degrees of freedom; few where a class has few test patients.
        comparisons: how many Holm's correction counts; the first step is held against alpha / comparisons.

    Returns:
        0 to 1; a difference found with the wrong sign counts as well.

    Raises:
        UsageError: an effect or a standard deviation of zero, fewer than two subsets, no comparison.
    """
    _check(sd, comparisons, alpha, over_patients)
    if effect == 0 or not np.isfinite(effect):
        raise UsageError(f"effect {effect}: expected a difference other than 0, such as 0.02")
    if subsets < 2:
        raise UsageError(f"subsets {subsets}: expected 2 or more, one does not show its own spread")
    p = alpha / comparisons
    of_subsets = sd * _sampled_sd(subsets - 1) / subsets**0.5 * student_quantile(p / 2, subsets - 1)
    half = np.hypot(of_subsets, over_patients * student_quantile(p / 2, patient_freedom))  # (quantiles,)
    error = np.hypot(sd / subsets**0.5, over_patients)
    outside = special.ndtr((effect - half) / error) + special.ndtr((-half - effect) / error)
    return float(outside.mean())


@lru_cache(maxsize=256)
def _sampled_sd(freedom: int) -> Values:
    """(quantiles,) what a standard deviation of 1 may be found to be."""
    return np.asarray(np.sqrt(stats.chi2.ppf(QUANTILES, freedom) / freedom))


def subsets_needed(effect: float, sd: float, *, target: float = 0.8, **terms: Unpack[Terms]) -> int:
    """The fewest subsets (2 or more) that find this effect with the target power; arguments as of `power`.

    Raises:
        UsageError: as of `power`; a target outside (alpha, 1); an effect that 10,000 subsets miss.
    """
    _check_target(target, terms.get("alpha", ALPHA))
    candidates = range(2, MOST_SUBSETS + 1)
    if (most := power(effect, MOST_SUBSETS, sd, **terms)) < target:
        blurred = terms.get("over_patients", 0.0) > 0
        why = "the test patients alone blur it: add test images" if blurred else "it is too small"
        raise UsageError(
            f"effect {effect:g}: {MOST_SUBSETS} subsets find it with power {most:.4f}, expected {target:g}; "
            f"{why}, or ask for a larger effect"
        )
    return candidates[bisect_left(candidates, target, key=lambda n: power(effect, n, sd, **terms))]


def smallest_effect(subsets: int, sd: float, *, target: float = 0.8, **terms: Unpack[Terms]) -> float:
    """The smallest effect that so many subsets find with the target power; arguments as of `power`."""
    _check_target(target, terms.get("alpha", ALPHA))
    unit = float(np.hypot(sd, terms.get("over_patients", 0.0)))
    _check(sd, terms.get("comparisons", 1), terms.get("alpha", ALPHA), terms.get("over_patients", 0.0))

    def lacking(effect: float) -> float:
        return power(effect, subsets, sd, **terms) - target

    largest = unit
    while lacking(largest) < 0:
        largest *= 2
    return float(optimize.brentq(lacking, unit * 1e-9, largest, xtol=unit * 1e-9))


def pilot_sd(pilot: Difference, assurance: float = 0.8) -> float:
    """The standard deviation to plan with, from trainings that are there.

    A standard deviation of a few trainings is as often too small as too large, and an experiment planned with
    one that is too small misses its power: the upper confidence limit keeps it with this assurance (Browne
    1995, Statistics in Medicine 14:1933). Half the pilots would plan too few subsets with their plain value.

    Args:
        pilot: of two clusters or more; its `over_patients` goes to the planner as it is.
        assurance: the probability that the true standard deviation is no larger, in (0, 1).

    Raises:
        UsageError: a pilot of one training.
    """
    if pilot.clusters < 2:
        raise UsageError("a pilot of one training shows no spread: expected 2 or more subsets, train another")
    if not 0 < assurance < 1:
        raise UsageError(f"assurance {assurance}: expected a number between 0 and 1")
    freedom = pilot.clusters - 1
    sd = pilot.over_trainings * pilot.clusters**0.5
    return float(sd * np.sqrt(freedom / stats.chi2.ppf(1 - assurance, freedom)))


def expected_over_patients(labels: Labels, groups: npt.NDArray[np.generic] | None) -> tuple[float, float]:
    """The error over test patients of an AUROC difference before anything was trained, and its freedom.

    Hanley & McNeil (1982, Radiology 143:29) give the variance of an AUROC from the numbers of cases, and
    (1983, Radiology 148:839) that of the difference of two on the same cases, from their correlation. Both
    are assumed: an AUROC of .85, and a correlation of .9 between two trainings that differ in some images.
    With more than two classes the mean over classes, each against the rest.

    Args:
        labels, groups: (N,) of the test images; patients count as cases, where they are known.
    """
    patients = np.arange(len(labels)) if groups is None else groups
    cases = [len(np.unique(patients[labels == label])) for label in np.unique(labels)]
    rest = [len(np.unique(patients[labels != label])) for label in np.unique(labels)]
    variances = [_variance_of_area(*counts) for counts in zip(cases, rest, strict=True)]
    alone = variances[1] if len(cases) == 2 else sum(variances) / len(cases) ** 2
    return float((2 * alone * (1 - ASSUMED_CORRELATION)) ** 0.5), float(max(1, min(cases) - 1))


def _variance_of_area(positives: int, negatives: int) -> float:
    area = ASSUMED_AREA
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return (area * (1 - area) + spread) / (positives * negatives)


def _check(sd: float, comparisons: int, alpha: float, over_patients: float) -> None:
    if not 0 < sd < np.inf:
        raise UsageError(f"standard deviation {sd}: expected more than 0, the spread between subsets")
    if comparisons < 1:
        raise UsageError(f"comparisons {comparisons}: expected 1 or more")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha {alpha}: expected a number between 0 and 1")
    if not 0 <= over_patients < np.inf:
        raise UsageError(f"over_patients {over_patients}: expected a standard error of 0 or more")


def _check_target(target: float, alpha: float) -> None:
    if not alpha < target < 1:
        raise UsageError(f"power {target}: expected a number between alpha ({alpha}) and 1, such as 0.8")
