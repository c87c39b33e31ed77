"""From trainings to a word: what synthetic images gain over the best classical arm, and whether it counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import AurocOver, accuracy, balanced_accuracy, decide
from synthaug.evaluation.experiment.arms import Role
from synthaug.evaluation.experiment.choice import path
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.closure import gap_closure
from synthaug.evaluation.gain.rare_classes import rare_classes
from synthaug.evaluation.gain.winner import selection_adjusted
from synthaug.evaluation.hierarchy import Difference, holm, nested_difference
from synthaug.evaluation.influence import Values, contributions
from synthaug.evaluation.statistics import Estimate, ScoreFunction

Verdict = Literal["helps", "no evidence", "harms"]
ALPHA = 0.05

# the arm's and the reference's training, by the latter's unit
Pairs = Mapping[Unit, tuple[TrainingResult, TrainingResult]]
Overlap = Mapping[Amount, float]  # share of the training patients that two clusters have in common


@dataclass(frozen=True)
class Gain:
    """AUROC of an arm minus that of the best classical arm, paired.

    Attributes:
        auroc: its interval is at the level that Holm's procedure gives it, where the arm decides; else 95 %.
        p_value: after Holm where the arm decides.
        verdict: of arms that decide; None for the others.
        difference: what the interval comes from.
        adjusted: where there is evidence, the effect behind it: AUROC differences that pass a test are too
            high on average (`selection_adjusted`); else None.
        new_patients: 95 % interval of AUROC for other training patients than these; None where their overlap
            is not known. Infinite where every subset has all patients.
        accuracy, balanced_accuracy: the same difference at the thresholds that were tuned on these validation
            images, 95 %: asked for by many, never deciding. What other validation images would have set the
            thresholds to is not in the interval.
        rare_auroc: the same difference of the mean AUROC over the rare classes, 95 %, never deciding; None
            where no class is rare.
        closure: the share of the gap to the ceiling that it closes, 95 %; None of the ceiling itself, and
            where there is no ceiling above the reference.
    """

    amount: Amount
    arm: str
    role: Role
    reference: str
    auroc: Estimate
    p_value: float
    verdict: Verdict | None
    difference: Difference
    adjusted: float | None
    new_patients: Estimate | None
    accuracy: Estimate
    balanced_accuracy: Estimate
    rare_auroc: Estimate | None = None
    closure: Estimate | None = None


def of_arm(cells: Iterable[TrainingResult], amount: Amount, name: str) -> list[TrainingResult]:
    """The cells of one arm that are to be set beside those of this amount of labels, by unit."""
    results = [c for c in cells if c.arm.name == name and (c.arm.by_donor or c.unit.amount == amount)]
    return sorted(results, key=lambda cell: cell.unit)


def arm_names(cells: Iterable[TrainingResult], amount: Amount) -> list[str]:
    """The arms trained for one amount of labels, in order."""
    return list(dict.fromkeys(c.arm.name for c in cells if c.arm.by_donor or c.unit.amount == amount))


def compare(
    cells: Sequence[TrainingResult],
    test: LabeledImages,
    references: Mapping[Amount, str],
    *,
    alpha: float = ALPHA,
    overlaps: Overlap | None = None,
) -> list[Gain]:
    """Every other arm against the reference of its amount of labels.

    Those that decide share an error of `alpha` after Holm (1979): one false *helps* among all of them happens
    in at most one experiment of forty. "Synthetic only" never decides: nobody throws the real images away.

    Args:
        references: by amount, the name of the arm without synthetic images that the others are held against.
        alpha: the error of this look; 5 % unless more looks are planned.
        overlaps: by amount; without, no interval for new training patients.
    """
    pairs: dict[tuple[Amount, str], Pairs] = {}
    roles: dict[str, Role] = {}
    for amount, reference in references.items():
        theirs = of_arm(cells, amount, reference)
        for name in arm_names(cells, amount):
            ours = of_arm(cells, amount, name)
            roles[name] = ours[0].arm.role
            if roles[name] != "classical":
                pairs[amount, name] = paired_cells(ours, theirs)
    scores = _Scores(test)
    differences = {key: scores.difference(auroc, of_one) for key, of_one in pairs.items()}
    deciding = holm({key: d for key, d in differences.items() if roles[key[1]] == "synthetic"}, alpha)
    ceilings = {amount: (amount, name) for amount, name in differences if roles[name] == "ceiling"}
    rare = rare_classes(cells)
    gains = []
    for (amount, name), difference in differences.items():
        step, of_one, top = deciding.get((amount, name)), pairs[amount, name], ceilings.get(amount)
        overlap = (overlaps or {}).get(amount)
        verdict = None if step is None else verdict_of(step.estimate, step.rejected)
        gains.append(
            Gain(
                amount,
                name,
                roles[name],
                references[amount],
                difference.interval(1 - ALPHA) if step is None else step.estimate,
                difference.p_value if step is None else step.p_adjusted,
                verdict,
                difference,
                _adjusted(difference, step.estimate) if step is not None and step.rejected else None,
                None if overlap is None else difference.for_new_patients(overlap, 1 - ALPHA),
                scores.difference(accuracy, of_one).interval(1 - ALPHA),
                scores.difference(balanced_accuracy, of_one).interval(1 - ALPHA),
                scores.difference(AurocOver(rare), of_one).interval(1 - ALPHA) if rare else None,
                None
                if top is None or roles[name] == "ceiling"
                else _closure(difference, differences[top], of_one, pairs[top], scores),
            )
        )
    return gains


def paired_cells(
    ours: Iterable[TrainingResult], theirs: Iterable[TrainingResult]
) -> dict[Unit, tuple[TrainingResult, TrainingResult]]:
    """Trainings of the same unit; an arm without a labelled subset stands beside every one of its donor."""
    by_unit = {cell.unit: cell for cell in ours}
    shared = any(cell.arm.by_donor for cell in by_unit.values())
    pairs = {cell.unit: (by_unit.get(cell.unit.of_donor if shared else cell.unit), cell) for cell in theirs}
    return {unit: (arm, reference) for unit, (arm, reference) in pairs.items() if arm is not None}


class _Scores:
    """Scores of trainings on the test images, each computed once."""

    def __init__(self, test: LabeledImages):
        self.test = test
        self._known: dict[tuple[ScoreFunction, int, float | None], tuple[float, Values]] = {}

    def difference(self, score: ScoreFunction, pairs: Pairs) -> Difference:
        """Of the arm and its reference."""
        scored = [(self._of(score, arm), self._of(score, reference)) for arm, reference in pairs.values()]
        return nested_difference(
            [path(unit) for unit in pairs],
            [arm[0] - reference[0] for arm, reference in scored],
            [arm[1] - reference[1] for arm, reference in scored],
            self.test.labels,
            self.test.groups,
        )

    def _of(self, score: ScoreFunction, cell: TrainingResult) -> tuple[float, Values]:
        key = score, id(cell.test), cell.threshold
        if key not in self._known:
            outputs: npt.NDArray[Any] = cell.test
            if score in (accuracy, balanced_accuracy):
                outputs = decide(cell.test, cell.threshold)
            self._known[key] = contributions(score, self.test.labels, outputs)
        return self._known[key]


def _closure(
    arm: Difference, ceiling: Difference, ours: Pairs, tops: Pairs, scores: _Scores
) -> Estimate | None:
    """None, too, where the ceiling lacks a training that the arm has, or the other way round."""
    if ceiling.value <= 0 or ours.keys() != tops.keys():
        return None
    between = {unit: (cell, tops[unit][0]) for unit, (cell, _) in ours.items()}
    return gap_closure(arm, ceiling, scores.difference(auroc, between), 1 - ALPHA)


def _adjusted(difference: Difference, estimate: Estimate) -> float:
    error = float(np.hypot(difference.over_trainings, difference.over_patients))
    return selection_adjusted(difference.value, error, (estimate.high - estimate.low) / 2)


def verdict_of(estimate: Estimate, rejected: bool) -> Verdict:
    """Of an arm that decides: what Holm's step says, and its direction."""
    if not rejected:
        return "no evidence"
    return "helps" if estimate.value > 0 else "harms"
