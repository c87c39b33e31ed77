"""How many training patients the clusters of an experiment have in common: what its intervals cover."""

from collections.abc import Mapping, Sequence

import numpy as np

from synthaug.evaluation.experiment.design import Amount
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.hierarchy import LEVELS, outermost


def overlaps_of(
    results: Sequence[TrainingResult], references: Mapping[Amount, str], train: int, donor_share: float = 0.0
) -> dict[Amount, float]:
    """By amount of labels, the share of a cluster's patients that another cluster has, too (on average).

    Two subsets that are drawn from the same patients share a fraction f of theirs, where f is the fraction
    that is drawn; two donors the donor's share. With other initial weights alone all patients are the same.

    Args:
        train: training images, which subsets, and donors, are drawn from.
        donor_share: of the training patients; 0 where no donor is drawn.

    Returns:
        Nothing for an amount whose subsets' sizes are not known.
    """
    overlaps: dict[Amount, float] = {}
    for amount, reference in references.items():
        own = [r for r in results if r.unit.amount == amount and r.arm.name == reference]
        level = LEVELS[outermost([(r.unit.donor, r.unit.subset, r.unit.init) for r in own])[0]]
        counts = [sum(r.counts.get("real", {}).values()) for r in own]
        if level == "initialisation":
            overlaps[amount] = 1.0
        elif level == "generator" and donor_share:
            overlaps[amount] = donor_share
        elif level == "subset" and all(counts) and train:
            overlaps[amount] = min(1.0, float(np.mean(counts)) / (train * (1 - donor_share)))
    return overlaps
