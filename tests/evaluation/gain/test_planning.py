"""The planner: power is reached at the planned number of subsets, and there is a price for everything."""

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from synthaug.augment.errors import UsageError
from synthaug.evaluation.gain.planning import (
    expected_over_patients,
    pilot_sd,
    power,
    smallest_effect,
    subsets_needed,
)
from synthaug.evaluation.hierarchy import Difference

EFFECT, SD = 0.02, 0.02


def found_by(
    effect: float,
    subsets: int,
    sd: float,
    over_patients: float,
    comparisons: int,
    times: int = 1500,
    patient_freedom: float = np.inf,
) -> float:
    """The share of experiments whose interval leaves zero out: normal differences, as real intervals."""
    rng = np.random.default_rng(0)
    differences = effect + rng.normal(0, sd, (times, subsets)) + rng.normal(0, over_patients, (times, 1))
    intervals = [
        Difference(
            d.mean(), d.std(ddof=1) / subsets**0.5, over_patients, "subset", subsets, patient_freedom
        ).interval(1 - 0.05 / comparisons)
        for d in differences
    ]
    return float(np.mean([e.low > 0 or e.high < 0 for e in intervals]))


class TestPower:
    @pytest.mark.parametrize("freedom", [5, 20])
    def test_counts_how_few_test_patients_a_class_has(self, freedom):
        found = found_by(0.04, 8, 0.01, 0.01, 4, patient_freedom=freedom)
        theirs = power(0.04, 8, 0.01, over_patients=0.01, patient_freedom=freedom, comparisons=4)
        assert theirs == pytest.approx(found, abs=0.04)
        assert theirs < power(0.04, 8, 0.01, over_patients=0.01, comparisons=4) - 0.02

    @pytest.mark.parametrize("subsets", [2, 3, 8, 40])
    @pytest.mark.parametrize("comparisons", [1, 4])
    def test_without_patients_is_that_of_the_paired_t_test(self, subsets, comparisons):
        theirs = TTestPower().power(EFFECT / SD, subsets, 0.05 / comparisons, alternative="two-sided")
        assert power(EFFECT, subsets, SD, comparisons=comparisons) == pytest.approx(theirs, abs=1e-3)

    @pytest.mark.parametrize(("over_patients", "comparisons"), [(0.0, 1), (0.0, 4), (0.005, 1), (0.004, 4)])
    def test_is_reached_in_simulation_at_the_planned_number(self, over_patients, comparisons):
        setting = {"over_patients": over_patients, "comparisons": comparisons}
        subsets = subsets_needed(EFFECT, SD, **setting)
        # 1500 experiments: a standard error of 1 %
        assert found_by(EFFECT, subsets, SD, **setting) >= 0.77
        assert found_by(EFFECT, subsets, SD, **setting) == pytest.approx(
            power(EFFECT, subsets, SD, **setting), abs=0.03
        )
        assert power(EFFECT, subsets - 1, SD, **setting) < 0.8 <= power(EFFECT, subsets, SD, **setting)

    def test_does_not_depend_on_the_sign_of_the_effect(self):
        assert power(-EFFECT, 8, SD) == pytest.approx(power(EFFECT, 8, SD))
        assert subsets_needed(-EFFECT, SD) == subsets_needed(EFFECT, SD)


class TestSubsetsNeeded:
    def test_agrees_with_statsmodels(self):
        theirs = TTestPower().solve_power(EFFECT / SD, alpha=0.05, power=0.8)
        assert subsets_needed(EFFECT, SD) == int(np.ceil(theirs)) == 10

    def test_falls_with_the_effect_and_rises_with_all_that_blurs_it(self):
        needed = [subsets_needed(effect, SD) for effect in (0.005, 0.01, 0.02, 0.04, 1.0)]
        assert needed == sorted(needed, reverse=True)
        assert needed[0] > 100
        assert needed[-1] == 2
        plain = subsets_needed(EFFECT, SD)
        assert subsets_needed(EFFECT, 2 * SD) > plain
        assert subsets_needed(EFFECT, SD, comparisons=4) > plain
        assert subsets_needed(EFFECT, SD, over_patients=0.005) > plain
        assert subsets_needed(EFFECT, SD, target=0.95) > plain

    def test_says_when_the_test_patients_alone_hide_the_effect(self):
        with pytest.raises(UsageError, match="add test images"):
            subsets_needed(EFFECT, SD, over_patients=0.02)
        with pytest.raises(UsageError, match="ask for a larger effect"):
            subsets_needed(1e-5, SD)


