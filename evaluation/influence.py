"""What each test image contributes to a score: the score's variance over patients without resampling them.

A score of N images is, to first order, its expectation plus the sum of N contributions that add up to zero
(its influence function; Hampel 1974). For AUROC these are the placements of DeLong et al. (1988). The
variance over patients is that of a sum over patients: Obuchowski (1997) for images that are clustered in
them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import AurocOver, accuracy, balanced_accuracy
from synthaug.evaluation.statistics import Labels, ScoreFunction

Values = npt.NDArray[np.float64]


def placements(positive: npt.NDArray[np.bool_], scores: Values) -> tuple[Values, Values]:
    """Of each positive the share of negatives it outranks, of each negative the share of positives above it.

    Ties count half. Both average to the AUROC.

    Args:
        positive: (N,).
        scores: (N,).

    Returns:
        (positives,) and (negatives,), in 0 to 1.
    """
    ours, others = scores[positive], scores[~positive]
    return _outranked(ours, np.sort(others)), 1 - _outranked(others, np.sort(ours))


def _outranked(scores: Values, others: Values) -> Values:
    """Of each score the share of the others, in ascending order, that is below it; ties half."""
    below = np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")
    return below / (2 * len(others))


def contributions(score: ScoreFunction, labels: Labels, outputs: npt.NDArray[Any]) -> tuple[float, Values]:
    """A score and what each image contributes to it, (N,), which add up to zero.

    Args:
        score: `auroc` or an `AurocOver` of probabilities; `accuracy` or `balanced_accuracy` of decided
        classes. labels: (N,) of the test images, every class present. outputs: (N, K) probabilities or (N,)
        classes, as the score takes them.
    """
    if isinstance(score, AurocOver):
        return _of_areas(labels, outputs, score.classes)
    if score is auroc:
        return _of_areas(labels, outputs, (1,) if outputs.shape[1] == 2 else tuple(range(outputs.shape[1])))
    return _OF_DECISIONS[score](labels, outputs)


def variance_over_patients(
    contributed: Values, labels: Labels, groups: npt.NDArray[np.generic] | None
) -> Values:
    """Variance of a score over new test patients.

    Args:
        contributed: (..., N) of `contributions`, or differences and means of them.
        labels: (N,).
        groups: (N,) patients; None lets every image be its own, drawn within its class.

    Returns:
        (...), unbiased where images are patients of their own; with groups, with the factor m / (m - 1) of
        the m patients of the rarest class, which errs on the wide side.
    """
    if groups is None:
        classes = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
        parts = [contributed[..., rows] for rows in classes if len(rows)]
        return np.asarray(sum(part.var(axis=-1, ddof=1) * part.shape[-1] for part in parts))
    numbers = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    sums = np.add.reduceat(contributed[..., order], starts, axis=-1)
    patients = patients_of_rarest_class(labels, groups)
    return np.asarray((sums**2).sum(axis=-1) * patients / (patients - 1))


def patients_of_rarest_class(labels: Labels, groups: npt.NDArray[np.generic] | None) -> int:
    """How many patients carry the rarest class: they decide how well the patients' spread is known.

    Raises:
        DataError: fewer than two.
    """
    if groups is None:
        counts = np.bincount(labels)
        rarest = int(counts[counts > 0].min())
    else:
        rarest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if rarest < 2:
        raise DataError(
            "a class has one test patient, who has no spread: expected two or more, add test images"
        )
    return rarest


def _of_areas(labels: Labels, probabilities: Values, classes: tuple[int, ...]) -> tuple[float, Values]:
    total, areas = np.zeros(len(labels)), []
    for label in classes:
        positive = labels == label
        if positive.all() or not positive.any():
            raise DataError(
                f"AUROC of {positive.sum()} positive images among {len(labels)}: expected some of each"
            )
        of_positives, of_negatives = placements(positive, probabilities[:, label])
        areas.append(of_positives.mean())
        total[positive] += (of_positives - areas[-1]) / len(of_positives)
        total[~positive] += (of_negatives - areas[-1]) / len(of_negatives)
    return float(np.mean(areas)), total / len(classes)


def _of_accuracy(labels: Labels, decided: Labels) -> tuple[float, Values]:
    right = (decided == labels).astype(np.float64)
    return float(right.mean()), (right - right.mean()) / len(right)


def _of_balanced_accuracy(labels: Labels, decided: Labels) -> tuple[float, Values]:
    right = (decided == labels).astype(np.float64)
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    recalls = np.bincount(numbers, right) / counts
    return float(recalls.mean()), (right - recalls[numbers]) / counts[numbers] / len(counts)


_OF_DECISIONS: dict[ScoreFunction, Callable[[Labels, Labels], tuple[float, Values]]] = {
    accuracy: _of_accuracy,
    balanced_accuracy: _of_balanced_accuracy,
}
