"""The ratio that validation images choose: none, unless some is ahead by more than chance."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, BLEND, LABELS, LESS, REAL, SPLITS, TEST, made_up

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.experiment.arms import CHOSEN
from synthaug.evaluation.experiment.design import ALL
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.chosen_ratio import chosen_ratio, with_chosen_ratio
from synthaug.evaluation.gain.comparison import of_arm
from synthaug.evaluation.gain.delong import delong
from synthaug.evaluation.gain.verdict import compare_arms

NOTHING = {REAL: 0.0, AUGMENTED: 0.0, BLEND: 0.0}
SHARED, OWN = np.random.default_rng(0).normal(size=(2, len(LABELS)))


def answers(effect: float, own: float = 0.0) -> np.ndarray:
    """(400, 2): abnormal images a little further off; noise that all share, and noise of one's own."""
    p = 1 / (1 + np.exp(-(SHARED + own * OWN + (0.5 + effect) * LABELS)))
    return np.stack([1 - p, p], axis=1)


def lead(effect: float) -> tuple[float, float]:
    """By how much AUROC is ahead of no effect, and DeLong's standard error of that."""
    found = delong(LABELS, answers(effect, 0.5), answers(0))
    return found.value, found.standard_error


def ratios(cells: list[TrainingResult]) -> dict[int, float]:
    """What was chosen for each labelled subset."""
    return {c.unit.subset: c.arm.ratio for c in of_arm(with_chosen_ratio(cells, TEST), ALL, CHOSEN)}


class TestTheChoice:
    @pytest.mark.parametrize("effect", [0.1, 0.2, 0.22, 0.25, 0.3])
    def test_takes_a_ratio_that_leads_by_more_than_delongs_standard_error(self, effect):
        ahead, error = lead(effect)
        assert abs(ahead / error - 1) > 0.1  # the bootstrap's error is not DeLong's to the last digit
        expected = 0.5 if ahead > error else 0
        assert chosen_ratio({0: [answers(0)], 0.5: [answers(effect, 0.5)]}, TEST) == expected

    def test_has_leads_on_both_sides_above(self):
        assert 0 < np.divide(*lead(0.2)) < np.divide(*lead(0.22)) < 1 < np.divide(*lead(0.25)) < 1.3

    def test_counts_patients_and_not_images(self):
        effect = next(e for e in np.linspace(0, 1, 101) if 1.3 < np.divide(*lead(e)) < 1.7)
        said = {0: [answers(0)], 0.5: [answers(effect, 0.5)]}
        assert chosen_ratio(said, TEST) == 0.5
        eight = {ratio: [np.repeat(found[0], 8, axis=0)] for ratio, found in said.items()}
        alone = LabeledImages(np.repeat(TEST.pixels, 8, axis=0), np.repeat(LABELS, 8), TEST.class_names)
        weak = {0: eight[0], 0.5: [np.repeat(answers(effect / 4, 0.2), 8, axis=0)]}
        by_patient = replace(alone, groups=np.repeat(np.arange(400), 8).astype(str))
        assert chosen_ratio(eight, by_patient) == 0.5
        assert (chosen_ratio(weak, alone), chosen_ratio(weak, by_patient)) == (0.5, 0)

    def test_is_none_where_a_class_has_one_patient(self):
        said = {0: [answers(0)], 0.5: [answers(0.8)]}
        assert chosen_ratio(said, TEST) == 0.5
        assert chosen_ratio(said, replace(TEST, groups=np.where(LABELS == 1, "a", "b"))) == 0

    def test_is_the_smaller_among_equals(self):
        assert chosen_ratio({0.5: [answers(1)], 0.25: [answers(1)], 0: [answers(0)]}, TEST) == 0.25

    def test_goes_by_the_mean_over_initial_weights(self):
        one_lucky_start = {0: [answers(0), answers(0)], 0.5: [answers(0.8), answers(-1.2)]}
        assert chosen_ratio(one_lucky_start, TEST) == 0

    def test_is_among_seven_classes_as_well(self):
        labels = np.arange(280) % 7
        val = LabeledImages(np.zeros((280, 1, 2, 2), np.uint8), labels, tuple("abcdefg"))
        noise = np.random.default_rng(1).normal(size=(280, 7))
        better, worse = (np.exp(noise + skill * np.eye(7)[labels]) for skill in (1.5, 0.5))
        said = [answer / answer.sum(1, keepdims=True) for answer in (worse, better)]
        assert chosen_ratio({0: [said[0]], 0.1: [said[1]]}, val) == 0.1
        assert chosen_ratio({0: [said[1]], 0.1: [said[0]]}, val) == 0


class TestTheArm:
    def test_may_be_the_one_without_synthetic_images(self):
        cells = with_chosen_ratio(made_up(NOTHING | {BLEND: -1}), TEST)
        chosen, base = of_arm(cells, ALL, CHOSEN), of_arm(cells, ALL, AUGMENTED)
        assert {cell.arm.ratio for cell in chosen} == {0}
        assert all(np.array_equal(a.test, b.test) for a, b in zip(chosen, base, strict=True))

    def test_is_not_what_the_sentence_is_about_where_it_is_none(self):
        found = compare_arms(made_up(NOTHING | {BLEND: -0.02}), SPLITS)
        assert found.sentence.startswith(f"No evidence that synthetic images help: {BLEND} ")

    def test_is_chosen_for_each_labelled_subset_by_validation_images_alone(self):
        cells = made_up(NOTHING | {LESS: -0.1, BLEND: -0.1})
        good = {c.unit.subset: c.val for c in made_up(NOTHING | {LESS: 1}) if c.arm.name == LESS}
        at = next(k for k, c in enumerate(cells) if c.arm.name == LESS and c.unit.subset == 2)
        cells[at] = replace(cells[at], val=good[2])
        assert ratios(cells) == {0: 0, 1: 0, 2: 0.25, 3: 0}

    def test_decides_like_any_other(self):
        found = compare_arms(made_up(NOTHING | {BLEND: 1}), SPLITS)
        assert {gain.arm: gain.verdict for gain in found.gains} == {BLEND: "helps", CHOSEN: "helps"}
