"""Scores of classifiers: by their definitions, and what a threshold can move and what it cannot."""

import numpy as np
import pytest
from lightning_fabric import Fabric
from sklearn import metrics

from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.phantom import phantom
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.classification import (
    DECIDING,
    RANKING,
    classifier_scores,
    decide,
    evaluate_classifier,
    score_on_test,
    tune_threshold,
)


def two_classes(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels at one in five and probabilities that know a little and lean to normal."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(np.int64)
    p = 1 / (1 + np.exp(2 - 1.5 * labels - rng.normal(size=n)))
    return labels, np.stack([1 - p, p], axis=1)


def blank(labels: np.ndarray, groups: np.ndarray | None = None) -> LabeledImages:
    pixels = np.zeros((len(labels), 1, 2, 2), np.uint8)
    return LabeledImages(pixels, labels, ("normal", "abnormal"), groups=groups)


class TestScores:
    def test_of_two_classes_are_what_scikit_learn_says(self):
        labels, p = two_classes()
        found = classifier_scores(labels, p, 0.3)
        decided = (p[:, 1] >= 0.3).astype(int)
        assert found == pytest.approx(
            {
                "AUROC": metrics.roc_auc_score(labels, p[:, 1]),
                "AUPRC": metrics.average_precision_score(labels, p[:, 1]),
                "accuracy": metrics.accuracy_score(labels, decided),
                "balanced accuracy": metrics.balanced_accuracy_score(labels, decided),
                "sensitivity": metrics.recall_score(labels, decided),
                "specificity": metrics.recall_score(labels, decided, pos_label=0),
            }
        )

    def test_of_more_classes_are_means_over_one_versus_rest(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(4, size=120)
        p = rng.dirichlet(np.ones(4), 120) + 0.3 * np.eye(4)[labels]
        p /= p.sum(axis=1, keepdims=True)
        found, decided = classifier_scores(labels, p), p.argmax(axis=1)
        rest = [metrics.recall_score(labels != k, decided != k) for k in range(4)]
        assert found == pytest.approx(
            {
                "AUROC": metrics.roc_auc_score(labels, p, multi_class="ovr", average="macro"),
                "AUPRC": metrics.average_precision_score(np.eye(4)[labels], p, average="macro"),
                "accuracy": metrics.accuracy_score(labels, decided),
                "balanced accuracy": metrics.balanced_accuracy_score(labels, decided),
                "sensitivity": metrics.recall_score(labels, decided, average="macro"),
                "specificity": np.mean(rest),
            }
        )

    def test_by_hand(self):
        labels = np.array([0, 0, 0, 1, 1])
        p = np.array([0.1, 0.2, 0.8, 0.7, 0.9])  # one of six pairs is the wrong way round
        found = classifier_scores(labels, np.stack([1 - p, p], axis=1), 0.75)
        assert found["AUROC"] == pytest.approx(5 / 6)
        assert (found["sensitivity"], found["specificity"]) == pytest.approx((1 / 2, 2 / 3))
        assert found["AUPRC"] == pytest.approx((1 + 2 / 3) / 2)


class TestAThreshold:
    def test_moves_the_operating_point_and_never_what_ranks(self):
        labels, p = two_classes()
        p[:100] **= 30  # to the edge of what a float holds
        low, high = (classifier_scores(labels, p, threshold) for threshold in (1e-9, 0.6))
        assert all(low[name] == high[name] for name in RANKING)
        assert low["sensitivity"] > high["sensitivity"]
        assert low["specificity"] < high["specificity"]
        assert set(low) == {*RANKING, *DECIDING}

    def test_tuned_on_validation_is_the_best_for_balanced_accuracy(self):
        labels, p = two_classes()
        best = classifier_scores(labels, p, tune_threshold(labels, p))["balanced accuracy"]
        tried = [classifier_scores(labels, p, t)["balanced accuracy"] for t in np.linspace(0, 1, 400)]
        assert best == pytest.approx(max(tried), abs=1e-3)
        assert best > classifier_scores(labels, p)["balanced accuracy"] + 0.05  # it matters when unbalanced

    def test_is_a_probability_even_where_nothing_is_known(self):
        labels = np.array([0, 0, 1, 1])
        upside_down = np.stack([labels, 1 - labels], axis=1).astype(float)
        assert 0 <= tune_threshold(labels, upside_down) <= 1

    def test_belongs_to_the_abnormal_side(self):
        p = np.array([[0.7, 0.3], [0.6, 0.4]])
        assert decide(p, 0.4).tolist() == [0, 1]
        assert decide(p).tolist() == [0, 0]


class TestAnEvaluation:
    def test_gives_every_score_with_an_interval_around_it(self):
        labels, p = two_classes(120)
        found = evaluate_classifier(blank(labels), p, 0.3)
        assert {name: e.value for name, e in found.items()} == pytest.approx(
            classifier_scores(labels, p, 0.3)
        )
        assert all(e.low < e.value < e.high for e in found.values())
        assert all(e.level == 0.95 for e in found.values())

    def test_is_less_sure_where_images_share_patients(self):
        labels, p = two_classes(120)
        tripled = np.repeat(np.arange(120), 3)
        alone = evaluate_classifier(blank(labels[tripled]), p[tripled])["AUROC"]
        together = evaluate_classifier(blank(labels[tripled], tripled.astype(str)), p[tripled])["AUROC"]
        assert together.high - together.low > 1.4 * (alone.high - alone.low)

    def test_of_a_trained_network_tunes_its_threshold_on_validation_images(self):
        def part(seed: int) -> LabeledImages:
            return phantom([20, 10], size=28, seed=seed)

        splits = Splits(
            part(0), *(LabeledImages(p.pixels, p.labels, p.class_names) for p in (part(1), part(2)))
        )
        config = ClassifierConfig(steps=3, batch_size=8, augment=False)
        trained = train_classifier(splits.train, splits.val, config, Fabric(accelerator="cpu", devices=1))
        found = score_on_test(trained, splits)
        # three steps at 2:1 call nearly everything normal; the tuned threshold does not
        assert found["sensitivity"].value > 0
        assert all(0 <= e.low <= e.value <= e.high <= 1 for e in found.values())
