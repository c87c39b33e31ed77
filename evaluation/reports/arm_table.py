"""The arms of an experiment in numbers, and which of them stand for the rest in its pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.classification import (
    AurocOver,
    class_recalls,
    classifier_scores,
    decide,
    specific_thresholds,
)
from synthaug.evaluation.experiment.arms import CHOSEN
from synthaug.evaluation.experiment.design import Amount
from synthaug.evaluation.experiment.results import TrainingResult, amounts_of
from synthaug.evaluation.gain.comparison import Gain, arm_names, of_arm
from synthaug.evaluation.gain.rare_classes import rare_classes

OF_DONOR = "those of the donor"
BEST_CLASSICAL, BEST_SYNTHETIC = "best classical arm", "best synthetic arm"
CHOSEN_RATIO, BEST_COMPETITOR, ALL_LABELS = "ratio chosen on validation", "best competitor", "all labels"
RARE = "AUROC over rare classes"


def arm_table(
    cells: Sequence[TrainingResult], val: LabeledImages, test: LabeledImages
) -> list[dict[str, Any]]:
    """Mean test scores of every arm over its trainings, one row per arm and amount of labels.

    An arm that no labelled subset goes into has one row, at the end. Every threshold is tuned on validation
    images. Where classes are rare (`rare_classes`), the mean AUROC over them has a column.
    """
    amounts = amounts_of(cells)
    keys = [(amount, name) for amount in amounts for name in arm_names(cells, amount)]
    by_donor = {cell.arm.name for cell in cells if cell.arm.by_donor}
    own = [key for key in keys if key[1] not in by_donor]
    shared = [key for key in keys if key[1] in by_donor and key[0] == amounts[0]]
    rare = rare_classes(cells)
    return [_row(of_arm(cells, *key), val, test, rare) for key in own + shared]


def rows_of(
    table: Sequence[Mapping[str, Any]], cells: Sequence[TrainingResult], amount: Amount
) -> list[Mapping[str, Any]]:
    """The rows of `arm_table` that belong beside those of one amount of labels."""
    by_donor = {cell.arm.name for cell in cells if cell.arm.by_donor}
    return [row for row in table if row["arm"] in by_donor or row["labels"] == str(amount)]


def main_arms(
    cells: Sequence[TrainingResult], gains: Sequence[Gain], amount: Amount, reference: str
) -> dict[str, str]:
    """Names of the arms that stand for the rest, by what they stand for; what there is none of is left out.

    Classical and synthetic arms are chosen by their mean validation AUROC; the competitor by its gain on test
    images, in its favour, as in the experiment's sentence.
    """
    names = arm_names(cells, amount)
    arms = {name: of_arm(cells, amount, name) for name in names}
    fixed = [n for n in names if arms[n][0].arm.role == "synthetic" and n != CHOSEN]
    rivals = [gain for gain in gains if gain.role == "competitor" and gain.amount == amount]
    ceiling = [name for name in names if arms[name][0].arm.role == "ceiling"]
    stand_ins = {
        BEST_CLASSICAL: reference,
        BEST_SYNTHETIC: max(fixed, key=lambda n: np.mean([c.val_auroc for c in arms[n]]), default=None),
        CHOSEN_RATIO: CHOSEN if CHOSEN in arms else None,
        BEST_COMPETITOR: max(rivals, key=lambda gain: gain.auroc.value).arm if rivals else None,
        ALL_LABELS: ceiling[0] if ceiling else None,
    }
    return {stands_for: name for stands_for, name in stand_ins.items() if name is not None}


def _row(
    arm: Sequence[TrainingResult], val: LabeledImages, test: LabeledImages, rare: tuple[int, ...]
) -> dict[str, Any]:
    first = arm[0]
    scores_of = [
        classifier_scores(
            test.labels, cell.test, cell.threshold, specific=specific_thresholds(val.labels, cell.val)
        )
        for cell in arm
    ]
    areas = [scores["AUROC"] for scores in scores_of]
    recalls = [
        class_recalls(test.labels, decide(cell.test, cell.threshold), len(test.class_names)) for cell in arm
    ]
    trts_aurocs = [cell.trts_auroc for cell in arm if cell.trts_auroc is not None]
    others = [name for name in scores_of[0] if name != "AUROC"]
    return {
        "arm": first.arm.name,
        "role": first.arm.role,
        "labels": OF_DONOR if first.arm.procedure == "donor" else str(first.unit.amount),
        "trainings": len(arm),
        "images": {
            origin: {name: _mean_count(arm, origin, name) for name in counts}
            for origin, counts in first.counts.items()
        },
        "validation AUROC": float(np.mean([cell.val_auroc for cell in arm])),
        "AUROC": float(np.mean(areas)),
        "AUROC SD": float(np.std(areas, ddof=1)) if len(arm) > 1 else None,
        **({RARE: float(np.mean([AurocOver(rare)(test.labels, c.test) for c in arm]))} if rare else {}),
        **{score: float(np.mean([scores[score] for scores in scores_of])) for score in others},
        "recall": dict(zip(test.class_names, np.mean(recalls, axis=0).tolist(), strict=True)),
        **({"mirror AUROC": float(np.mean(trts_aurocs))} if trts_aurocs else {}),
    }


def _mean_count(arm: Sequence[TrainingResult], origin: str, class_name: str) -> int:
    """Subsets by whole patients, and ratios chosen for each, differ in their counts."""
    return round(float(np.mean([cell.counts[origin][class_name] for cell in arm])))
