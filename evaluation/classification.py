"""Scores of a classifier on held-out images; AUROC decides, the others describe."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, recall_score, roc_curve

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import TrainedClassifier
from synthaug.evaluation.statistics import Estimate, Labels, Probabilities, ScoreFunction, bootstrap

SPECIFICITY = 0.9  # at which sensitivities are compared
AT_SPECIFICITY = f"sensitivity at specificity {SPECIFICITY:g}"
ECE_BINS = 15


@dataclass(frozen=True)
class AurocOver:
    """Mean AUROC over some classes, each against the rest: a score of probabilities as `auroc` is.

    Attributes:
        classes: their numbers, one or more.
    """

    classes: tuple[int, ...]

    def __call__(self, labels: Labels, probabilities: Probabilities) -> float:
        """Of labels (N,) and probabilities (N, K)."""
        areas = [auroc((labels == k).astype(np.int64), probabilities[:, [k, k]]) for k in self.classes]
        return float(np.mean(areas))


def auprc(labels: Labels, probabilities: Probabilities) -> float:
    """Average precision: of class 1 where there are two, else macro one-versus-rest."""
    classes = _scored(probabilities)
    return float(np.mean([average_precision_score(labels == k, probabilities[:, k]) for k in classes]))


def brier_score(labels: Labels, probabilities: Probabilities) -> float:
    """Mean squared distance to the truth (Brier 1950): 0..1 by class 1 of two, 0..2 over more classes."""
    distances = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)
    return float(distances.mean()) / (2 if probabilities.shape[1] == 2 else 1)


def calibration_error(labels: Labels, probabilities: Probabilities) -> float:
    """Expected calibration error of the most probable class, 15 bins of equal width (Guo et al. 2017).

    Chance within the bins counts as miscalibration: a perfectly calibrated classifier of two classes scored
    0.06 on 200 images, 0.03 on 624. Compare it between classifiers on the same images only.
    """
    confidence = probabilities.max(axis=1)
    excess = confidence - (probabilities.argmax(axis=1) == labels)
    bins = np.clip(np.ceil(confidence * ECE_BINS) - 1, 0, ECE_BINS - 1).astype(np.int64)  # as (low, high]
    return float(np.abs(np.bincount(bins, excess)).sum()) / len(labels)


def accuracy(labels: Labels, decided: Labels) -> float:
    """Share of images whose class was decided rightly."""
    return float((decided == labels).mean())


def balanced_accuracy(labels: Labels, decided: Labels) -> float:
    """Mean over classes of the share found."""
    return float(np.mean([(decided[labels == k] == k).mean() for k in np.unique(labels)]))


def class_recalls(labels: Labels, decided: Labels, classes: int) -> npt.NDArray[np.float64]:
    """(K,) share of each class's images found; NaN for a class that has none."""
    recalls: npt.NDArray[np.float64] = recall_score(
        labels, decided, labels=np.arange(classes), average=None, zero_division=np.nan
    )
    return recalls


def sensitivity(labels: Labels, decided: Labels) -> float:
    """Share of the abnormal (class 1) found; with more classes, the mean share found."""
    if labels.max() > 1:
        return balanced_accuracy(labels, decided)
    return float((decided[labels == 1] == 1).mean())


def specificity(labels: Labels, decided: Labels) -> float:
    """Share of the normal (class 0) left alone; with more classes, the mean over one-versus-rest."""
    classes = np.unique(labels) if labels.max() > 1 else [1]
    return float(np.mean([(decided[labels != k] != k).mean() for k in classes]))


def flagged_sensitivity(labels: Labels, flagged: npt.NDArray[np.bool_]) -> float:
    """Share of the abnormal (class 1) flagged; with more classes, the mean over those present.

    Args:
        flagged: (N, K), whether each image is called each class (`flag`).
    """
    classes = np.unique(labels) if flagged.shape[1] > 2 else [1]
    return float(np.mean([flagged[labels == k, k].mean() for k in classes]))


# What ranks images is scored on probabilities, so no threshold can move it, and so is how far they can be
# believed; the rest on decided classes.
RANKING: dict[str, ScoreFunction] = {"AUROC": auroc, "AUPRC": auprc}
CALIBRATION: dict[str, ScoreFunction] = {"Brier score": brier_score, "ECE": calibration_error}
DECIDING: dict[str, ScoreFunction] = {
    "accuracy": accuracy,
    "balanced accuracy": balanced_accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
}


