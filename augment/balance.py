"""The plan: how many images of each class to synthesise."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import UsageError
from synthaug.augment.images import Indices

Strategy = str | float | Sequence[int] | Mapping[int, int]

WORDS = ("minority", "not minority", "not majority", "all", "auto")


def sampling_plan(
    labels: Indices, num_classes: int, sampling_strategy: Strategy = "not majority"
) -> list[int]:
    """Images to synthesise per class, in imbalanced-learn's words.

    Args:
        labels: (N,) of the real images.
        sampling_strategy: "minority" fills the smallest class up to the largest, "not minority" every class
            but the smallest, "not majority" (or "all", "auto") every class; a list fills up these labels; a
            number, with two classes, is the minority's share of the majority afterwards; a mapping gives the
            wanted total per label.

    Raises:
        UsageError: an unknown word or label, or a wanted total below what is there.
    """
    counts = np.bincount(labels, minlength=num_classes)
    everyone = range(num_classes)
    wanted: dict[int, int]
    if isinstance(sampling_strategy, Mapping):
        wanted = dict(sampling_strategy)
    elif isinstance(sampling_strategy, str):
        if sampling_strategy not in WORDS:
            raise UsageError(
                f"sampling strategy {sampling_strategy!r}: expected {', '.join(WORDS)}, number, list or dict"
            )
        smallest = int(counts.argmin())
        chosen = {"minority": [smallest], "not minority": [k for k in everyone if k != smallest]}
        wanted = dict.fromkeys(chosen.get(sampling_strategy, everyone), int(counts.max()))
    elif isinstance(sampling_strategy, float | int):
        if num_classes != 2 or not 0 < sampling_strategy <= 1:
            raise UsageError(
                f"sampling strategy {sampling_strategy} for {num_classes} classes: expected two classes, "
                "and a share above 0, at most 1"
            )
        wanted = {int(counts.argmin()): int(counts.max() * sampling_strategy)}
    else:
        wanted = dict.fromkeys(sampling_strategy, int(counts.max()))
    for label, total in wanted.items():
        if label not in everyone:
            raise UsageError(f"class {label} in the sampling strategy: expected 0..{num_classes - 1}")
        if total < counts[label]:
            raise UsageError(
                f"class {label} has {counts[label]} images: expected as many or more, not {total}"
            )
    return [int(wanted.get(label, counts[label]) - counts[label]) for label in everyone]


def blend_plan(counts: Sequence[int], synthetic_ratio: float, pool: Sequence[int] | None = None) -> list[int]:
    """Synthetic images per class for a blend of which `synthetic_ratio` is synthetic, minority classes first.

    The classes are filled like a basin with an uneven floor, the lowest first, so that the blend is as
    balanced as its size allows. At ratio 1 the real images are left out, and the plan gives a balanced
    synthetic set of the real set's size.

    Args:
        counts: real images per class.
        synthetic_ratio: r in [0, 1]; the plan's total is round(N r / (1 - r)) for N real images.
        pool: synthetic images per class that there are to choose from; None for a generator, which makes any
            number. Where the pool lacks a class, the others are filled, but none beyond the largest class:
            a ratio never turns the balance round.

    Raises:
        UsageError: a ratio outside [0, 1], or one that the pool's classes cannot reach; the message says
            which they can.
    """
    if not 0 <= synthetic_ratio <= 1:
        raise UsageError(f"synthetic ratio {synthetic_ratio}: expected 0 (real only) to 1 (synthetic only)")
    real = np.asarray(counts)
    total = real.sum()
    if synthetic_ratio == 1:
        real, budget = np.zeros_like(real), int(total)
    else:
        budget = round(float(total) * synthetic_ratio / (1 - synthetic_ratio))
    plan = _filled(real, budget, np.ones(len(real), dtype=bool))
    there = np.ones(len(real), dtype=bool) if pool is None else np.asarray(pool) > 0
    if there.all() or not plan[~there].any():
        return [int(n) for n in plan]
    room = np.where(there, real.max() - real, 0)
    most = int(np.minimum(room, np.asarray(pool)).sum())
    if budget > most:
        raise UsageError(_out_of_reach(synthetic_ratio, budget, most, int(total)))
    return [int(n) for n in _filled(real, budget, there)]


def _filled(real: Indices, budget: int, fillable: npt.NDArray[np.bool_]) -> Indices:
    """`budget` images dealt to the fillable classes, the smallest first."""
    floor = np.where(fillable, real, np.iinfo(np.int64).max)
    # Find the water level: the highest one that the budget reaches.
    level = int(floor.min())
    while np.maximum(level + 1 - floor, 0).sum() <= budget:
        level += 1
    plan: Indices = np.maximum(level - floor, 0)
    for label in np.argsort(floor, kind="stable"):  # what is left: one more for the smallest classes
        if plan.sum() < budget and floor[label] <= level:
            plan[label] += 1
    return plan


def _out_of_reach(ratio: float, budget: int, most: int, real: int) -> str:
    """What a pool that lacks classes can do instead, for a message."""
    reach = "no ratio"
    if ratio < 1 and most:  # three digits, never above what can be reached
        reach = f"{np.floor(1000 * most / (real + most)) / 1000:.3f}"
    return (
        f"synthetic ratio {ratio:g} asks for {budget} synthetic images, some classes have none: filling up "
        f"the others to the largest class reaches {reach}; expected at most that, or --balance (fill every "
        "class up), or --add FILE (all of them)"
    )
