"""What images contribute to a score: variances that DeLong and the bootstrap find, without resampling."""

import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import AurocOver, accuracy, balanced_accuracy, decide
from synthaug.evaluation.gain.delong import delong
from synthaug.evaluation.influence import contributions, variance_over_patients
from synthaug.evaluation.statistics import resample_groups

LABELS = np.repeat([0, 1], [120, 80])


def answers(classes: int, n: int, decimals: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), size=n).round(decimals)


@pytest.mark.parametrize("decimals", [1, 9], ids=["ties", "no ties"])
def test_of_two_classes_have_delongs_variance(decimals):
    arm, reference = (answers(2, 200, decimals, seed) for seed in (1, 2))
    both = [contributions(auroc, LABELS, p) for p in (arm, reference)]
    found = variance_over_patients(both[0][1] - both[1][1], LABELS, None)
    assert both[0][0] == pytest.approx(auroc(LABELS, arm))
    assert found**0.5 == pytest.approx(delong(LABELS, arm, reference).standard_error)


SCORES = [auroc, AurocOver((0, 2)), accuracy, balanced_accuracy]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: getattr(score, "__name__", type(score).__name__))
@pytest.mark.parametrize("grouped", [False, True], ids=["images", "patients"])
def test_have_the_variance_of_a_bootstrap_over_patients(score, grouped):
    labels = np.repeat(np.arange(3), 80)
    of_patient = np.random.default_rng(1).normal(size=(120, 3))[np.arange(240) // 2]
    logits = 2 * np.eye(3)[labels] + of_patient + np.random.default_rng(2).normal(size=(240, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    outputs = decide(p) if score in (accuracy, balanced_accuracy) else p
    groups = np.arange(240) // 2 if grouped else None
    value, contributed = contributions(score, labels, outputs)
    assert value == pytest.approx(score(labels, outputs))
    assert contributed.sum() == pytest.approx(0, abs=1e-12)
    drawn = [score(labels[rows], outputs[rows]) for rows in resample_groups(labels, groups, 400, seed=0)]
    assert variance_over_patients(contributed, labels, groups) == pytest.approx(np.var(drawn), rel=0.25)


def test_of_a_class_without_images_say_so():
    with pytest.raises(DataError, match="AUROC of 0 positive images among 200"):
        contributions(AurocOver((2,)), LABELS, answers(3, 200))
