"""Scores of classifiers: by their definitions, and what a threshold can move and what it cannot."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from sklearn import metrics
from torchmetrics.functional.classification import (
    binary_sensitivity_at_specificity,
    multiclass_calibration_error,
)

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.classification import (
    AT_SPECIFICITY,
    CALIBRATION,
    DECIDING,
    RANKING,
    brier_score,
    calibration_error,
    class_recalls,
    classifier_scores,
    decide,
    evaluate_classifier,
    flag,
    flagged_sensitivity,
    score_on_test,
    specific_thresholds,
    tune_threshold,
)


def two_classes(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels at one in five and probabilities that know a little and lean to normal."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(np.int64)
    p = 1 / (1 + np.exp(2 - 1.5 * labels - rng.normal(size=n)))
    return labels, np.stack([1 - p, p], axis=1)


def four_classes(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=n)
    p = rng.dirichlet(np.ones(4), n) + 0.3 * np.eye(4)[labels]
    return labels, p / p.sum(axis=1, keepdims=True)


def blank(labels: np.ndarray, groups: np.ndarray | None = None) -> LabeledImages:
    pixels = np.zeros((len(labels), 1, 2, 2), np.uint8)
    return LabeledImages(pixels, labels, ("normal", "abnormal"), groups=groups)


def by_torchmetrics(labels: np.ndarray, p: np.ndarray) -> float:
    said = torch.from_numpy(p), torch.from_numpy(labels)
    return float(multiclass_calibration_error(*said, num_classes=p.shape[1], n_bins=15))


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
                "Brier score": metrics.brier_score_loss(labels, p[:, 1]),
                "ECE": by_torchmetrics(labels, p),
            }
        )

    def test_of_more_classes_are_means_over_one_versus_rest(self):
        labels, p = four_classes()
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
                "Brier score": ((p - np.eye(4)[labels]) ** 2).sum(axis=1).mean(),
                "ECE": by_torchmetrics(labels, p),
            }
        )

    def test_by_hand(self):
        labels = np.array([0, 0, 0, 1, 1])
        p = np.array([0.1, 0.2, 0.8, 0.7, 0.9])  # one of six pairs is the wrong way round
        found = classifier_scores(labels, np.stack([1 - p, p], axis=1), 0.75)
        assert found["AUROC"] == pytest.approx(5 / 6)
        assert (found["sensitivity"], found["specificity"]) == pytest.approx((1 / 2, 2 / 3))
        assert found["AUPRC"] == pytest.approx((1 + 2 / 3) / 2)

    def test_give_the_share_of_each_class_that_was_found(self):
        labels, decided = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 2, 0])
        found = class_recalls(labels, decided, 4)
        assert found == pytest.approx([2 / 3, 1 / 2, np.nan, 0], nan_ok=True)

    def test_with_a_second_threshold_come_in_one_order_AUROC_first(self):
        labels, p = two_classes()
        found = classifier_scores(labels, p, 0.3, specific=specific_thresholds(labels, p))
        assert list(found) == [*RANKING, AT_SPECIFICITY, *DECIDING, *CALIBRATION]
        assert next(iter(found)) == "AUROC"
        del found[AT_SPECIFICITY]
        assert found == classifier_scores(labels, p, 0.3)


class TestCalibration:
    def test_error_by_hand(self):
        # one bin at 0.9 with 3 of 4 right, one at 0.6 with all of 2 right
        p = np.array([0.9, 0.9, 0.9, 0.1, 0.6, 0.4])
        labels = np.array([1, 1, 0, 0, 1, 0])
        found = calibration_error(labels, np.stack([1 - p, p], axis=1))
        assert found == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.4)

    def test_error_of_the_sure_counts_how_often_they_are_wrong(self):
        sure = np.eye(3)[[0, 1, 2, 0]]
        assert calibration_error(np.array([0, 1, 2, 0]), sure) == 0
        assert calibration_error(np.array([0, 1, 2, 1]), sure) == pytest.approx(1 / 4)

    def test_brier_score_by_hand(self):
        p = np.array([0.8, 0.3])
        assert brier_score(np.array([1, 0]), np.stack([1 - p, p], axis=1)) == pytest.approx((0.04 + 0.09) / 2)
        assert brier_score(np.array([2]), np.eye(3)[[0]]) == 2

    def test_error_of_true_probabilities_has_its_value_in_its_interval(self):
        rng = np.random.default_rng(0)
        p = rng.random(200)
        labels = (rng.random(200) < p).astype(np.int64)
        found = evaluate_classifier(blank(labels), np.stack([1 - p, p], axis=1))["ECE"]
        assert 0 <= found.low < found.value < found.high
        assert found.value - found.low == pytest.approx(found.high - found.value) or found.low == 0


class TestSensitivityAtASpecificity:
    def test_is_the_most_that_the_specificity_allows(self):
        labels, p = two_classes(300)
        flagged = flag(p, specific_thresholds(labels, p))
        said = torch.from_numpy(p[:, 1]), torch.from_numpy(labels)
        best, _ = binary_sensitivity_at_specificity(*said, min_specificity=0.9)
        assert flagged_sensitivity(labels, flagged) == pytest.approx(float(best))
        assert 0.9 <= (~flagged[labels == 0, 1]).mean() < 0.91

    def test_of_more_classes_is_the_mean_over_one_versus_rest(self):
        labels, p = four_classes(400)
        flagged = flag(p, specific_thresholds(labels, p))
        each = []
        for k in range(4):
            said = torch.from_numpy(p[:, k]), torch.from_numpy((labels == k).astype(np.int64))
            each.append(float(binary_sensitivity_at_specificity(*said, min_specificity=0.9)[0]))
        assert flagged_sensitivity(labels, flagged) == pytest.approx(np.mean(each))

    def test_takes_its_thresholds_from_validation_images(self):
        labels, p = two_classes(300)
        val_labels, val_p = two_classes(300, seed=1)
        found = classifier_scores(labels, p, specific=specific_thresholds(val_labels, val_p))
        at = np.sort(val_p[val_labels == 0, 1])[::-1][(val_labels == 0).sum() // 10]
        assert found[AT_SPECIFICITY] == pytest.approx((p[labels == 1, 1] > at).mean())

    @pytest.mark.parametrize("n", [9, 10, 50])
    def test_lets_a_tenth_of_the_others_pass_and_no_more(self, n):
        labels = np.repeat([0, 1], [n, 2])
        p = np.linspace(0, 1, n + 2)
        passed = flag(np.stack([1 - p, p], axis=1), specific_thresholds(labels, np.stack([1 - p, p], axis=1)))
        assert passed[:n, 1].sum() == n // 10

    def test_of_equal_answers_is_none(self):
        labels, p = np.repeat([0, 1], 10), np.full((20, 2), [0.0, 1.0])
        assert flagged_sensitivity(labels, flag(p, specific_thresholds(labels, p))) == 0

    def test_wants_images_of_others(self):
        with pytest.raises(DataError, match="expected images of others"):
            specific_thresholds(np.ones(5, dtype=np.int64), np.full((5, 2), 0.5))


class TestAThreshold:
    def test_moves_the_operating_point_and_never_what_ranks(self):
        labels, p = two_classes()
        p[:100] **= 30  # to the edge of what a float holds
        low, high = (classifier_scores(labels, p, threshold) for threshold in (1e-9, 0.6))
        assert all(low[name] == high[name] for name in RANKING)
        assert low["sensitivity"] > high["sensitivity"]
        assert low["specificity"] < high["specificity"]
        assert all(low[name] == high[name] for name in CALIBRATION)
        assert list(low) == [*RANKING, *DECIDING, *CALIBRATION]

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
        assert AT_SPECIFICITY in found
        assert all(0 <= e.low <= e.value <= e.high <= 1 for e in found.values())
