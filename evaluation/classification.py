"""Scores of a classifier on held-out images; AUROC decides, the others describe."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_curve

from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import TrainedClassifier
from synthaug.evaluation.statistics import Estimate, Labels, Probabilities, Score, bootstrap


def auprc(labels: Labels, probabilities: Probabilities) -> float:
    """Average precision: of class 1 where there are two, else macro one-versus-rest."""
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([average_precision_score(labels == k, probabilities[:, k]) for k in classes]))


def accuracy(labels: Labels, decided: Labels) -> float:
    """Share of images whose class was decided rightly."""
    return float((decided == labels).mean())


def balanced_accuracy(labels: Labels, decided: Labels) -> float:
    """Mean over classes of the share found."""
    return float(np.mean([(decided[labels == k] == k).mean() for k in np.unique(labels)]))


def sensitivity(labels: Labels, decided: Labels) -> float:
    """Share of the abnormal (class 1) found; with more classes, the mean share found."""
    if labels.max() > 1:
        return balanced_accuracy(labels, decided)
    return float((decided[labels == 1] == 1).mean())


def specificity(labels: Labels, decided: Labels) -> float:
    """Share of the normal (class 0) left alone; with more classes, the mean over one-versus-rest."""
    classes = np.unique(labels) if labels.max() > 1 else [1]
    return float(np.mean([(decided[labels != k] != k).mean() for k in classes]))


# What ranks images is scored on probabilities, so no threshold can move it; the rest on decided classes.
RANKING: dict[str, Score] = {"AUROC": auroc, "AUPRC": auprc}
DECIDING: dict[str, Score] = {
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


def classifier_scores(
    labels: Labels, probabilities: Probabilities, threshold: float | None = None
) -> dict[str, float]:
    """Every score as a bare number, for means over trainings."""
    said = _said(probabilities, threshold)
    return {name: score(labels, answers) for name, (score, answers) in said.items()}


def evaluate_classifier(
    test: LabeledImages, probabilities: Probabilities, threshold: float | None = None
) -> dict[str, Estimate]:
    """Every score with its 95 % bootstrap interval over test images, whole patients where they are known.

    Args:
        threshold: of class 1, tuned on validation images; None takes the most probable class.
    """
    said = _said(probabilities, threshold)
    return {
        name: bootstrap(score, test.labels, answers, test.groups) for name, (score, answers) in said.items()
    }


def score_on_test(trained: TrainedClassifier, splits: Splits) -> dict[str, Estimate]:
    """Scores on the test split; with two classes the threshold is tuned on the validation split."""
    threshold = None
    if len(splits.class_names) == 2:
        threshold = tune_threshold(splits.val.labels, predict(trained.network, splits.val).probabilities)
    return evaluate_classifier(splits.test, predict(trained.network, splits.test).probabilities, threshold)


def _said(probabilities: Probabilities, threshold: float | None) -> dict[str, tuple[Score, npt.NDArray[Any]]]:
    """Each score with what it is a score of."""
    decided = decide(probabilities, threshold)
    return {name: (score, probabilities) for name, score in RANKING.items()} | {
        name: (score, decided) for name, score in DECIDING.items()
    }
