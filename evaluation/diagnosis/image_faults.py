"""Detectors of what is wrong with the images one by one: grey values, noise, order of rows, colour.

A detector takes (reference, held_out, synthetic) and returns the evidence by part: "overall", or the classes
that show the fault. Labels may be wrong as well, so no rule leans on them: a class of synthetic images is
held against that class of held-out real images which is *hardest* to tell from the fault. Each threshold is a
ratio to the real images' own number, and lies far from what real images score and from what the fault scores.
"""

from collections.abc import Callable
from itertools import permutations

import numpy as np

from synthaug.augment.images import Indices
from synthaug.evaluation.diagnosis.image_statistics import Array, MeasuredSet, row_likeness

Found = dict[str, str]

EXPLAINED = 0.15  # of the distance to real grey values: a mistake that comes this much nearer explains them
BEYOND_FLOOR = 3  # times the held-out images' own distance: below this, nothing needs explaining
NO_CORRELATION = 0.25  # of the real images' correlation of neighbouring pixels: below, there is none
FLAT = 0.1  # correlation under which real images are noise themselves: nothing can be said
STILL_KIN = 0.9  # of the likeness of a row and the one most like it: what a change of order keeps
IN_ORDER = 0.25  # of the way from a random order of rows (0) to the real images' order (1)
RECOLOURED = 0.25  # of the squared distance to real colours: an order of channels this much nearer is right


def by_class(synthetic: MeasuredSet, judge: Callable[[Indices], str | None]) -> Found:
    """What `judge` says of each class's rows; of all rows at once, where it objects to most classes."""
    parts = synthetic.classes()
    evidence = {name: words for name, rows in parts.items() if (words := judge(rows))}
    if len(evidence) > len(parts) / 2 and (words := judge(np.arange(len(synthetic)))):
        return {"overall": words}
    return evidence


def lowest(values: Array, real: MeasuredSet) -> Array:
    """The smallest of the real classes' medians: what the class hardest to tell from the fault scores."""
    medians = [np.median(values[rows], axis=0) for rows in real.classes().values()]
    return np.asarray(np.min(medians, axis=0), dtype=np.float64)


