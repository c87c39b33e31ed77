"""Intervals: they cover the truth as often as they say, keep patients whole, and find what is there."""

import numpy as np
import pytest
from scipy import stats

from synthaug.augment.errors import DataError
from synthaug.evaluation.statistics import bootstrap, resample_groups

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
        # 160 intervals: a standard error of 1.7 %
        assert 0.92 <= self.coverage(160) <= 0.98

    @pytest.mark.slow
    def test_covers_the_truth_as_often_as_it_says_of_many(self):
        # 800 intervals: a standard error of 0.8 %
        assert 0.93 <= self.coverage(800) <= 0.97

    @staticmethod
    def coverage(times: int) -> float:
        rng, labels = np.random.default_rng(0), np.repeat([0, 1], 100)
        drawn = [bootstrap(mean, labels, rng.normal(size=200), rounds=ROUNDS, seed=k) for k in range(times)]
        return float(np.mean([e.low <= 0 <= e.high for e in drawn]))

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
