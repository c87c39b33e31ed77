"""The word on a whole experiment, in one plain sentence for each thing that a reader must know."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthaug.augment.images import Splits
from synthaug.evaluation.experiment.arms import Recipe
from synthaug.evaluation.experiment.design import Amount
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.chosen_ratio import with_chosen_ratio
from synthaug.evaluation.gain.comparison import ALPHA, Gain, Verdict, compare
from synthaug.evaluation.gain.overlap import overlaps_of
from synthaug.evaluation.gain.planning import pilot_sd, smallest_effect
from synthaug.evaluation.gain.reference import with_reference
from synthaug.evaluation.statistics import Estimate

WORDS = {
    "helps": "Synthetic images help",
    "harms": "Synthetic images harm",
    "no evidence": "No evidence that synthetic images help",
}

POWER = 0.8  # with which the smallest effect is found
MOST = 0.5  # an AUROC gains no more over chance


@dataclass(frozen=True)
class Looks:
    """How often an experiment is concluded from while it grows; the error is divided among the looks.

    Attributes:
        number: of this look, from 1.
        planned: fixed before the first. Each spends an equal part of the error, so that a false verdict at
            any of them is no more likely than at one (Bonferroni's spending; Lan & DeMets 1983 have others).
    """

    number: int = 1
    planned: int = 1

    @property
    def alpha(self) -> float:
        """The error of one look."""
        return ALPHA / self.planned


ONE_LOOK = Looks()


@dataclass(frozen=True)
class Experiment:
    """All trainings, the gains, and the word on the whole.

    Attributes:
        cells: results, among them those of the ratio that validation images choose.
        references: by amount, the arm without synthetic images that others are held against.
        decisive: the gain that the word is about.
        smallest_effect: that this experiment would have found (`smallest_found`), or None.
    """

    cells: list[TrainingResult]
    references: dict[Amount, str]
    gains: list[Gain]
    verdict: Verdict
    sentence: str
    decisive: Gain
    smallest_effect: float | None
    looks: Looks = ONE_LOOK


def compare_arms(
    results: Sequence[TrainingResult],
    splits: Splits,
    *,
    reference: Recipe | None = None,
    looks: Looks = ONE_LOOK,
    donor_share: float = 0.0,
) -> Experiment:
    """Compare the arms of finished trainings and conclude: validation images choose, test images decide.

    Args:
        reference: chosen before the experiment; None: on validation images, for each subset by the others.
        looks: at this experiment, planned and had.
        donor_share: of the training patients that belong to the donor, where one is drawn anew each time.
    """
    beside, references = with_reference(results, splits.val, reference)
    every = with_chosen_ratio(beside, references, splits.val)
    overlaps = overlaps_of(every, references, len(splits.train), donor_share)
    gains = compare(every, splits.test, references, alpha=looks.alpha, overlaps=overlaps)
    decisive = decisive_gain(gains)[1]
    smallest = smallest_found(decisive, gains, looks.alpha)
    verdict, sentence = conclude(gains, looks, smallest)
    return Experiment(every, references, gains, verdict, sentence, decisive, smallest, looks)


def decisive_gain(gains: Sequence[Gain]) -> tuple[Verdict, Gain]:
    """Helps if one of the deciding arms does, harms if none helps and one harms; and the arm that says it.

    Of several, the one of the largest change that way.
    """
    deciding = [gain for gain in gains if gain.verdict is not None]
    order: tuple[Verdict, ...] = ("helps", "harms", "no evidence")
    verdict = next(v for v in order if any(gain.verdict == v for gain in deciding))
    shown = [gain for gain in deciding if gain.verdict == verdict]
    shown = [gain for gain in shown if gain.auroc.low < gain.auroc.high] or shown  # not the reference itself
    extreme = min if verdict == "harms" else max
    return verdict, extreme(shown, key=lambda gain: gain.auroc.value)


def conclude(
    gains: Sequence[Gain], looks: Looks = ONE_LOOK, smallest: float | None = None
) -> tuple[Verdict, str]:
    """The verdict of `decisive_gain`, and it in words; with the smallest effect of `smallest_found`."""
    verdict, gain = decisive_gain(gains)
    sentence = (
        f"{WORDS[verdict]}: {gain.arm} against {gain.reference}, with {gain.amount}, changes AUROC by "
        f"{change(gain.auroc)}."
    )
    more = [
        _selected(gain, gains),
        _harming(verdict, gains),
        _missed(smallest),
        _accuracy(gain),
        _closure(gain),
        _competitor(gain, gains),
        _looked(looks),
    ]
    return verdict, " ".join(filter(None, [sentence, *more]))


def smallest_found(gain: Gain, gains: Sequence[Gain], alpha: float = ALPHA) -> float | None:
    """The smallest true AUROC effect that Holm's first step finds with 80 % power: what a null leaves open.

    From the errors of this experiment, not from its effect. The spread between trainings is the upper limit
    that the planner uses (`pilot_sd`): with the plain one of 3 to 12 subsets, the effect so stated was found
    in 59 to 78 % of simulated experiments, with the limit in 81 to 91 %.

    Returns:
        None where the arm has a verdict or one training, or equals the reference.
    """
    difference = gain.difference
    if gain.verdict != "no evidence" or difference.clusters < 2 or difference.over_trainings == 0:
        return None
    return smallest_effect(
        difference.clusters,
        pilot_sd(difference),
        target=POWER,
        over_patients=difference.over_patients,
        patient_freedom=difference.patient_freedom,
        comparisons=sum(each.verdict is not None for each in gains),
        alpha=alpha,
    )


def change(estimate: Estimate) -> str:
    """A gain with its interval, in words."""
    if not np.isfinite(estimate.low):
        return f"{estimate.value:+.4f} with one training, which has no interval: run at least three subsets"
    interval = f"[{estimate.low:+.4f}, {estimate.high:+.4f}] ({100 * estimate.level:.4g} % interval)"
    return f"{estimate.value:+.4f} {interval}"


def _harming(verdict: Verdict, gains: Sequence[Gain]) -> str:
    """What does harm where something else helps: the one is no reason for the other."""
    harming = [gain for gain in gains if gain.verdict == "harms"]
    if verdict != "helps" or not harming:
        return ""
    worst = min(harming, key=lambda gain: gain.auroc.value)
    return f"But {worst.arm}, with {worst.amount}, harms: AUROC changes by {change(worst.auroc)}."


def _selected(gain: Gain, gains: Sequence[Gain]) -> str:
    """What remains of a gain that is quoted because it was found."""
    if gain.adjusted is None:
        return ""
    deciding = sum(each.verdict is not None for each in gains)
    among = f"the strongest of {deciding} arms" if deciding > 1 else "an effect quoted because it was found"
    adjusted = f"adjusted for having passed the test {gain.adjusted:+.4f}"
    return f"Such a number is too high on average ({among}): {adjusted}."


def _looked(looks: Looks) -> str:
    if looks.planned == 1:
        return ""
    return (
        f"Look {looks.number} of {looks.planned} planned ones, each at an error of {100 * looks.alpha:.3g} %."
    )


def _missed(effect: float | None) -> str:
    """What a null result cannot rule out."""
    if effect is None:
        return ""
    if effect > MOST:
        return (
            f"So few trainings and test images find no effect at all with {100 * POWER:.0f} % power: "
            "add subsets, or test images."
        )
    return f"An effect of {effect:.2g} or more would have been found with {100 * POWER:.0f} % power."


def _accuracy(gain: Gain) -> str:
    """What many ask for first; it moves with the threshold, so it never decides."""
    if not np.isfinite(gain.accuracy.low):
        return ""
    return f"Accuracy, thresholds tuned on validation images, changes by {change(gain.accuracy)}."


def _closure(gain: Gain) -> str:
    """How much of the way to all labels it goes, where that way is one."""
    if gain.verdict != "helps" or gain.closure is None or gain.difference.clusters < 2:
        return ""
    if not np.isfinite(gain.closure.low):
        return "What share of the gap to all labels it closes is open: the gap itself is not certain."
    return f"Of the gap to the classifier with all labels it closes {in_percent(gain.closure)}."


def in_percent(estimate: Estimate) -> str:
    """Of a gap, with its interval; an unbounded one in words."""
    value, *ends = (
        f"{round(100 * x) if np.isfinite(x) else x}" for x in (estimate.value, estimate.low, estimate.high)
    )
    return (
        f"{value} % [{', '.join(ends)}]" if np.isfinite(estimate.low) else f"{value} % (interval unbounded)"
    )


def _competitor(gain: Gain, gains: Sequence[Gain]) -> str:
    """The best that could be done instead."""
    others = [g for g in gains if g.role == "competitor" and g.amount == gain.amount]
    if not others:
        return ""
    best = max(others, key=lambda g: g.auroc.value)
    luckiest = f" (the best of {len(others)} on these test images)" if len(others) > 1 else ""
    return f"The best alternative{luckiest}, {best.arm}, changes AUROC by {change(best.auroc)}."
