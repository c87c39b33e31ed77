"""Intervals: they cover the truth as often as they say, keep patients whole, and find what is there."""

import numpy as np
import pytest
from scipy import stats

from synthaug.augment.errors import DataError
from synthaug.evaluation.statistics import bootstrap, paired_gain, resample_groups

ROUNDS = 200  # of each bootstrap: enough for coverage to within a per cent or two


def mean(labels: np.ndarray, answers: np.ndarray) -> float:
    """The simplest score there is: its truth is known."""
    return float(answers.mean())


class TestBootstrap:
    def test_of_a_mean_agrees_with_scipy(self):
        values = np.random.default_rng(0).gamma(2, size=60)
        ours = bootstrap(mean, np.zeros(60, dtype=np.int64), values, rounds=4000)
        theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1)
        assert ours.value == pytest.approx(values.mean())
        assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.03)

    def test_covers_the_truth_as_often_as_it_says(self):
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1], 100)
        found = [bootstrap(mean, labels, rng.normal(size=200), rounds=ROUNDS, seed=k) for k in range(800)]
        # 800 intervals: a standard error of 0.8 %
        assert 0.93 <= np.mean([e.low <= 0 <= e.high for e in found]) <= 0.97

    def test_by_patient_covers_where_images_of_one_patient_agree(self):
        rng = np.random.default_rng(0)
        labels, groups = np.zeros(120, dtype=np.int64), np.repeat(np.arange(40), 3)
        by_patient, by_image = [], []
        for k in range(200):
            values = np.repeat(rng.normal(size=40), 3)
            for found, patients in ((by_patient, groups), (by_image, None)):
                interval = bootstrap(mean, labels, values, patients, rounds=ROUNDS, seed=k)
                found.append(interval.low <= 0 <= interval.high)
        assert np.mean(by_patient) > 0.9
        assert np.mean(by_image) < 0.8

    def test_keeps_patients_whole(self):
        rng = np.random.default_rng(0)
        groups = rng.permutation(np.repeat(["a", "b", "c", "d"], [1, 2, 3, 6]))
        labels = (groups == "d").astype(np.int64)
        for rows in resample_groups(labels, groups, 50, seed=0):
            assert set(labels[rows]) == {0, 1}
            for group in np.unique(groups):
                times = np.bincount(rows, minlength=12)[groups == group]
                assert len(set(times)) == 1  # every image of a patient as often as the others

    def test_without_patients_keeps_the_number_of_each_class(self):
        labels = np.repeat([0, 1], [9, 3])
        drawn = list(resample_groups(labels, None, 20, seed=0))
        assert {tuple(np.bincount(labels[rows])) for rows in drawn} == {(9, 3)}
        assert len({tuple(rows) for rows in drawn}) == 20

    def test_of_one_patient_per_class_says_what_lacks(self):
        labels = np.arange(6)
        with pytest.raises(DataError, match="too few patients per class"):
            list(resample_groups(np.repeat(labels, 2), np.repeat(labels, 2), 100, seed=0))


def trainings(rng: np.random.Generator, gain: float, n: int = 3, patients: int = 60) -> tuple[list, list]:
    """Per-image answers of two arms: both spread over trainings, and patients differ in what they gain."""
    per_patient = rng.normal(0, 0.5, patients)
    arm, reference = [], []
    for _ in range(n):
        shared = rng.normal(size=patients)  # paired: the same subset and initial weights
        reference.append(shared)
        arm.append(shared + gain + per_patient + rng.normal(0, 0.06) + rng.normal(0, 0.3, patients))
    return arm, reference


class TestPairedGain:
    labels = np.repeat([0, 1], 30)

    def gains(self, true: float, times: int) -> list:
        rng = np.random.default_rng(0)
        return [
            paired_gain(mean, self.labels, *trainings(rng, true), rounds=100, seed=k) for k in range(times)
        ]

    def test_covers_a_true_difference_of_zero_with_three_trainings(self):
        found = self.gains(0.0, 400)
        assert np.mean([e.low <= 0 <= e.high for e in found]) >= 0.93
        assert np.mean([e.high - e.low for e in found]) < 1  # and not by saying nothing

    def test_finds_a_planted_difference(self):
        found = self.gains(0.5, 40)
        assert np.mean([e.low > 0 for e in found]) > 0.9
        assert np.mean([e.value for e in found]) == pytest.approx(0.5, abs=0.05)

    def test_of_one_training_has_no_bounds(self):
        gain = paired_gain(mean, self.labels, *trainings(np.random.default_rng(0), 0.5, n=1))
        assert gain.value > 0
        assert (gain.low, gain.high) == (-np.inf, np.inf)

    def test_of_identical_arms_is_zero(self):
        arm, _ = trainings(np.random.default_rng(0), 0.0)
        gain = paired_gain(mean, self.labels, arm, arm)
        assert (gain.value, gain.low, gain.high) == (0, 0, 0)

    def test_is_wider_where_trainings_disagree(self):
        _, reference = trainings(np.random.default_rng(0), 0.0)
        agree = [r + 0.1 for r in reference]
        disagree = [r + 0.1 + shift for r, shift in zip(reference, (-0.2, 0, 0.2), strict=True)]
        tight, wide = (paired_gain(mean, self.labels, arm, reference) for arm in (agree, disagree))
        assert tight.value == pytest.approx(wide.value)
        assert tight.high - tight.low < 1e-9
        assert wide.high - wide.low > 0.9  # t with 2 degrees of freedom: 2 × 4.3 × 0.2 / √3

    def test_widens_with_the_level(self):
        arms = trainings(np.random.default_rng(0), 0.2)
        few, many = (paired_gain(mean, self.labels, *arms, level=level) for level in (0.95, 0.99))
        assert many.low < few.low < few.value < few.high < many.high

    def test_counts_a_patient_with_many_images_once(self):
        groups = np.repeat(np.arange(10), 6)
        gain_of_patient = np.repeat(np.random.default_rng(0).normal(size=10), 6)
        reference = [np.zeros(60)] * 3
        arm = [gain_of_patient] * 3
        by_patient = paired_gain(mean, np.zeros(60, dtype=np.int64), arm, reference, groups)
        by_image = paired_gain(mean, np.zeros(60, dtype=np.int64), arm, reference)
        assert by_patient.high - by_patient.low > 1.8 * (by_image.high - by_image.low)
