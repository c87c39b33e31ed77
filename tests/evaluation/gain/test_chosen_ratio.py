"""The ratio that validation images choose: none, unless some is ahead by more than chance."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, BLEND, LABELS, LESS, REAL, SPLITS, TEST, made_up

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.evaluation.experiment.arms import CHOSEN
from synthaug.evaluation.experiment.design import ALL
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.chosen_ratio import choose_ratio, with_chosen_ratio
from synthaug.evaluation.gain.comparison import of_arm
from synthaug.evaluation.gain.delong import delong
from synthaug.evaluation.gain.reference import with_reference
from synthaug.evaluation.gain.verdict import compare_arms

sys.path.append(str(Path(__file__).parents[3] / "studies" / "null"))
from simulated import Simulation

NOTHING = {REAL: 0.0, AUGMENTED: 0.0, BLEND: 0.0}
SHARED, OWN = np.random.default_rng(0).normal(size=(2, len(LABELS)))


def answers(effect: float, own: float = 0.0) -> np.ndarray:
    """(400, 2): abnormal images a little further off; noise that all share, and noise of one's own."""
    p = 1 / (1 + np.exp(-(SHARED + own * OWN + (0.5 + effect) * LABELS)))
    return np.stack([1 - p, p], axis=1)


def two(effect: float, own: float = 0.0, luck: float = 0.05) -> list[np.ndarray]:
    """Two trainings of one ratio."""
    return [answers(effect - luck, own), answers(effect + luck, own)]


def ratios(cells: list[TrainingResult]) -> dict[int, float]:
    """What was chosen for each labelled subset."""
    return {c.unit.subset: c.arm.ratio for c in of_arm(with_chosen(cells), ALL, CHOSEN)}


def with_chosen(cells: list[TrainingResult]) -> list[TrainingResult]:
    return with_chosen_ratio(*with_reference(cells, TEST), TEST)


class TestTheChoice:
    def test_takes_a_ratio_that_leads_by_more_than_is_needed(self):
        found = choose_ratio({0: two(0), 0.5: two(0.6)}, TEST)
        assert (found.ratio, found.best) == (0.5, 0.5)
        assert found.lead > found.needed > 0
        assert "Ratio 0.5 leads ratio 0 by +0." in found.sentence
        assert found.sentence.endswith(": taken.")

    def test_leaves_one_that_leads_by_luck_of_training(self):
        unlucky, lucky = answers(-0.5), answers(0.7)
        found = choose_ratio({0: two(0), 0.5: [unlucky, lucky]}, TEST)
        assert found.ratio == 0
        assert 0 < found.lead < found.needed

    def test_needs_more_the_more_ratios_are_tried(self):
        tried = {0: two(0), 0.5: two(0.3)}
        one = choose_ratio(tried, TEST)
        several = choose_ratio(tried | {r: two(0.1) for r in (0.1, 0.25, 0.75)}, TEST)
        assert several.needed / several.standard_error > 1.3 * one.needed / one.standard_error

    def test_has_an_error_that_holds_the_luck_of_training_and_that_of_patients(self):
        lucky, sure = (choose_ratio({0: two(0, luck=k), 0.5: two(0.4, luck=k)}, TEST) for k in (0.2, 0))
        assert lucky.standard_error > 2 * sure.standard_error
        of_patients = delong(LABELS, answers(0.4), answers(0)).standard_error
        assert sure.standard_error == pytest.approx(of_patients, rel=0.01)

    def test_counts_patients_and_not_images(self):
        repeated = [np.repeat(p, 8, axis=0) for p in two(0.2, 0.2, 0.01)]
        none = [np.repeat(p, 8, axis=0) for p in two(0, luck=0.01)]
        alone = LabeledImages(np.repeat(TEST.pixels, 8, axis=0), np.repeat(LABELS, 8), TEST.class_names)
        by_patient = replace(alone, groups=np.repeat(np.arange(400), 8).astype(str))
        one, other = (choose_ratio({0: none, 0.5: repeated}, val) for val in (alone, by_patient))
        assert other.standard_error > 1.5 * one.standard_error

    def test_is_the_smaller_among_equals(self):
        assert choose_ratio({0.5: two(1), 0.25: two(1), 0: two(0)}, TEST).ratio == 0.25

    def test_of_one_training_a_ratio_is_refused(self):
        with pytest.raises(UsageError, match="expected ratio 0 and others, two or more of each"):
            choose_ratio({0: two(0), 0.5: [answers(1)]}, TEST)

    def test_of_one_patient_of_a_class_says_what_lacks(self):
        with pytest.raises(DataError, match="one test patient"):
            choose_ratio({0: two(0), 0.5: two(1)}, replace(TEST, groups=np.where(LABELS == 1, "a", "b")))


class TestTheArm:
    def test_may_be_the_one_without_synthetic_images(self):
        cells = with_chosen(made_up(NOTHING | {BLEND: -1}))
        chosen, base = of_arm(cells, ALL, CHOSEN), of_arm(cells, ALL, AUGMENTED)
        assert {cell.arm.ratio for cell in chosen} == {0}
        assert all(np.array_equal(a.test, b.test) for a, b in zip(chosen, base, strict=True))

    def test_is_not_what_the_sentence_is_about_where_it_is_none(self):
        found = compare_arms(made_up(NOTHING | {BLEND: -0.02}), SPLITS)
        assert found.sentence.startswith(f"No evidence that synthetic images help: {BLEND} ")

    def test_is_chosen_for_each_labelled_subset_by_the_others(self):
        cells = made_up(NOTHING | {LESS: -0.1, BLEND: -0.1})
        good = {c.unit.subset: c.val for c in made_up(NOTHING | {LESS: 1}) if c.arm.name == LESS}
        # one subset's luck, whatever its size, chooses nothing for that subset
        lucky = [replace(c, val=good[2]) if (c.arm.name, c.unit.subset) == (LESS, 2) else c for c in cells]
        assert ratios(lucky)[2] == 0
        others = [
            replace(c, val=good[c.unit.subset]) if c.arm.name == LESS and c.unit.subset != 2 else c
            for c in cells
        ]
        assert ratios(others)[2] == 0.25

    def test_decides_like_any_other(self):
        found = compare_arms(made_up(NOTHING | {BLEND: 1}), SPLITS)
        assert {gain.arm: gain.verdict for gain in found.gains} == {BLEND: "helps", CHOSEN: "helps"}

    def test_is_shown_and_never_decides_with_one_subset(self):
        found = compare_arms(made_up(NOTHING | {BLEND: 1}, subsets=1, inits=4), SPLITS)
        assert {gain.arm: gain.verdict for gain in found.gains} == {BLEND: "helps", CHOSEN: None}


def test_neither_the_chosen_ratio_nor_the_reference_gains_by_selection():
    """Exchangeable arms: the best of several trainings looks better on test images by its own luck."""
    chosen, fixed = [], []
    for number in range(40):
        cells, splits = Simulation(8, 3, choice="full").draw(number)
        gains = compare_arms(cells, splits).gains
        chosen += [gain.difference.value for gain in gains if gain.arm == CHOSEN]
        fixed += [gain.difference.value for gain in gains if gain.arm != CHOSEN]
    assert abs(np.mean(chosen)) < 0.004  # chosen from all subsets, its own among them: +.011
    assert abs(np.mean(fixed)) < 0.004
