"""What a gain is worth that is quoted because it passed a test: such estimates are too high on average."""

import numpy as np
from scipy import special

GRID = 2001  # points of the conditional likelihood
REACH = 6.0  # standard errors on either side


def selection_adjusted(value: float, error: float, threshold: float) -> float:
    """The effect behind an estimate that is looked at because it lies beyond a threshold on either side.

    The mean of the likelihood of the estimate given that it passed (Ghosh, Zou & Wright 2008, American
    Journal of Human Genetics 82:1064, their second estimator): near the threshold it is much nearer to zero
    than the estimate, far above it is the estimate.

    Args:
        value: that passed: |value| > threshold.
        error: its standard error.
        threshold: half the width of the interval that had to leave zero out.
    """
    if error <= 0 or not np.isfinite(threshold):
        return value
    z, c = value / error, threshold / error
    mu = np.linspace(min(0.0, z) - REACH, max(0.0, z) + REACH, GRID)
    logarithm = -((z - mu) ** 2) / 2 - np.logaddexp(special.log_ndtr(mu - c), special.log_ndtr(-mu - c))
    weights = np.exp(logarithm - logarithm.max())
    return float((weights * mu).sum() / weights.sum()) * error
