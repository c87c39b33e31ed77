"""From trainings to a word: what synthetic images gain over the best classical arm, and whether it counts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.arms import CHOSEN, Arm, Role
from synthaug.evaluation.cells import Cell
from synthaug.evaluation.classification import accuracy, balanced_accuracy, decide
from synthaug.evaluation.conduct import best_recipe
from synthaug.evaluation.design import Amount
from synthaug.evaluation.hierarchy import Difference, PairedTraining, holm, paired_difference
from synthaug.evaluation.statistics import Estimate

Verdict = Literal["helps", "no evidence", "harms"]
ALPHA = 0.05


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


def of_arm(cells: Iterable[Cell], amount: Amount, name: str) -> list[Cell]:
    """The cells of one arm that are to be set beside those of this amount of labels, by unit."""
    found = [c for c in cells if c.arm.name == name and (c.arm.by_donor or c.unit.amount == amount)]
    return sorted(found, key=lambda cell: cell.unit)


def arm_names(cells: Iterable[Cell], amount: Amount) -> list[str]:
    """The arms trained for one amount of labels, in order."""
    return list(dict.fromkeys(c.arm.name for c in cells if c.arm.by_donor or c.unit.amount == amount))


def amounts_of(cells: Iterable[Cell]) -> list[Amount]:
    """The amounts of labels, in order."""
    return list(dict.fromkeys(cell.unit.amount for cell in cells if not cell.arm.by_donor))


def with_chosen_ratio(cells: Sequence[Cell]) -> list[Cell]:
    """The cells and, for every labelled subset, those of the ratio that validation images chose; 0 is one.

    The mean validation AUROC over initial weights decides; among equals, the smaller ratio.
    """
    chosen: list[Cell] = []
    for amount in amounts_of(cells):
        base = best_recipe(cells, amount)
        candidates: dict[tuple[int, int], dict[float, list[Cell]]] = {}
        for cell in cells:
            blended = cell.arm.way == "blend" or cell.arm.role == "classical"
            if blended and cell.unit.amount == amount and cell.arm.recipe == base:
                of_subset = candidates.setdefault((cell.unit.donor, cell.unit.subset), {})
                of_subset.setdefault(cell.arm.ratio, []).append(cell)
        for by_ratio in candidates.values():
            area = {ratio: np.mean([c.val_auroc for c in found]) for ratio, found in by_ratio.items()}
            ratio = max(sorted(area), key=lambda r: area[r])
            arm = Arm(CHOSEN, "synthetic", "chosen", base, ratio)
            chosen += [replace(cell, arm=arm) for cell in by_ratio[ratio]]
    return [*cells, *chosen]


def compare(cells: Sequence[Cell], test: LabeledImages) -> list[Gain]:
    """Every other arm against the best classical one.

    Those that decide share an error of 5 % after Holm (1979): one false *helps* among all of them happens in
    at most one experiment of twenty. "Synthetic only" never decides: nobody throws the real images away.
    """
    found: dict[tuple[Amount, str], Difference] = {}
    decided: dict[tuple[Amount, str], list[Estimate]] = {}
    roles: dict[str, Role] = {}
    references = {amount: best_recipe(cells, amount).name for amount in amounts_of(cells)}
    for amount, reference in references.items():
        theirs = of_arm(cells, amount, reference)
        for name in arm_names(cells, amount):
            ours = of_arm(cells, amount, name)
            roles[name] = ours[0].arm.role
            if roles[name] != "classical":
                said = _pairs(ours, theirs, lambda cell: cell.test)
                found[amount, name] = paired_difference(auroc, test.labels, said, test.groups)
                classes = _pairs(ours, theirs, lambda cell: decide(cell.test, cell.threshold))
                decided[amount, name] = [
                    paired_difference(score, test.labels, classes, test.groups).interval(1 - ALPHA)
                    for score in (accuracy, balanced_accuracy)
                ]
    deciding = holm({key: d for key, d in found.items() if roles[key[1]] == "synthetic"}, ALPHA)
    gains = []
    for (amount, name), difference in found.items():
        step = deciding.get((amount, name))
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
                *decided[amount, name],
            )
        )
    return gains


def _pairs(
    ours: list[Cell], theirs: list[Cell], said: Callable[[Cell], npt.NDArray[Any]]
) -> list[PairedTraining]:
    """Trainings of the same unit; an arm without a labelled subset stands beside every one of its donor."""
    shared = ours[0].arm.by_donor
    by_unit = {cell.unit: said(cell) for cell in ours}
    pairs = []
    for cell in theirs:
        unit = cell.unit
        arm = by_unit.get(unit.of_donor if shared else unit)
        if arm is not None:
            pairs.append(PairedTraining(unit.donor, unit.subset, unit.init, arm, said(cell)))
    return pairs


def _verdict(estimate: Estimate, rejected: bool) -> Verdict:
    if not rejected:
        return "no evidence"
    return "helps" if estimate.value > 0 else "harms"
