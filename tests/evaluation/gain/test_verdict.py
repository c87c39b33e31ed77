"""The verdict: only a true gain over the best classical arm can move it."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, BLEND, LABELS, LESS, REAL, SPLITS, TEST, known_arms, made_up

from synthaug.evaluation.experiment.arms import CEILING, SYNTHETIC_ONLY
from synthaug.evaluation.experiment.design import ALL, Amount
from synthaug.evaluation.gain.comparison import Gain, compare, of_arm
from synthaug.evaluation.gain.planning import pilot_sd, power
from synthaug.evaluation.gain.reference import with_reference
from synthaug.evaluation.gain.verdict import (
    Looks,
    compare_arms,
    conclude,
    decisive_gain,
    in_percent,
    smallest_found,
)
from synthaug.evaluation.hierarchy import Difference
from synthaug.evaluation.statistics import Estimate

TENTH = Amount(0.1)
NOTHING = {REAL: 0.0, AUGMENTED: 0.0, BLEND: 0.0}


def gains_of(cells: list) -> list[Gain]:
    """Without the ratio that validation images choose."""
    beside, references = with_reference(cells, TEST)
    return compare(beside, TEST, references)


def judged(cells: list) -> tuple[str, str]:
    gains = gains_of(cells)
    return conclude(gains, smallest=smallest_found(decisive_gain(gains)[1], gains))


class TestTheVerdict:
    def test_is_helps_for_a_true_gain(self):
        verdict, sentence = judged(made_up(NOTHING | {BLEND: 0.5}))
        assert verdict == "helps"
        assert sentence.startswith(f"Synthetic images help: {BLEND} against ")
        assert "with 100 % of the training labels, changes AUROC by +0." in sentence

    def test_is_harms_for_a_true_loss(self):
        verdict, sentence = judged(made_up(NOTHING | {BLEND: -0.5}))
        assert verdict == "harms"
        assert "changes AUROC by -0." in sentence

    def test_names_what_harms_where_something_else_helps(self):
        good, bad = (
            gains_of(made_up(NOTHING | {BLEND: 0.5})),
            gains_of(made_up(NOTHING | {BLEND: -0.5})),
        )
        (helping,) = [gain for gain in good if gain.arm == BLEND]
        (harming,) = [replace(gain, arm="another blend") for gain in bad if gain.arm == BLEND]
        verdict, sentence = conclude([helping, harming])
        assert verdict == "helps"
        assert "But another blend, with 100 % of the training labels, harms: AUROC changes by -0." in sentence
        assert "But " not in conclude([helping])[1]

    def test_is_no_evidence_where_nothing_changed(self):
        assert judged(made_up(NOTHING))[0] == "no evidence"

    def test_is_no_evidence_where_the_operating_point_moved_only(self):
        cells = made_up(NOTHING, shift=1.0)
        sensitive = {
            name: np.mean([c.test[LABELS == 1, 1] >= 0.5 for c in of_arm(cells, ALL, name)])
            for name in (AUGMENTED, BLEND)
        }
        assert sensitive[BLEND] > sensitive[AUGMENTED] + 0.2  # what looks like a gain
        assert judged(cells)[0] == "no evidence"

    def test_tells_accuracy_with_its_interval_and_does_not_go_by_it(self):
        cells = made_up(NOTHING, shift=1.0)
        gain = gains_of(cells)[0]
        assert gain.accuracy.high < 0  # at a threshold that was tuned for nobody
        assert gain.balanced_accuracy.value > gain.accuracy.value + 0.1
        verdict, sentence = conclude([gain])
        assert verdict == "no evidence"
        assert "Accuracy, thresholds tuned on validation images, changes by -0." in sentence

    def test_is_no_evidence_from_a_single_training(self):
        verdict, sentence = judged(made_up(NOTHING | {BLEND: 2}, subsets=1))
        assert verdict == "no evidence"
        assert "with one training, which has no interval: run at least three subsets." in sentence

    @pytest.mark.parametrize("effect", [-2, 2])
    def test_is_never_decided_by_synthetic_images_alone(self, effect):
        gains = gains_of(made_up(NOTHING | {SYNTHETIC_ONLY: effect}))
        assert {gain.arm: gain.verdict for gain in gains} == {BLEND: "no evidence", SYNTHETIC_ONLY: None}
        assert conclude(gains)[0] == "no evidence"

    def test_is_against_the_classical_arm_of_the_best_validation(self):
        # the augmented arm is better, validation says so, and synthetic images beat the plain one only
        effects = {REAL: 0, AUGMENTED: 0.5, BLEND: 0.5}
        fair = gains_of(made_up(effects))[0]
        assert (fair.reference, fair.verdict) == (AUGMENTED, "no evidence")
        # test images have no say in the choice
        blind, references = with_reference(made_up(effects, val={REAL: 2, AUGMENTED: 0, BLEND: 0}), TEST)
        assert references == {ALL: REAL}
        assert {result.arm.name for result in blind} == {REAL, AUGMENTED}  # no blend is built on it

    def test_chooses_the_reference_at_each_amount_of_labels(self):
        cells = made_up(NOTHING | {REAL: 2}, amount=TENTH) + made_up(NOTHING | {REAL: -2})
        assert with_reference(cells, TEST)[1] == {TENTH: REAL, ALL: AUGMENTED}

    def test_is_against_the_reference_that_was_chosen_beforehand(self):
        recipe = known_arms()[REAL].recipe
        assert with_reference(made_up(NOTHING), TEST, recipe)[1] == {ALL: REAL}

    def test_is_held_to_a_higher_level_the_more_is_compared(self):
        one = gains_of(made_up(NOTHING | {SYNTHETIC_ONLY: 0}))
        both = NOTHING | {LESS: 0}
        four = gains_of(made_up(both, amount=TENTH) + made_up(both))
        assert {gain.auroc.level for gain in one} == {0.95}
        assert sorted(round(1 - gain.auroc.level, 6) for gain in four) == [0.0125, 0.016667, 0.025, 0.05]

    def test_names_the_comparison_that_decided(self):
        cells = made_up(NOTHING | {BLEND: 0.5}, amount=TENTH) + made_up(NOTHING | {BLEND: -0.5})
        verdict, sentence = judged(cells)
        assert verdict == "helps"
        assert "10 % of the training labels" in sentence

    def test_says_how_far_it_is_to_all_labels_and_what_could_be_done_instead(self):
        effects = NOTHING | {BLEND: 0.5, CEILING: 1.0, "ensemble": 0.2}
        sentence = judged(made_up(effects, amount=TENTH))[1]
        closure = decisive_gain(gains_of(made_up(effects, amount=TENTH)))[1].closure
        assert 0.2 < closure.low < closure.value < closure.high < 1
        assert f"Of the gap to the classifier with all labels it closes {in_percent(closure)}." in sentence
        assert "The best alternative, ensemble, changes AUROC by +0." in sentence

    def test_does_not_tell_of_a_way_to_a_ceiling_that_is_none(self):
        sentence = judged(made_up(NOTHING | {BLEND: 0.5, CEILING: -0.5}, amount=TENTH))[1]
        assert "gap" not in sentence

    def test_says_that_the_way_is_open_where_the_ceiling_is_hardly_one(self):
        gains = gains_of(made_up(NOTHING | {BLEND: 0.5, CEILING: 0.02}, amount=TENTH))
        ceiling = next(gain for gain in gains if gain.role == "ceiling")
        assert ceiling.auroc.low < 0 < ceiling.auroc.value
        assert (decisive_gain(gains)[1].closure.low, ceiling.closure) == (-np.inf, None)
        assert "What share of the gap to all labels it closes is open" in conclude(gains)[1]

    def test_of_an_arm_that_answers_as_the_ceiling_does_closes_all_of_the_gap(self):
        cells = made_up(NOTHING | {CEILING: 1.0}, amount=TENTH, donors=3, subsets=2)
        tops = {c.unit.donor: c.test for c in cells if c.arm.name == CEILING}
        cells = [replace(c, test=tops[c.unit.donor]) if c.arm.name == BLEND else c for c in cells]
        closure = next(gain for gain in gains_of(cells) if gain.arm == BLEND).closure
        assert (closure.value, closure.low, closure.high) == pytest.approx((1, 1, 1))

    def test_tells_of_no_way_from_one_training(self):
        effects = NOTHING | {BLEND: 0.5, CEILING: 1.0}
        assert "gap" not in judged(made_up(effects, amount=TENTH, subsets=1))[1]

    def test_stands_on_donors_where_there_are_several(self):
        # what helps with one generator in three is no gain of synthetic images
        cells = made_up(NOTHING, donors=3)
        lucky = {c.unit: c for c in made_up(NOTHING | {BLEND: 3.0}, donors=3) if c.arm.name == BLEND}
        cells = [lucky[c.unit] if c.arm.name == BLEND and c.unit.donor == 0 else c for c in cells]
        assert judged(cells)[0] == "no evidence"


class TestTheSmallestEffect:
    def test_is_told_where_there_is_no_evidence_and_only_there(self):
        null = compare_arms(made_up(NOTHING), SPLITS)
        assert f"An effect of {null.smallest_effect:.2g} or more would have been found with 80 % power." in (
            null.sentence
        )
        found = compare_arms(made_up(NOTHING | {BLEND: 0.5}), SPLITS)
        assert found.smallest_effect is None
        assert "power" not in found.sentence

    def test_needs_to_be_larger_at_each_of_several_looks(self):
        once, twice = (compare_arms(made_up(NOTHING), SPLITS, looks=Looks(1, n)) for n in (1, 2))
        assert twice.smallest_effect > once.smallest_effect
        assert "Look 1 of 2 planned ones, each at an error of 2.5 %." in twice.sentence

    def test_has_eighty_per_cent_power_among_all_arms_that_decide(self):
        gains = gains_of(made_up(NOTHING | {LESS: 0}))
        effect, found = smallest_found(gains[0], gains), gains[0].difference
        assert len(gains) == 2
        reached = power(
            effect,
            4,
            pilot_sd(found),
            over_patients=found.over_patients,
            patient_freedom=found.patient_freedom,
            comparisons=len(gains),
        )
        assert reached == pytest.approx(0.8, abs=1e-4)

    def test_that_no_auroc_has_room_for_is_said_in_words(self):
        (gain,) = gains_of(made_up(NOTHING))
        wide = replace(gain, difference=Difference(0.0, 0.2, 0.1, "subset", 2))
        assert (
            "So few trainings and test images find no effect at all with 80 % power: "
            "add subsets, or test images." in conclude([wide], smallest=smallest_found(wide, [wide]))[1]
        )

    def test_is_none_from_one_training_and_of_the_reference_itself(self):
        (gain,) = gains_of(made_up(NOTHING, subsets=1))
        assert smallest_found(gain, [gain]) is None
        itself = replace(gain, difference=Difference(0, 0, 0, "subset", 4))
        assert smallest_found(itself, [itself]) is None


class TestAShare:
    def test_of_a_gap_is_in_whole_per_cent(self):
        assert in_percent(Estimate(0.344, -0.002, 0.626)) == "34 % [0, 63]"

    def test_without_ends_says_so(self):
        assert in_percent(Estimate(-0.5, -np.inf, np.inf)) == "-50 % (interval unbounded)"
