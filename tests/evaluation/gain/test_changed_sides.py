"""Which test images changed sides, counted by hand."""

import numpy as np

from synthaug.evaluation.experiment.arms import AUGMENTED, Arm
from synthaug.evaluation.experiment.design import ALL, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.changed_sides import Changed, changed_sides


class TestTestImagesThatChangedSides:
    LABELS = np.array([0, 0, 1, 1])

    def cells(self, name: str, *wrong: set[int], threshold: float | None = 0.5) -> list[TrainingResult]:
        """Of an arm whose trainings decide every image rightly but these."""
        arm = Arm(name, "synthetic", "blend", AUGMENTED)
        made = []
        for subset, rows in enumerate(wrong):
            decided = np.array([1 - y if k in rows else y for k, y in enumerate(self.LABELS)])
            p = np.where(decided == 1, 0.51, 0.49)
            probabilities = np.stack([1 - p, p], axis=1)
            unit = Unit(0, ALL, subset, 0)
            made.append(TrainingResult(unit, arm, {}, 0.5, threshold, probabilities, probabilities, []))
        return made

    def test_are_counted_by_the_majority_of_paired_trainings(self):
        before = self.cells("old", {0, 2}, {0, 2}, {2, 3})
        after = self.cells("new", {1}, {1}, {2})
        sides = changed_sides(after, before, self.LABELS)
        assert sides.gained == [Changed(0, 1, 3), Changed(2, 0, 2)]  # both by two trainings
        assert sides.lost == [Changed(1, 3, 1)]
        assert (
            "2 are decided rightly by new and wrongly by old, and 1 is the other way round" in sides.sentence
        )

    def test_come_with_those_that_changed_most_often_first(self):
        sides = changed_sides(
            self.cells("new", {0}, set(), set()), self.cells("old", {0, 3}, {0, 3}, {3}), self.LABELS
        )
        assert [changed.row for changed in sides.gained] == [3, 0]

    def test_are_none_where_half_of_the_trainings_say_so(self):
        sides = changed_sides(self.cells("new", set(), {0}), self.cells("old", {0}, {0}), self.LABELS)
        assert (sides.gained, sides.lost) == ([], [])

    def test_count_only_trainings_that_both_arms_have(self):
        sides = changed_sides(self.cells("new", set()), self.cells("old", {0}, set(), set()), self.LABELS)
        assert sides.trainings == 1
        assert sides.gained == [Changed(0, 0, 1)]

    def test_are_decided_at_the_threshold_of_each_training(self):
        strict = self.cells("new", set(), threshold=0.6)  # calls nothing abnormal
        sides = changed_sides(strict, self.cells("old", set()), self.LABELS)
        assert [changed.row for changed in sides.lost] == [2, 3]
