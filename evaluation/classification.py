"""Scores of a classifier on held-out images; AUROC decides, the others describe."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_curve

from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import TrainedClassifier
from synthaug.evaluation.statistics import Estimate, Labels, Probabilities, bootstrap


def auprc(labels: Labels, probabilities: Probabilities) -> float:
    """Average precision: of class 1 where there are two, else macro one-versus-rest."""
    if probabilities.shape[1] == 2:
        return float(average_precision_score(labels, probabilities[:, 1]))
    columns = range(probabilities.shape[1])
    return float(np.mean([average_precision_score(labels == k, probabilities[:, k]) for k in columns]))


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of images whose most probable class is right."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean over classes of the share found."""
    return float(balanced_accuracy_score(labels, probabilities.argmax(axis=1)))


def sensitivity(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the abnormal (class 1) found; with more classes, the mean share found."""
    if probabilities.shape[1] > 2:
        return balanced_accuracy(labels, probabilities)
    return float((probabilities.argmax(axis=1)[labels == 1] == 1).mean())


def specificity(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the normal (class 0) left alone; with more classes, the mean over one-versus-rest."""
    predicted = probabilities.argmax(axis=1)
    if probabilities.shape[1] == 2:
        return float((predicted[labels == 0] == 0).mean())
    columns = range(probabilities.shape[1])
    return float(np.mean([(predicted[labels != k] != k).mean() for k in columns]))


SCORES = {
    "AUROC": auroc,
    "AUPRC": auprc,
    "accuracy": accuracy,
    "balanced accuracy": balanced_accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
}


def tune_threshold(labels: Labels, probabilities: Probabilities) -> float:
    """The threshold on class 1 of the best balanced accuracy (Youden 1950); give it *validation* images."""
    false_rate, true_rate, thresholds = roc_curve(labels, probabilities[:, 1])
    return float(min(thresholds[np.argmax(true_rate - false_rate)], 1.0))


def at_threshold(probabilities: Probabilities, threshold: float) -> Probabilities:
    """Two-class probabilities moved so that `threshold` lies at 0.5; the order, and so AUROC, is kept."""
    p = np.clip(probabilities[:, 1], 1e-12, 1 - 1e-12)
    t = min(max(threshold, 1e-12), 1 - 1e-12)
    moved = 1 / (1 + np.exp(-(np.log(p / (1 - p)) - np.log(t / (1 - t)) + 1e-9)))
    return np.stack([1 - moved, moved], axis=1)


def evaluate_classifier(
    test: LabeledImages, probabilities: npt.NDArray[np.float64], threshold: float | None = None
) -> dict[str, Estimate]:
    """Every score with its 95 % bootstrap interval over test images, whole patients where they are known.

    Args:
        threshold: of class 1, tuned on validation images; None takes the most probable class.
    """
    if threshold is not None and probabilities.shape[1] == 2:
        probabilities = at_threshold(probabilities, threshold)
    return {name: bootstrap(score, test.labels, probabilities, test.groups) for name, score in SCORES.items()}


def score_on_test(trained: TrainedClassifier, splits: Splits) -> dict[str, Estimate]:
    """Scores on the test split; with two classes the threshold is tuned on the validation split."""
    threshold = None
    if len(splits.class_names) == 2:
        threshold = tune_threshold(splits.val.labels, predict(trained.network, splits.val).probabilities)
    return evaluate_classifier(splits.test, predict(trained.network, splits.test).probabilities, threshold)
