"""From trainings to a word: what synthetic images gain over the best classical arm, and whether it counts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import AurocOver, accuracy, balanced_accuracy, decide
from synthaug.evaluation.experiment.arms import Role
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.experiment.schedule import best_recipe
from synthaug.evaluation.gain.closure import gap_closure
from synthaug.evaluation.gain.hierarchy import Difference, PairedTraining, holm, paired_difference
from synthaug.evaluation.gain.rare_classes import rare_classes
from synthaug.evaluation.statistics import Estimate, ScoreFunction

Verdict = Literal["helps", "no evidence", "harms"]
ALPHA = 0.05

Pairs = Mapping[
    Unit, tuple[TrainingResult, TrainingResult]
]  # the arm's and the reference's training, by the latter's unit


@dataclass(frozen=True)
class Gain:
    """AUROC of an arm minus that of the best classical arm, paired.

    Attributes:
        auroc: its interval is at the level that Holm's procedure gives it, where the arm decides; else 95 %.
        p_value: after Holm where the arm decides.
        verdict: of arms that decide; None for the others.
        difference: what the interval comes from.
        accuracy, balanced_accuracy: the same difference at thresholds tuned on validation images, 95 %: asked
            for by many, never deciding.
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


def amounts_of(cells: Iterable[TrainingResult]) -> list[Amount]:
    """The amounts of labels, in order."""
    return list(dict.fromkeys(cell.unit.amount for cell in cells if not cell.arm.by_donor))


def compare(cells: Sequence[TrainingResult], test: LabeledImages) -> list[Gain]:
    """Every other arm against the best classical one.

    Those that decide share an error of 5 % after Holm (1979): one false *helps* among all of them happens in
    at most one experiment of twenty. "Synthetic only" never decides: nobody throws the real images away.
    """
    references = {amount: best_recipe(cells, amount).name for amount in amounts_of(cells)}
    pairs: dict[tuple[Amount, str], Pairs] = {}
    roles: dict[str, Role] = {}
    for amount, reference in references.items():
        theirs = of_arm(cells, amount, reference)
        for name in arm_names(cells, amount):
            ours = of_arm(cells, amount, name)
            roles[name] = ours[0].arm.role
            if roles[name] != "classical":
                pairs[amount, name] = paired_cells(ours, theirs)
    differences = {key: _difference(auroc, of_one, test) for key, of_one in pairs.items()}
    deciding = holm({key: d for key, d in differences.items() if roles[key[1]] == "synthetic"}, ALPHA)
    ceilings = {amount: (amount, name) for amount, name in differences if roles[name] == "ceiling"}
    rare = rare_classes(cells)
    gains = []
    for (amount, name), difference in differences.items():
        step, of_one, top = deciding.get((amount, name)), pairs[amount, name], ceilings.get(amount)
        gains.append(
            Gain(
                amount,
                name,
                roles[name],
                references[amount],
                difference.interval(1 - ALPHA) if step is None else step.estimate,
                difference.p_value if step is None else step.p_adjusted,
                None if step is None else _verdict(step.estimate, step.rejected),
                difference,
                _difference(accuracy, of_one, test, _decided).interval(1 - ALPHA),
                _difference(balanced_accuracy, of_one, test, _decided).interval(1 - ALPHA),
                _difference(AurocOver(rare), of_one, test).interval(1 - ALPHA) if rare else None,
                None
                if top is None or roles[name] == "ceiling"
                else _closure(difference, differences[top], of_one, pairs[top], test),
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


def _probabilities(cell: TrainingResult) -> npt.NDArray[Any]:
    return cell.test


def _decided(cell: TrainingResult) -> npt.NDArray[Any]:
    """At the threshold tuned on validation images."""
    return decide(cell.test, cell.threshold)


def _difference(
    score: ScoreFunction,
    pairs: Pairs,
    test: LabeledImages,
    output: Callable[[TrainingResult], npt.NDArray[Any]] = _probabilities,
) -> Difference:
    trainings = [
        PairedTraining(unit.donor, unit.subset, unit.init, output(arm), output(reference))
        for unit, (arm, reference) in pairs.items()
    ]
    return paired_difference(score, test.labels, trainings, test.groups)


def _closure(
    arm: Difference, ceiling: Difference, ours: Pairs, tops: Pairs, test: LabeledImages
) -> Estimate | None:
    """None, too, where the ceiling lacks a training that the arm has, or the other way round."""
    if ceiling.value <= 0 or ours.keys() != tops.keys():
        return None
    between = {unit: (cell, tops[unit][0]) for unit, (cell, _) in ours.items()}
    return gap_closure(arm, ceiling, _difference(auroc, between, test), 1 - ALPHA)


def _verdict(estimate: Estimate, rejected: bool) -> Verdict:
    if not rejected:
        return "no evidence"
    return "helps" if estimate.value > 0 else "harms"