def tune_threshold(labels: Labels, probabilities: Probabilities) -> float:
    """The threshold on class 1 of the best balanced accuracy (Youden 1950); give it *validation* images."""
    false_rate, true_rate, thresholds = roc_curve(labels, probabilities[:, 1])
    return float(min(thresholds[np.argmax(true_rate - false_rate)], 1.0))


def decide(probabilities: Probabilities, threshold: float | None = None) -> Labels:
    """(N,) classes: 1 from `threshold` on where there is one (two classes), else the most probable."""
    if threshold is None:
        likeliest: Labels = probabilities.argmax(axis=1)
        return likeliest
    return (probabilities[:, 1] >= threshold).astype(np.int64)


def specific_thresholds(labels: Labels, probabilities: Probabilities) -> Probabilities:
    """(K,) per class the lowest threshold that calls at most a tenth of the others that class.

    Give it *validation* images: the specificity is 0.9 or more on them, and on new images about one over
    their number lower, the same for every arm.

    Raises:
        DataError: the images are all of one class.
    """
    if len(np.unique(labels)) < 2:
        raise DataError(f"{len(labels)} images of one class: expected images of others to be specific about")
    thresholds = []
    for k in range(probabilities.shape[1]):
        others = np.sort(probabilities[labels != k, k])[::-1]
        allowed = int(np.round((1 - SPECIFICITY) * len(others), 9))
        thresholds.append(np.nextafter(others[allowed], np.inf))
    return np.array(thresholds)


def flag(probabilities: Probabilities, thresholds: Probabilities) -> npt.NDArray[np.bool_]:
    """(N, K) whether each image is called each class, one versus rest: from its threshold on."""
    called: npt.NDArray[np.bool_] = probabilities >= thresholds
    return called


def classifier_scores(
    labels: Labels,
    probabilities: Probabilities,
    threshold: float | None = None,
    *,
    specific: Probabilities | None = None,
) -> dict[str, float]:
    """Every score as a bare number, for means over trainings; arguments as of `evaluate_classifier`."""
    inputs = _score_inputs(probabilities, threshold, specific)
    return {name: score(labels, answers) for name, (score, answers) in inputs.items()}


def evaluate_classifier(
    test: LabeledImages,
    probabilities: Probabilities,
    threshold: float | None = None,
    *,
    specific: Probabilities | None = None,
) -> dict[str, Estimate]:
    """Every score with its 95 % bootstrap interval over test images, whole patients where they are known.

    Args:
        threshold: of class 1, tuned on validation images; None takes the most probable class.
        specific: (K,) thresholds from validation images (`specific_thresholds`); None leaves the sensitivity
            at that specificity out.
    """
    inputs = _score_inputs(probabilities, threshold, specific)
    estimates = {
        name: bootstrap(score, test.labels, answers, test.groups) for name, (score, answers) in inputs.items()
    }
    # a resample's repeats count as miscalibration too: the error rises, its spread is what can be used
    error = estimates["ECE"]
    half = (error.high - error.low) / 2
    estimates["ECE"] = replace(error, low=max(0.0, error.value - half), high=min(1.0, error.value + half))
    return estimates


def score_on_test(trained: TrainedClassifier, splits: Splits) -> dict[str, Estimate]:
    """Scores on the test split; every threshold is tuned on the validation split."""
    labels, val = splits.val.labels, predict(trained.network, splits.val).probabilities
    return evaluate_classifier(
        splits.test,
        predict(trained.network, splits.test).probabilities,
        tune_threshold(labels, val) if val.shape[1] == 2 else None,
        specific=specific_thresholds(labels, val),
    )


def _scored(probabilities: Probabilities) -> Iterable[int]:
    """The classes to average over: class 1 where there are two, else each against the rest."""
    return [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])


def _score_inputs(
    probabilities: Probabilities, threshold: float | None, specific: Probabilities | None
) -> dict[str, tuple[ScoreFunction, npt.NDArray[Any]]]:
    """Each score with what it is a score of."""
    decided = decide(probabilities, threshold)
    flagged = (
        {} if specific is None else {AT_SPECIFICITY: (flagged_sensitivity, flag(probabilities, specific))}
    )
    return (
        {name: (score, probabilities) for name, score in RANKING.items()}
        | flagged
        | {name: (score, decided) for name, score in DECIDING.items()}
        | {name: (score, probabilities) for name, score in CALIBRATION.items()}
    )
