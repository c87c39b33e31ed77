"""Intervals from subsets: their width against the truth, by simulation, and their rules."""

import numpy as np
import pytest
from scipy import stats

from synthaug.evaluation.fidelity import jackknife
from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.jackknife import estimate
from synthaug.evaluation.fidelity.metrics import METRICS, score_all

NAMES = list(METRICS)
PARTS = ("value", "floor", "gap")


def cloud(rng: np.random.Generator, n: int, dimensions: int = 8, *, worse: bool = False) -> Features:
    """Normal features with variances 1 / k, and logits of four classes that follow from them."""
    vectors = rng.normal(size=(n, dimensions)) * np.arange(1, dimensions + 1) ** -0.5
    if worse:
        vectors = 0.2 + 1.1 * vectors
    classes = np.random.default_rng(5).normal(size=(dimensions, 4))
    return Features(vectors, 2 * vectors @ classes)


def drawn_often(times: int, n: int, dimensions: int, *, worse: bool, rounds: int) -> dict[str, np.ndarray]:
    """Of each metric (times, value/floor/gap, value/error/low/high) over independent sets."""
    rng = np.random.default_rng(0)
    found: dict[str, list] = {name: [] for name in NAMES}
    for k in range(times):
        sets = [cloud(rng, n, dimensions, worse=w) for w in (False, False, worse)]
        for name, three in estimate(score_all, *sets, NAMES, rounds=rounds, seed=k).items():
            found[name].append([(e.value, e.low, e.high) for e in three])
    return {name: np.array(rows) for name, rows in found.items()}


def wrong_widths(found: dict[str, np.ndarray], rounds: int, lowest: float, highest: float) -> list[str]:
    """Where the mean half width is not Student's quantile of the deviation. Prints all of it."""
    wrong = []
    for name, rows in found.items():
        for k, part in enumerate(PARTS):
            values, low, high = rows[:, k].T
            half = np.maximum(values - low, high - values)
            ratio = half.mean() / stats.t.ppf(0.975, rounds - 1) / values.std(ddof=1)
            truth = values.mean() if part != "gap" else 0.0
            covered = np.mean((low <= truth) & (truth <= high))
            print(f"{name:9s} {part:5s} error / deviation {ratio:.2f}, intervals with truth {covered:.3f}")
            if not lowest <= ratio <= highest:
                wrong.append(f"{name} {part} {ratio:.2f}")
    return wrong


@pytest.fixture(scope="module")
def often() -> dict[str, np.ndarray]:
    return drawn_often(60, 100, 8, worse=False, rounds=25)


class TestAgainstTheTruth:
    def test_errors_are_about_the_deviation_over_new_images(self, often):
        assert not wrong_widths(often, 25, 0.75, 1.45)

    def test_gaps_of_two_equally_good_sets_contain_zero_as_often_as_they_say(self, often):
        for name, rows in often.items():
            _, low, high = rows[:, PARTS.index("gap")].T
            assert np.mean((low <= 0) & (high >= 0)) >= 0.9, name

    @pytest.mark.slow
    @pytest.mark.timeout(1200)
    @pytest.mark.parametrize(
        ("n", "dimensions", "worse", "highest"),
        [
            (200, 16, False, 1.35),
            (200, 16, True, 1.35),
            (300, 64, False, 1.35),
            (300, 64, True, 2),  # shares near zero: their errors come out too large
        ],
    )
    def test_errors_are_within_a_third_of_it_or_on_the_wide_side(self, n, dimensions, worse, highest):
        assert not wrong_widths(drawn_often(100, n, dimensions, worse=worse, rounds=50), 50, 0.75, highest)

    def test_gaps_of_a_much_worse_set_do_not(self):
        rng = np.random.default_rng(0)
        real, floor = cloud(rng, 200), cloud(rng, 200)
        bad = Features(cloud(rng, 200).vectors + 0.8, np.zeros((200, 4)))
        found = estimate(score_all, real, floor, bad, NAMES, rounds=20)
        assert all(found[name][2].low > 0 for name in ("FID", "KID"))
        assert all(found[name][2].high < 0 for name in ("IS", "precision", "density", "coverage"))


