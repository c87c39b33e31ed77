"""One training against one: what the same two networks would do on other test patients, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import decide
from synthaug.evaluation.experiment.design import Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.delong import AurocDifference, Disagreement, delong, mcnemar
from synthaug.evaluation.statistics import Labels


@dataclass(frozen=True)
class SinglePair:
    """Two trainings of one unit on the test images.

    Attributes:
        arm_auroc, reference_auroc: macro one-versus-rest with more than two classes.
        delong: of the difference; None with more than two classes, or fewer than two test images of one.
        mcnemar: of what they decide, each at its own threshold tuned on validation images.
    """

    unit: Unit
    arm: str
    reference: str
    arm_auroc: float
    reference_auroc: float
    delong: AurocDifference | None
    mcnemar: Disagreement

    @property
    def value(self) -> float:
        """AUROC of the arm less that of the reference."""
        return self.arm_auroc - self.reference_auroc


def single_pairs(
    pairs: Mapping[Unit, tuple[TrainingResult, TrainingResult]], labels: Labels
) -> list[SinglePair]:
    """DeLong's and McNemar's tests of each pair by itself.

    Args:
        pairs: the arm's and the reference's training of each unit (`gain.paired_cells`).
        labels: (N,) of the test images.
    """
    return [
        SinglePair(
            unit,
            arm.arm.name,
            reference.arm.name,
            auroc(labels, arm.test),
            auroc(labels, reference.test),
            delong(labels, arm.test, reference.test) if _can_delong(labels, arm) else None,
            mcnemar(labels, decide(arm.test, arm.threshold), decide(reference.test, reference.threshold)),
        )
        for unit, (arm, reference) in pairs.items()
    ]


def _can_delong(labels: Labels, cell: TrainingResult) -> bool:
    return cell.test.shape[1] == 2 and int(np.bincount(labels, minlength=2).min()) >= 2
