"""The one number that chooses checkpoints."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from synthaug.augment.errors import DataError


def auroc(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> float:
    """Area under the ROC curve: of class 1 where there are two, else macro one-versus-rest.

    Args:
        labels: (N,).
        probabilities: (N, K).

    Raises:
        DataError: a class has no image, or all of them.
    """
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([_area(labels == k, probabilities[:, k]) for k in classes]))


def _area(positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> float:
    """How often a positive outranks a negative, ties half: by ranks (Mann and Whitney 1947)."""
    n = int(positive.sum())
    if n in (0, len(positive)):
        raise DataError(f"AUROC of {n} positive images among {len(positive)}: expected some of each")
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))
