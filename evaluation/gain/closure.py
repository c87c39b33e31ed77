"""How much of the gap to the classifier that has all labels an arm closes, with an interval."""

import numpy as np
from scipy import stats

from synthaug.evaluation.hierarchy import Difference
from synthaug.evaluation.influence import Values
from synthaug.evaluation.statistics import Estimate


def gap_closure(
    arm: Difference, ceiling: Difference, between: Difference, level: float = 0.95
) -> Estimate | None:
    """(arm - reference) / (ceiling - reference), with its Fieller interval (Fieller 1954).

    A share theta is in the interval where the contrast arm - reference - theta (ceiling - reference) is not
    told apart from zero, by the same errors and quantiles as `Difference.interval`: so it covers new
    trainings of the outermost level and new test patients, and holds the arm's covariance with the ceiling,
    which share test images and reference. A bootstrap of the ratio over three or four outermost members has
    no such quantiles, and no moments where a resampled gap comes near zero.

    The covariance is that of three variances: 2 cov(a, c) = var a + var c - var(a - c).

    Args:
        arm: arm - reference.
        ceiling: ceiling - reference, on the same units and test images.
        between: arm - ceiling, or the other way round, on them too.

    Returns:
        None where the ceiling is not above the reference. Infinite ends with one training, or where the
        ceiling's own interval reaches zero: no share can be ruled out then.
    """
    if ceiling.value <= 0:
        return None
    value = arm.value / ceiling.value
    unbounded = Estimate(value, -np.inf, np.inf, level)
    if min(arm.clusters, ceiling.clusters, between.clusters) < 2:
        return unbounded
    p = (1 - level) / 2
    trainings = _covariances(arm.over_trainings, ceiling.over_trainings, between.over_trainings)
    patients = _covariances(arm.over_patients, ceiling.over_patients, between.over_patients)
    half = trainings * stats.t.isf(p, arm.clusters - 1) ** 2
    half = half + patients * stats.t.isf(p, arm.patient_freedom) ** 2
    # (arm - theta ceiling)² <= its half width², a square in theta
    values = np.array([arm.value, ceiling.value])
    (constant, linear), (_, square) = np.outer(values, values) - half
    if square <= 0:
        return unbounded
    root = max(0.0, linear**2 - square * constant) ** 0.5
    return Estimate(value, (linear - root) / square, (linear + root) / square, level)


def _covariances(arm: float, ceiling: float, between: float) -> Values:
    """(2, 2) of arm and ceiling, from the standard errors of both and of their difference."""
    shared = (arm**2 + ceiling**2 - between**2) / 2
    shared = float(np.clip(shared, -arm * ceiling, arm * ceiling))  # patients' errors are cut off at zero
    return np.array([[arm**2, shared], [shared, ceiling**2]])
