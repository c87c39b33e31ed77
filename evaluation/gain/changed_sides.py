"""Which test images one arm decides rightly and another wrongly: what a difference of AUROC looks like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthaug.evaluation.classification import decide
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.statistics import Labels


@dataclass(frozen=True)
class Changed:
    """A test image that changed sides.

    Attributes:
        row: of the test images.
        before, after: trainings of the reference and of the arm that decide it rightly.
    """

    row: int
    before: int
    after: int


@dataclass(frozen=True)
class ChangedSides:
    """The test images that two arms disagree on, each arm by the majority of its trainings.

    Attributes:
        trainings: paired ones that were asked.
        gained, lost: images that only the arm, or only the reference, decides rightly; those that changed in
            most trainings first.
    """

    arm: str
    reference: str
    images: int
    trainings: int
    gained: list[Changed]
    lost: list[Changed]

    @property
    def sentence(self) -> str:
        """Both numbers in plain words."""
        of = (
            f"by the majority of {self.trainings} paired trainings"
            if self.trainings > 1
            else "in one training"
        )
        gained, lost = (f"{n} {'is' if n == 1 else 'are'}" for n in (len(self.gained), len(self.lost)))
        return (
            f"Of {self.images} test images, {gained} decided rightly by {self.arm} and wrongly by "
            f"{self.reference}, and {lost} the other way round, {of}."
        )


def changed_sides(
    ours: Sequence[TrainingResult], theirs: Sequence[TrainingResult], labels: Labels
) -> ChangedSides:
    """Compare the decisions of two arms over the trainings that share a unit.

    Two classes are told apart by each training's own threshold, tuned on validation images; of more, the most
    probable is taken. An image that half of an arm's trainings decide rightly is on neither side.

    Args:
        ours, theirs: trainings of the arm and of the reference, at least one of them on a common unit.
        labels: (N,) of the test images.
    """
    reference = {cell.unit: cell for cell in theirs}
    pairs = [(cell, reference[cell.unit]) for cell in ours if cell.unit in reference]
    after, before = (
        np.sum([decide(cell.test, cell.threshold) == labels for cell in side], axis=0)
        for side in zip(*pairs, strict=True)
    )
    gained = (2 * after > len(pairs)) & (2 * before < len(pairs))
    lost = (2 * after < len(pairs)) & (2 * before > len(pairs))
    order = np.argsort(-np.abs(after - before), kind="stable")
    return ChangedSides(
        ours[0].arm.name,
        theirs[0].arm.name,
        len(labels),
        len(pairs),
        *(
            [Changed(int(k), int(before[k]), int(after[k])) for k in order if side[k]]
            for side in (gained, lost)
        ),
    )
