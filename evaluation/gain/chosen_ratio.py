"""The ratio that validation images choose: synthetic images only where they earn their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from synthaug.augment.errors import UsageError
from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.experiment.arms import CHOSEN, Arm
from synthaug.evaluation.experiment.choice import Scored, best_option, cross_fitted, scored
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.influence import contributions, variance_over_patients
from synthaug.evaluation.statistics import Probabilities

ONE_ERROR = float(stats.norm.cdf(1))  # how often one option that is worth nothing leads by less than an error


@dataclass(frozen=True)
class RatioChoice:
    """What validation images say of one classifier's ratio of synthetic images.

    Attributes:
        ratio: that is chosen; 0 where none leads by enough.
        best: the ratio above 0 of the highest mean validation AUROC.
        lead: of `best` over ratio 0, in validation AUROC. It is too high where `best` won by luck.
        standard_error: of the lead, for other trainings and other validation patients.
        needed: the lead from which `best` is taken.
    """

    ratio: float
    best: float
    lead: float
    standard_error: float
    needed: float

    @property
    def sentence(self) -> str:
        """The choice and what it is worth."""
        verdict = "taken" if self.ratio else "not taken, the ratio is 0"
        return (
            f"Ratio {self.best:g} leads ratio 0 by {self.lead:+.4f} validation AUROC (standard error "
            f"{self.standard_error:.4f}); it is taken from {self.needed:.4f} on: {verdict}."
        )


def choose_ratio(predictions: Mapping[float, Sequence[Probabilities]], val: LabeledImages) -> RatioChoice:
    """The ratio of the highest mean validation AUROC, if its lead over 0 is more than luck, else 0.

    The best of k ratios leads by luck of training and by luck of validation patients. The lead that is needed
    has the same chance for the best of k ratios that are worth nothing as one standard error has for a single
    one (16 %; Breiman et al. 1984 take one standard error). Luck of training is what trainings of one ratio
    differ by, pooled over ratios.

    Args:
        predictions: by ratio, 0 among them: (N, K) probabilities of the validation images by each of its
            trainings; two or more of every ratio.

    Raises:
        UsageError: no ratio 0, or a ratio with one training, which shows no luck of training.
        DataError: a class with fewer than two validation patients.
    """
    if 0 not in predictions or min(map(len, predictions.values())) < 2 or len(predictions) < 2:
        counts = {ratio: len(each) for ratio, each in predictions.items()}
        raise UsageError(f"trainings by ratio {counts}: expected ratio 0 and others, two or more of each")
    found = {
        ratio: [contributions(auroc, val.labels, p) for p in each] for ratio, each in predictions.items()
    }
    areas = {ratio: np.array([area for area, _ in each]) for ratio, each in found.items()}
    best = max((ratio for ratio in sorted(areas) if ratio), key=lambda ratio: float(areas[ratio].mean()))
    freedom = sum(len(each) - 1 for each in areas.values())
    of_training = sum(float(each.var(ddof=1)) * (len(each) - 1) for each in areas.values()) / freedom
    contributed = [np.mean([own for _, own in found[ratio]], axis=0) for ratio in (best, 0)]
    of_patients = float(variance_over_patients(contributed[0] - contributed[1], val.labels, val.groups))
    error = (of_training * (1 / len(areas[best]) + 1 / len(areas[0])) + of_patients) ** 0.5
    needed = error * float(stats.t.ppf(ONE_ERROR ** (1 / (len(areas) - 1)), freedom))
    lead = float(areas[best].mean() - areas[0].mean())
    return RatioChoice(best if lead > needed else 0.0, best, lead, error, needed)


def with_chosen_ratio(
    results: Sequence[TrainingResult], references: Mapping[Amount, str], val: LabeledImages
) -> list[TrainingResult]:
    """The results and, for every labelled subset, those of the ratio that its other subsets choose.

    With one labelled subset nothing else can choose for it: the arm is shown then and never decides.

    Args:
        results: of `with_reference`, with the names of its references.
    """
    chosen: list[TrainingResult] = []
    for amount, reference in references.items():
        by_ratio: dict[float, dict[Unit, TrainingResult]] = {0.0: {}}
        for result in results:
            if result.unit.amount != amount or result.arm.by_donor:
                continue
            if result.arm.name == reference:
                by_ratio[0.0][result.unit] = result
            elif result.arm.procedure == "blend":
                by_ratio.setdefault(result.arm.ratio, {})[result.unit] = result
        if len(by_ratio) == 1:
            continue
        options: dict[float, dict[Unit, Scored]] = {
            ratio: {unit: scored(result, val) for unit, result in by_ratio[ratio].items()}
            for ratio in sorted(by_ratio)
        }
        several = len({(unit.donor, unit.subset) for unit in options[0.0]}) > 1
        ratios = (
            cross_fitted(options, 0.0, val)
            if several
            else dict.fromkeys(options[0.0], best_option(options, 0.0, val))
        )
        for unit, ratio in ratios.items():
            if unit in by_ratio[ratio]:
                of = by_ratio[ratio][unit]
                arm = Arm(CHOSEN, "synthetic" if several else "shown", "chosen", of.arm.recipe, ratio)
                chosen.append(replace(of, arm=arm))
    return [*results, *chosen]
