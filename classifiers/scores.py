"""The one number that chooses checkpoints."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score


def auroc(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> float:
    """Area under the ROC curve: of class 1 where there are two, else macro one-versus-rest.

    Args:
        labels: (N,).
        probabilities: (N, K).
    """
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    columns = range(probabilities.shape[1])
    return float(np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in columns]))