def value_range(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Grey values that went through a wrong conversion: [-1, 1], [0, 1] and 0 to 255 taken for one another.

    Each known mistake is applied to the real images' histogram. One that comes far nearer to the synthetic
    histogram than the real one of any class does, and about as near as held-out images come to real ones,
    explains the images. Distances are Wasserstein's, in grey levels.
    """
    real, fresh = _class_histograms(reference), _class_histograms(held_out)

    def judge(rows: Indices) -> str | None:
        made = synthetic.statistics.histogram[rows].mean(axis=0)
        mix = np.bincount(synthetic.labels[rows], minlength=len(real)) / len(rows)
        usual = min(_distance(made, h) for h in [*real[real.sum(axis=1) > 0], mix @ real])
        floor = max(_distance(mix @ fresh, mix @ real), 1.0)
        mistakes = {name: _distance(made, _through(mix @ real, to)) for name, to in MISTAKES.items()}
        name = min(mistakes, key=mistakes.__getitem__)
        here = mistakes[name]
        if usual < BEYOND_FLOOR * floor or here > min(EXPLAINED * usual, BEYOND_FLOOR * floor):
            return None
        return (
            f"grey values are {usual:.1f} levels from real ones, {here:.1f} from real ones {name} "
            f"(held-out real images: {floor:.1f} from real ones)"
        )

    words = judge(np.arange(len(synthetic)))
    return {"overall": words} if words else by_class(synthetic, judge)


def noise(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Pixels that know nothing of their neighbours.

    White noise correlates by 0 at any size, real images hardly less than 1. Shuffled rows and columns lose
    the correlation too, but keep rows that are alike: in noise the best of them is alike by chance only.
    """
    smooth, kin = (lowest(s, held_out) for s in (held_out.statistics.smoothness, held_out.statistics.kinship))
    if smooth.min() < FLAT:
        return {}
    height, width = synthetic.pixels.shape[2:]
    by_chance = np.random.default_rng(0).normal(128, 40, (8, height, width)).astype(np.float32)
    chance = float(np.median(row_likeness(by_chance)[1]))

    def judge(rows: Indices) -> str | None:
        beside = np.median(synthetic.statistics.smoothness[rows], axis=0)
        alike = np.median(synthetic.statistics.kinship[rows], axis=0)
        if (beside > NO_CORRELATION * smooth).any() or (alike > (kin + chance) / 2).any():
            return None
        return (
            f"neighbouring pixels correlate by {beside.max():.2f} "
            f"(held-out real images: {smooth.max():.2f}), "
            f"a row with the one most like it by {alike.max():.2f} (held-out real images: {kin.max():.2f}, "
            f"pure noise: {chance:.2f})"
        )

    return by_class(synthetic, judge)


def scrambled(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Rows or columns out of order: shuffled, interleaved, or memory read in the wrong shape.

    In a picture of anything the row most like a row stands beside it. A change of order leaves every row as
    it was and moves that neighbour away: of H rows in random order, two in H - 1 stand beside it by chance.
    Blur and contrast leave it there. Strong noise hides which row is most alike, but then none is as alike
    as in real images: such images are not judged here.
    """
    kin = lowest(held_out.statistics.kinship, held_out)
    usual = lowest(np.nan_to_num(held_out.statistics.adjacency), held_out)
    chance = np.array([2 / (side - 1) for side in synthetic.pixels.shape[2:]])
    least = np.where(usual > 2 * chance, chance + IN_ORDER * (usual - chance), 0)  # real rows may have none

    def judge(rows: Indices) -> str | None:
        known = synthetic.statistics.adjacency[rows]
        known = known[~np.isnan(known).any(axis=1)]
        if len(known) < len(rows) / 2:
            return None
        beside = np.median(known, axis=0)
        if (np.median(synthetic.statistics.kinship[rows], axis=0) < STILL_KIN * kin).any():
            return None
        words = [
            f"{beside[axis]:.0%} of the {name} have their most alike one beside them "
            f"(held-out real images: {usual[axis]:.0%} or more)"
            for axis, name in enumerate(("rows", "columns"))
            if beside[axis] < least[axis]
        ]
        return ", ".join(words) or None

    return by_class(synthetic, judge)


def channels_swapped(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Colour channels in another order, as BGR for RGB.

    In the right order the colours must be at most half as far from real ones as they are now (Mahalanobis
    distance of an image's mean colour, squared; the median over images), and now be farther than held-out
    images. Grey images in three channels have no order to lose.
    """
    colour = reference.statistics.colour
    channels = colour.shape[1]
    if channels == 1 or np.ptp(colour, axis=1).max() < 1:
        return {}
    inverse = np.linalg.inv(np.cov(colour.T) + 1e-3 * np.eye(channels))

    def distance(colours: Array) -> float:
        away = colours - colour.mean(axis=0)
        return float(np.median(np.einsum("ni,ij,nj->n", away, inverse, away)))

    floor = distance(held_out.statistics.colour)

    def judge(rows: Indices) -> str | None:
        own = synthetic.statistics.colour[rows]
        orders = {order: distance(own[:, order]) for order in permutations(range(channels))}
        best, now = min(orders, key=orders.__getitem__), orders[tuple(range(channels))]
        if now < BEYOND_FLOOR * floor or orders[best] > RECOLOURED * now:
            return None
        return (
            f"mean colours are {now:.1f} from real ones, {orders[best]:.1f} with the channels in the order "
            f"{best} (held-out real images: {floor:.1f}; squared Mahalanobis distance)"
        )

    return by_class(synthetic, judge)


# What a mistaken conversion makes of each grey level from 0 to 255; x is the level's value in [-1, 1].
_LEVELS = np.arange(256.0)
_X = _LEVELS / 127.5 - 1
MISTAKES: dict[str, Array] = {
    "in [-1, 1] cast to bytes": np.trunc(_X) % 256,
    "in [0, 1] cast to bytes": np.trunc(_LEVELS / 255),  # and [-1, 1] cut off at 0
    "in [-1, 1] times 255, clipped": np.clip(_X * 255, 0, 255),
    "in [-1, 1] times 255, wrapped round": np.trunc(_X * 255) % 256,
    "in [-1, 1] times 127.5, clipped": np.clip(_X * 127.5, 0, 255),
    "in [-1, 1] times 127.5, wrapped round": np.trunc(_X * 127.5) % 256,
    "in [0, 1] taken for [-1, 1]": 127.5 + _LEVELS / 2,
    "inverted": 255 - _LEVELS,
}


def _class_histograms(images: MeasuredSet) -> Array:
    """(K, 256), zeros for a class without images."""
    rows = [np.flatnonzero(images.labels == k) for k in range(len(images.class_names))]
    return np.stack([images.statistics.histogram[r].sum(axis=0) / max(len(r), 1) for r in rows])


def _through(histogram: Array, levels: Array) -> Array:
    """The histogram after every grey level was replaced by another."""
    moved = np.bincount(np.round(levels).astype(np.int64), weights=histogram, minlength=256)
    return moved.astype(np.float64)


def _distance(one: Array, other: Array) -> float:
    """Wasserstein-1 of two histograms, in grey levels."""
    return float(np.abs(np.cumsum(one - other)).sum())