class TestSmallestEffect:
    @pytest.mark.parametrize("over_patients", [0.0, 0.004])
    def test_is_the_other_way_round(self, over_patients):
        for subsets in (3, 8, 30):
            effect = smallest_effect(subsets, SD, over_patients=over_patients, comparisons=3)
            found = power(effect, subsets, SD, over_patients=over_patients, comparisons=3)
            assert found == pytest.approx(0.8, abs=1e-5)
            assert subsets_needed(effect * 1.001, SD, over_patients=over_patients, comparisons=3) == subsets

    def test_falls_with_the_subsets_down_to_what_the_patients_hide(self):
        effects = [smallest_effect(n, SD, over_patients=0.005) for n in (2, 4, 8, 16, 1000)]
        assert effects == sorted(effects, reverse=True)
        assert effects[-1] == pytest.approx((1.96 + 0.84) * 0.005, rel=0.03)


class TestPilotSd:
    def test_is_large_enough_in_eighty_per_cent_of_pilots(self):
        rng = np.random.default_rng(0)
        pilots = rng.normal(0, SD, (3000, 4)).std(axis=1, ddof=1)
        planned = [pilot_sd(Difference(0, sd / 2, 0, "subset", 4)) for sd in pilots]
        assert np.mean(np.array(planned) >= SD) == pytest.approx(0.8, abs=0.03)

    def test_comes_close_to_what_was_found_as_the_pilot_grows(self):
        assert pilot_sd(Difference(0, SD / 1000**0.5, 0, "subset", 1000)) == pytest.approx(SD, rel=0.03)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: subsets_needed(0, SD), "effect 0"),
        (lambda: subsets_needed(float("nan"), SD), "effect nan"),
        (lambda: subsets_needed(EFFECT, 0), "standard deviation 0"),
        (lambda: subsets_needed(EFFECT, -1), "standard deviation -1"),
        (lambda: subsets_needed(EFFECT, SD, comparisons=0), "comparisons 0"),
        (lambda: subsets_needed(EFFECT, SD, target=1), "power 1"),
        (lambda: subsets_needed(EFFECT, SD, alpha=0), "alpha 0"),
        (lambda: subsets_needed(EFFECT, SD, over_patients=-0.1), "over_patients -0.1"),
        (lambda: smallest_effect(1, SD), "subsets 1"),
        (lambda: smallest_effect(8, 0), "standard deviation 0"),
        (lambda: pilot_sd(Difference(0.1, np.inf, np.inf, "subset", 1)), "one training"),
        (lambda: pilot_sd(Difference(0.1, 0.1, 0, "subset", 3), assurance=1), "assurance 1"),
    ],
)
def test_what_cannot_be_planned_says_why(call, word):
    with pytest.raises(UsageError, match=word):
        call()


class TestTheErrorOverTestPatients:
    def test_before_any_training_is_that_of_hanley_and_mcneil(self):
        # AUROC .85, 50 and 100 cases: q1 = .73913, q2 = .78108; variance .00134838
        error, freedom = expected_over_patients(np.repeat([0, 1], [100, 50]), None)
        assert error == pytest.approx((2 * 0.1 * 0.00134838) ** 0.5, rel=1e-3)
        assert freedom == 49

    def test_counts_patients_and_not_images(self):
        labels, groups = np.repeat([0, 1], [100, 50]), np.repeat(np.arange(30), 5)
        assert expected_over_patients(labels, groups)[0] > 2 * expected_over_patients(labels, None)[0]
