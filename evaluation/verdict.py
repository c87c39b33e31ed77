"""The word on a whole experiment, in one plain sentence for each thing that a reader must know."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.cells import Cell
from synthaug.evaluation.gain import Gain, Verdict, compare, with_chosen_ratio
from synthaug.evaluation.statistics import Estimate

WORDS = {
    "helps": "Synthetic images help",
    "harms": "Synthetic images harm",
    "no evidence": "No evidence that synthetic images help",
}


@dataclass(frozen=True)
class Experiment:
    """All trainings, the gains, and the word on the whole."""

    cells: list[Cell]
    gains: list[Gain]
    verdict: Verdict
    sentence: str


def judge(cells: Sequence[Cell], test: LabeledImages) -> Experiment:
    """Compare the arms of finished cells and conclude."""
    every = with_chosen_ratio(cells)
    gains = compare(every, test)
    return Experiment(every, gains, *conclude(gains))


def conclude(gains: Sequence[Gain]) -> tuple[Verdict, str]:
    """Helps if one of the deciding arms does, harms if none helps and one harms; and the sentence."""
    deciding = [gain for gain in gains if gain.verdict is not None]
    order: tuple[Verdict, ...] = ("helps", "harms", "no evidence")
    verdict = next(v for v in order if any(gain.verdict == v for gain in deciding))
    shown = [gain for gain in deciding if gain.verdict == verdict]
    shown = [gain for gain in shown if gain.auroc.low < gain.auroc.high] or shown  # not the reference itself
    extreme = min if verdict == "harms" else max
    gain = extreme(shown, key=lambda gain: gain.auroc.value)
    sentence = (
        f"{WORDS[verdict]}: {gain.arm} against {gain.reference}, with {gain.amount}, changes AUROC by "
        f"{change(gain.auroc)}."
    )
    more = [_accuracy(gain), _closure(gain, gains), _competitor(gain, gains)]
    return verdict, " ".join(filter(None, [sentence, *more]))


def change(found: Estimate) -> str:
    """A gain with its interval, in words."""
    if not np.isfinite(found.low):
        return f"{found.value:+.4f} with one training, which has no interval: run at least three subsets"
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}] ({100 * found.level:.4g} % interval)"


def _accuracy(gain: Gain) -> str:
    """What many ask for first; it moves with the threshold, so it never decides."""
    if not np.isfinite(gain.accuracy.low):
        return ""
    return f"Accuracy, thresholds tuned on validation images, changes by {change(gain.accuracy)}."


def _closure(gain: Gain, gains: Sequence[Gain]) -> str:
    """How much of the way to all labels it goes, where that way is one."""
    ceiling = next((g for g in gains if g.role == "ceiling" and g.amount == gain.amount), None)
    if gain.verdict != "helps" or ceiling is None or not ceiling.auroc.low > 0:
        return ""
    return (
        f"That is {gain.auroc.value / ceiling.auroc.value:.0%} of the way to the classifier with all labels."
    )


def _competitor(gain: Gain, gains: Sequence[Gain]) -> str:
    """The best that could be done instead."""
    others = [g for g in gains if g.role == "competitor" and g.amount == gain.amount]
    if not others:
        return ""
    best = max(others, key=lambda g: g.auroc.value)
    return f"The best alternative, {best.arm}, changes AUROC by {change(best.auroc)}."