class TestRules:
    SETS = tuple(cloud(np.random.default_rng(k), n) for k, n in enumerate((150, 60, 80)))

    def test_values_are_of_all_rows_and_the_gap_is_their_difference(self):
        found = estimate(score_all, *self.SETS, NAMES, rounds=3)
        reference, floor, synthetic = self.SETS
        values, floors = score_all(reference, synthetic, NAMES), score_all(reference, floor, NAMES)
        assert list(found) == NAMES
        for name, (value, low, gap) in found.items():
            assert (value.value, low.value) == (values[name], floors[name])
            assert gap.value == values[name] - floors[name]

    def test_the_same_seed_gives_the_same_intervals_and_another_does_not(self):
        first, again, other = (
            estimate(score_all, *self.SETS, ["FID"], rounds=3, seed=seed) for seed in (0, 0, 1)
        )
        assert first == again
        assert first != other

    def test_intervals_stay_within_the_metrics_range(self):
        reference, floor, synthetic = self.SETS
        far = Features(synthetic.vectors + 9, synthetic.logits)
        far.vectors[:2] -= 9  # two of eighty are good: a normal interval would reach below zero
        found = estimate(score_all, reference, floor, far, NAMES, rounds=10)
        assert found["precision"][0].value > found["precision"][0].low == 0
        for name, (value, low, _) in found.items():
            for each in (value, low):
                assert METRICS[name].lowest <= each.low <= each.value <= each.high <= METRICS[name].highest

    def test_the_gap_knows_that_value_and_floor_share_the_reference(self):
        # held against the same images, both move together: their difference does not move at all
        reference, floor, _ = self.SETS
        value, _, gap = estimate(score_all, reference, floor, floor, ["coverage"], rounds=10)["coverage"]
        assert gap.high - gap.low < 1.5 * (value.high - value.low)

    @pytest.mark.parametrize("n", [10, 11])
    def test_ten_images_are_enough_for_finite_intervals(self, n):
        rng = np.random.default_rng(0)
        alike = Features(np.full((n, 30), 0.1), np.zeros((n, 3)))
        for sets in ([cloud(rng, n, 30) for _ in range(3)], [alike] * 3):
            found = estimate(score_all, *sets, NAMES, rounds=5)
            assert np.isfinite([[e.value, e.low, e.high] for three in found.values() for e in three]).all()

    def test_a_small_floor_beside_a_large_set_keeps_two_images(self, monkeypatch):
        monkeypatch.setattr(jackknife, "LARGEST", 8)
        rng = np.random.default_rng(0)
        found = estimate(score_all, cloud(rng, 80), cloud(rng, 10), cloud(rng, 80), NAMES, rounds=5)
        assert np.isfinite([[e.low, e.high] for three in found.values() for e in three]).all()

    def test_subsets_of_large_sets_stay_small(self, monkeypatch):
        monkeypatch.setattr(jackknife, "LARGEST", 40)
        monkeypatch.setattr(jackknife, "LARGEST_REFERENCE", 60)
        sizes = set()

        def record(real, other, names):
            sizes.add((len(real.vectors), len(other.vectors)))
            return score_all(real, other, names)

        estimate(record, *self.SETS, ["KID"], rounds=2)
        assert sizes - {(150, 60), (150, 80)} == {(60, 40), (60, 30), (30, 20), (30, 15)}

    def test_a_metric_without_its_logits_is_left_out(self):
        bare = [Features(each.vectors) for each in self.SETS]
        assert "IS" not in estimate(score_all, *bare, NAMES, rounds=2)


def test_a_patients_images_are_drawn_together_and_widen_the_interval():
    rng = np.random.default_rng(0)
    reference, floor, made = (cloud(rng, 100) for _ in range(3))
    patients = np.repeat(np.arange(100), 2).astype(np.str_)
    widths = []
    for groups in (None, patients):  # every patient has two equal images: the second tells nothing new
        twice = [
            Features(f.vectors.repeat(2, axis=0), f.logits.repeat(2, axis=0), groups)
            for f in (reference, floor)
        ]
        _, of_floor, _ = estimate(score_all, *twice, made, ["IS"], rounds=200)["IS"]
        widths.append(of_floor.high - of_floor.low)
    assert widths[1] == pytest.approx(2**0.5 * widths[0], rel=0.2)
