"""Two classifiers on the same images: DeLong's test of their AUROCs, McNemar's of what they decide."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats import contingency_tables

from synthaug.augment.errors import DataError
from synthaug.evaluation.influence import placements
from synthaug.evaluation.statistics import Estimate, Labels, Probabilities

FEW_DISCORDANT = 25  # below, the chi-squared approximation of McNemar's test is poor: the binomial is exact


@dataclass(frozen=True)
class AurocDifference:
    """AUROC of one classifier less that of another, on the same images.

    It speaks of *these two* trained networks on other images; what other trainings would give is in
    `hierarchy.paired_difference`.
    """

    value: float
    standard_error: float

    def interval(self, level: float = 0.95) -> Estimate:
        """The normal interval of this level."""
        half = self.standard_error * float(stats.norm.isf((1 - level) / 2))
        return Estimate(self.value, self.value - half, self.value + half, level)

    @property
    def p_value(self) -> float:
        """Two-sided."""
        if self.standard_error == 0:
            return float(self.value == 0)
        return float(2 * stats.norm.sf(abs(self.value) / self.standard_error))


def delong(labels: Labels, arm: Probabilities, reference: Probabilities) -> AurocDifference:
    """DeLong's test for two correlated AUROCs (DeLong et al. 1988), by midranks (Sun & Xu 2014).

    Every image counts as independent: where patients have several, the interval is too narrow.

    Args:
        labels: (N,), two classes: 0 and 1.
        arm, reference: (N, 2) probabilities of the same images.

    Raises:
        DataError: more than two classes, or fewer than two images of one of them.
    """
    if arm.shape[1] != 2 or reference.shape[1] != 2:
        raise DataError(
            f"DeLong's test of {max(arm.shape[1], reference.shape[1])} classes: expected two, "
            "compare one class against the rest"
        )
    positive = labels == 1
    fewest = int(min(positive.sum(), (~positive).sum()))
    if fewest < 2:
        raise DataError(f"DeLong's test with {fewest} images of one class: expected two or more of each")
    of_positives, of_negatives = zip(*(placements(positive, p[:, 1]) for p in (arm, reference)), strict=True)
    gain = np.subtract(*of_positives)  # (positives,)
    lost = np.subtract(*of_negatives)  # (negatives,)
    variance = gain.var(ddof=1) / len(gain) + lost.var(ddof=1) / len(lost)
    return AurocDifference(float(gain.mean()), float(np.sqrt(variance)))


@dataclass(frozen=True)
class Disagreement:
    """The images that only one of two classifiers decided rightly, and McNemar's test of the two counts."""

    arm_only: int
    reference_only: int
    p_value: float


def mcnemar(labels: Labels, arm: Labels, reference: Labels) -> Disagreement:
    """McNemar's test (1947) of two lists of decided classes: does one err more often than the other?

    Exact (binomial) with fewer than 25 images decided rightly by one alone, else chi-squared with the
    correction for continuity. Whatever moves a threshold moves these counts: AUROC decides, this describes.

    Args:
        labels, arm, reference: (N,) classes: the truth, and what each classifier decided.
    """
    ours, theirs = arm == labels, reference == labels
    arm_only, reference_only = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    table = [[int((ours & theirs).sum()), arm_only], [reference_only, int((~ours & ~theirs).sum())]]
    few = arm_only + reference_only < FEW_DISCORDANT
    test = contingency_tables.mcnemar(table, exact=few, correction=True)
    return Disagreement(arm_only, reference_only, float(test.pvalue))
