"""From trainings to a word: what synthetic images gain over the best classical arm, and whether it counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig
from synthaug.evaluation.arms import (
    SYNTHETIC_ONLY,
    Cell,
    Synthesize,
    cells_of,
    share_of_labels,
    train_arms,
)
from synthaug.evaluation.statistics import Estimate, paired_gain

Verdict = Literal["helps", "no evidence", "harms"]


@dataclass(frozen=True)
class Gain:
    """AUROC of a synthetic arm minus that of the best classical arm, paired over seeds."""

    fraction: float
    arm: str
    reference: str
    auroc: Estimate

    @property
    def verdict(self) -> Verdict:
        """Helps or harms only where the whole interval lies on one side of zero."""
        return "helps" if self.auroc.low > 0 else "harms" if self.auroc.high < 0 else "no evidence"


@dataclass(frozen=True)
class Experiment:
    """All trainings, the gains, and the word on the whole."""

    cells: list[Cell]
    gains: list[Gain]
    verdict: Verdict
    sentence: str


def run_experiment(
    splits: Splits,
    synthesize: Synthesize,
    *,
    fractions: tuple[float, ...],
    ratios: tuple[float, ...],
    seeds: int,
    config: ClassifierConfig,
    fabric: Fabric,
    on_cell: Callable[[str], None] = lambda text: None,
) -> Experiment:
    """Train every arm (`arms.train_arms`), compare each synthetic one with the best classical, conclude."""
    cells = train_arms(
        splits,
        synthesize,
        fractions=fractions,
        ratios=ratios,
        seeds=seeds,
        config=config,
        fabric=fabric,
        on_cell=on_cell,
    )
    gains = compare(cells, splits.test)
    verdict, sentence = conclude(gains)
    return Experiment(cells, gains, verdict, sentence)


def best_classical(cells: list[Cell], fraction: float) -> str:
    """The arm without synthetic images whose mean validation AUROC is highest."""
    names = dict.fromkeys(c.arm.name for c in cells if c.arm.synthetic_ratio == 0)
    return max(names, key=lambda name: float(np.mean([c.val_auroc for c in cells_of(cells, fraction, name)])))


def compare(cells: list[Cell], test: LabeledImages) -> list[Gain]:
    """Every synthetic arm against the best classical one; intervals widened for the number of comparisons.

    The level is 1 - 0.05 / (comparisons that decide), after Bonferroni, so that one false *helps* among all
    of them happens in at most one experiment of twenty. "Synthetic only" is shown at the same level, and
    never decides: nobody throws the real images away. An arm that not every seed could train is left out.
    """
    synthetic = dict.fromkeys((c.fraction, c.arm.name) for c in cells if c.arm.synthetic_ratio > 0)
    level = 1 - 0.05 / sum(arm != SYNTHETIC_ONLY for _, arm in synthetic)
    gains = []
    for fraction, arm in synthetic:
        reference = best_classical(cells, fraction)
        ours, theirs = cells_of(cells, fraction, arm), cells_of(cells, fraction, reference)
        if len(ours) == len(theirs):
            pairs = [c.test for c in ours], [c.test for c in theirs]
            gain = paired_gain(auroc, test.labels, *pairs, test.groups, level=level)
            gains.append(Gain(fraction, arm, reference, gain))
    return gains


def conclude(gains: list[Gain]) -> tuple[Verdict, str]:
    """The word on the whole, by the blended arms: helps if one does, harms if none helps and one harms."""
    deciding = [gain for gain in gains if gain.arm != SYNTHETIC_ONLY]
    verdict = next(v for v in ("helps", "harms", "no evidence") if any(g.verdict == v for g in deciding))
    shown = [gain for gain in deciding if gain.verdict == verdict]
    extreme = min if verdict == "harms" else max
    gain = extreme(shown, key=lambda gain: gain.auroc.value)
    words = {
        "helps": "Synthetic images help",
        "harms": "Synthetic images harm",
        "no evidence": "No evidence that synthetic images help",
    }
    found = gain.auroc
    interval = f"[{found.low:+.4f}, {found.high:+.4f}] ({100 * found.level:.4g} % interval)"
    if not np.isfinite(found.low):
        interval = "with one seed, which has no interval: run at least three"
    return gain.verdict, (
        f"{words[gain.verdict]}: {gain.arm} against {gain.reference}, "
        f"with {share_of_labels(gain.fraction)}, changes AUROC by {found.value:+.4f} {interval}."
    )
