"""The ratio that validation images choose: synthetic images only where they earn their place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.experiment.arms import CHOSEN, Arm
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.experiment.schedule import best_recipe
from synthaug.evaluation.gain.comparison import amounts_of
from synthaug.evaluation.gain.hierarchy import patients_of_rarest_class, resampled_scores
from synthaug.evaluation.statistics import Probabilities

ROUNDS = 300  # of the bootstrap over validation patients


def chosen_ratio(predictions: Mapping[float, Sequence[Probabilities]], val: LabeledImages) -> float:
    """The ratio of the highest validation AUROC, if it leads ratio 0 by more than one standard error, else 0.

    The best of several ratios is ahead by chance where validation images are few. So the plainest is kept
    unless it is beaten by more than the standard error: the rule by which Breiman et al. (1984, section
    3.4.3) choose the size of a tree. The error is that of the paired difference, for other validation
    patients.

    Args:
        predictions: by ratio, 0 among them: (N, K) probabilities of the validation images by each of its
            trainings, whose AUROCs are averaged.

    Returns:
        A key of `predictions`; the smaller among equals, and 0 where patients are too few for a standard
        error.
    """
    area = {
        ratio: float(np.mean([auroc(val.labels, p) for p in answers]))
        for ratio, answers in predictions.items()
    }
    best = max(sorted(area), key=lambda ratio: area[ratio])
    if best == 0:
        return 0.0
    try:
        patients = patients_of_rarest_class(val.labels, val.groups)
        drawn = {
            ratio: resampled_scores(auroc, val.labels, predictions[ratio], val.groups, ROUNDS, seed=0).mean(0)
            for ratio in (0.0, best)
        }
    except DataError:
        return 0.0
    # a bootstrap of so many patients finds (patients - 1) / patients of the variance
    error = float((drawn[best] - drawn[0.0]).std(ddof=1)) * (patients / (patients - 1)) ** 0.5
    return best if area[best] - area[0.0] > error else 0.0


def with_chosen_ratio(cells: Sequence[TrainingResult], val: LabeledImages) -> list[TrainingResult]:
    """The cells and, for every labelled subset, those of the ratio that validation images choose for it."""
    chosen: list[TrainingResult] = []
    for amount in amounts_of(cells):
        base = best_recipe(cells, amount)
        candidates: dict[tuple[int, int], dict[float, list[TrainingResult]]] = {}
        for cell in cells:
            blended = cell.arm.procedure == "blend" or cell.arm.role == "classical"
            if blended and cell.unit.amount == amount and cell.arm.recipe == base:
                of_subset = candidates.setdefault((cell.unit.donor, cell.unit.subset), {})
                of_subset.setdefault(cell.arm.ratio, []).append(cell)
        for by_ratio in candidates.values():
            ratio = chosen_ratio({r: [c.val for c in of_ratio] for r, of_ratio in by_ratio.items()}, val)
            arm = Arm(CHOSEN, "synthetic", "chosen", base, ratio)
            chosen += [replace(cell, arm=arm) for cell in by_ratio[ratio]]
    return [*cells, *chosen]
