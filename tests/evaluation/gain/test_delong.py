"""DeLong's and McNemar's tests: against a second implementation, and by hand."""

import numpy as np
import pytest
from scipy import stats

from synthaug.augment.errors import DataError
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.gain.delong import AurocDifference, delong, mcnemar


def both(of_one: np.ndarray) -> np.ndarray:
    return np.stack([1 - of_one, of_one], axis=1)


def naive(labels: np.ndarray, arm: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """DeLong 1988 as it is written: every pair of a positive and a negative, and the 2 x 2 covariances."""
    tables = []
    for scores in (arm[:, 1], reference[:, 1]):
        positives, negatives = scores[labels == 1], scores[labels == 0]
        tables.append((positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives))
    v10 = np.stack([t.mean(1) for t in tables])  # (2, positives)
    v01 = np.stack([t.mean(0) for t in tables])  # (2, negatives)
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    contrast = np.array([1, -1])
    return float(contrast @ v10.mean(1)), float((contrast @ covariance @ contrast) ** 0.5)


class TestDeLong:
    @pytest.mark.parametrize("decimals", [1, 9], ids=["ties", "no ties"])
    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_the_naive_structural_components(self, decimals, seed):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.repeat([0, 1], [45, 15]))
        shared = 0.4 * labels + rng.uniform(size=60)
        arm, reference = (
            both(np.clip(shared / 2 + 0.3 * rng.uniform(size=60), 0, 1).round(decimals)) for _ in range(2)
        )
        found = delong(labels, arm, reference)
        assert (found.value, found.standard_error) == pytest.approx(naive(labels, arm, reference), abs=1e-12)
        assert found.value == pytest.approx(auroc(labels, arm) - auroc(labels, reference))

    def test_by_hand(self):
        """Positives a, b; negatives c, d.

        Arm a .9, b .4 and c .5, d .1: a outranks both, b only d. V10 = 1, 1/2; V01 = 1/2, 1; AUROC 3/4.
        Reference a .6, b .8 and c .6, d .7: a ties c, b outranks both. V10 = 1/4, 1; V01 = 3/4, 1/2; 5/8.
        Differences 3/4, -1/2 of the positives, -1/4, 1/2 of the negatives, of mean 1/8 each.
        Variances (5/8)² · 2 = 25/32 and (3/8)² · 2 = 9/32, each over 2 images: 17/32 in all.
        """
        labels = np.array([1, 1, 0, 0])
        found = delong(labels, both(np.array([0.9, 0.4, 0.5, 0.1])), both(np.array([0.6, 0.8, 0.6, 0.7])))
        assert found.value == pytest.approx(1 / 8)
        assert found.standard_error == pytest.approx((17 / 32) ** 0.5)
        assert found.p_value == pytest.approx(2 * stats.norm.sf((1 / 8) / (17 / 32) ** 0.5))

    def test_of_equal_classifiers_rejects_in_five_per_cent(self):
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1], 60)
        p_values = []
        for _ in range(800):
            shared = labels + rng.normal(size=120)
            arm, reference = (both(stats.norm.cdf(shared + rng.normal(size=120))) for _ in range(2))
            p_values.append(delong(labels, arm, reference).p_value)
        assert 0.03 <= np.mean(np.array(p_values) < 0.05) <= 0.07

    def test_interval_touches_zero_at_its_p(self):
        found = AurocDifference(0.02, 0.01)
        assert found.interval(1 - found.p_value).low == pytest.approx(0, abs=1e-9)
        assert found.interval().low == pytest.approx(0.02 - 1.96 * 0.01, abs=1e-6)

    def test_of_one_classifier_with_itself_finds_nothing(self):
        arm = both(np.random.default_rng(0).uniform(size=20))
        found = delong(np.repeat([0, 1], 10), arm, arm)
        assert (found.value, found.standard_error, found.p_value) == (0, 0, 1)

    def test_refuses_many_classes_and_a_class_with_one_image(self):
        uniform = np.random.default_rng(0).uniform(size=(9, 3))
        with pytest.raises(DataError, match="of 3 classes: expected two"):
            delong(np.arange(9) % 3, uniform, uniform)
        with pytest.raises(DataError, match="1 images of one class"):
            delong(np.arange(9) // 8, uniform[:, :2], uniform[:, :2])


class TestMcNemar:
    labels = np.zeros(60, dtype=np.int64)

    def answers(self, arm_only: int, reference_only: int) -> tuple[np.ndarray, np.ndarray]:
        """Two lists of classes, right on all but the last 5 and what one alone got right."""
        arm, reference = self.labels.copy(), self.labels.copy()
        reference[:arm_only] = 1
        arm[arm_only : arm_only + reference_only] = 1
        arm[-5:] = reference[-5:] = 1
        return arm, reference

    def test_of_few_is_the_binomial_by_hand(self):
        found = mcnemar(self.labels, *self.answers(5, 1))
        assert (found.arm_only, found.reference_only) == (5, 1)
        assert found.p_value == pytest.approx(2 * (1 + 6) / 2**6)

    def test_of_many_is_the_corrected_chi_squared_by_hand(self):
        found = mcnemar(self.labels, *self.answers(30, 12))
        assert found.p_value == pytest.approx(stats.chi2.sf((30 - 12 - 1) ** 2 / 42, 1))

    def test_of_equal_answers_finds_nothing(self):
        assert mcnemar(self.labels, *self.answers(0, 0)).p_value == 1
