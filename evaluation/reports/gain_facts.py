"""Gains and single pairs as report.json holds them: JSON has no infinity, so missing ends are null."""

import math
from dataclasses import asdict
from typing import Any

from synthaug.evaluation.gain.comparison import Gain
from synthaug.evaluation.gain.single_pairs import SinglePair
from synthaug.evaluation.statistics import Estimate


def gain_facts(gain: Gain) -> dict[str, Any]:
    """A gain over the best classical arm."""
    return {
        "amount": str(gain.amount),
        "arm": gain.arm,
        "role": gain.role,
        "reference": gain.reference,
        "auroc": finite(gain.auroc),
        "p_value": gain.p_value,
        "verdict": gain.verdict,
        "adjusted for selection": gain.adjusted,
        "for new training patients": None if gain.new_patients is None else finite(gain.new_patients),
        "over": gain.difference.outer,
        "clusters": gain.difference.clusters,
        "rare auroc": None if gain.rare_auroc is None else finite(gain.rare_auroc),
        "gap closure": None if gain.closure is None else finite(gain.closure),
        "accuracy": finite(gain.accuracy),
        "balanced accuracy": finite(gain.balanced_accuracy),
    }


def pair_facts(pair: SinglePair) -> dict[str, Any]:
    """One training against one; its interval speaks of other test patients and of no other training."""
    unit, test, decided = pair.unit, pair.delong, pair.mcnemar
    return {
        "amount": str(unit.amount),
        "donor": unit.donor,
        "subset": unit.subset,
        "init": unit.init,
        "arm": pair.arm,
        "reference": pair.reference,
        "auroc": pair.arm_auroc,
        "reference auroc": pair.reference_auroc,
        "delong": None if test is None else {**finite(test.interval()), "p_value": test.p_value},
        "mcnemar": {
            "arm_only": decided.arm_only,
            "reference_only": decided.reference_only,
            "p_value": decided.p_value,
        },
    }


def finite(estimate: Estimate) -> dict[str, float | None]:
    """With null for an end that is not there."""
    return {key: x if math.isfinite(x) else None for key, x in asdict(estimate).items()}
