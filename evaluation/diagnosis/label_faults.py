"""Detectors of labels that do not belong to their images, by what the domain classifier sees in them.

For each label the mean class probabilities of its images are held against those of the held-out real images
of every class. All rests on these K rows of K numbers. Distances are taken less what two samples of one class
would show, and nothing is said where the real classes themselves are not clearly apart: a classifier that
tells the classes apart badly makes the rules cautious.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from synthaug.augment.images import Indices
from synthaug.evaluation.diagnosis.image_statistics import SMALLEST, MeasuredSet

Array = npt.NDArray[np.float64]

OF_NO_USE = 0.1  # of what real labels tell (variance between labels): below, labels tell nothing
TOWARDS_ONE = 0.5  # of the way from the labels' own mixture to a single class
TELLS_APART = 0.04  # squared distance of a class's row from the mixture: below, the two cannot be told apart
LOOKS_LIKE = 0.25  # of the distance to the own class: another class this near is what the images show
LEAN_STEPS = 100  # of a fixed-point iteration that has settled long before
BEYOND_CHANCE = 10  # times the variance of a sampled distance


def labels_wrong(held_out: MeasuredSet, synthetic: MeasuredSet) -> list[tuple[str, str, str]]:
    """(name, evidence, part): labels shuffled or swapped, one-class collapse, images of another class.

    *Labels tell nothing*: the labels' rows differ by under a tenth of the variance by which real ones do.
    Then one class is all there is (one-class collapse) if the mixture that the classifier sees is nearer to
    it than to the mixture the labels claim; else the labels are shuffled. *Labels trade places*: less their
    mean, which a shift common to all images moves, the rows fit the real ones four times better in another
    order. *Images of another class*: a label's row is four times nearer to another class's than to its own.
    """
    known = [k for k in range(len(held_out.class_names)) if (held_out.labels == k).sum() >= SMALLEST]
    judged = [k for k in known if (synthetic.labels == k).sum() >= SMALLEST]
    if len(known) < 2 or not judged:
        return []
    names = held_out.class_names
    lean = _lean(held_out, known)
    real, spread = _rows(held_out, known, lean)
    made, noise = _rows(synthetic, judged, lean)
    own = np.array([known.index(k) for k in judged])
    weights = np.array([(synthetic.labels == k).sum() for k in judged], dtype=float)
    weights /= weights.sum()
    tells, chance = _between(real[own], spread[own], weights)
    here, chance_here = _between(made, noise, weights)
    if tells > BEYOND_CHANCE * (chance + chance_here) > 0:
        left = max(here, 0.0) / tells
        if left < OF_NO_USE:
            return [_told_nothing(weights, made, real, own, [names[k] for k in known], left)]
        order = _best_order(made - made.mean(axis=0), real[own] - real[own].mean(axis=0), weights)
        if (order != np.arange(len(judged))).any():
            moved = [(names[judged[row]], names[judged[to]]) for row, to in enumerate(order) if row != to]
            evidence = "labels fit the images far better so: " + ", ".join(f"{b} for {a}" for a, b in moved)
            evidence += f"; mean probability of the class named is {_own(made, judged):.2f} "
            evidence += f"(held-out real images: {_own(real, known):.2f})"
            parts = ["overall"] if len(moved) == len(names) else [name for name, _ in moved]
            return [("labels swapped", evidence, part) for part in parts]
    shown = {}
    for row, (label, at) in enumerate(zip(judged, own, strict=True)):
        apart = np.square(made[row] - real).sum(axis=1)
        other = int(apart.argmin())
        if apart[at] > BEYOND_CHANCE * (noise[row] + spread[at]) and apart[other] < LOOKS_LIKE * apart[at]:
            evidence = f"images look like {names[known[other]]}: mean probability of {names[label]} is "
            evidence += f"{made[row, label]:.2f} (held-out real images: {real[at, label]:.2f})"
            shown[names[label]] = (names[known[other]], evidence)
    traded = set(shown) == {other for other, _ in shown.values()}
    name = "labels swapped" if traded else "images of another class"
    return [(name, evidence, label) for label, (_, evidence) in shown.items()]


def _told_nothing(
    weights: Array, made: Array, real: Array, own: Indices, names: list[str], left: float
) -> tuple[str, str, str]:
    """One-class collapse or shuffled labels: by which mixture of real classes the images are, as a whole."""
    claimed, seen = weights @ real[own], weights @ made
    ways = real - claimed  # from the mixture claimed to each class alone
    lengths = np.maximum(np.square(ways).sum(axis=1), 1e-12)
    towards = ways @ (seen - claimed) / lengths
    best = int(np.argmax(towards))
    tells = f"labels tell {left:.0%} of what real ones do about the image"
    if np.square(real[own] - claimed).sum(axis=1).max() < TELLS_APART:
        rest = "shuffled, or all images of one class: the classifier tells the classes apart too badly to say"
        return "labels shuffled", f"{tells}; {rest}", "overall"
    if towards[best] < TOWARDS_ONE:
        return "labels shuffled", f"{tells}, and the images are of several classes", "overall"
    rest = (
        f"the images are {min(towards[best], 1):.0%} of the way from the labels' own mixture to {names[best]}"
    )
    return "one-class collapse", f"{tells}; {rest} alone", "overall"


def _best_order(made: Array, real: Array, weights: Array) -> Indices:
    """Which real row each row is of, if that fits `LOOKS_LIKE` times better than every row its own."""
    cost = weights[:, None] * np.square(made[:, None] - real[None]).sum(axis=2)
    order = linear_sum_assignment(cost)[1]
    same = np.arange(len(order))
    return order if cost[same, order].sum() < LOOKS_LIKE * np.trace(cost) else same


def _own(rows: Array, labels: list[int]) -> float:
    """Mean probability of the class named."""
    return float(rows[np.arange(len(labels)), labels].mean())


def _rows(images: MeasuredSet, labels: list[int], lean: Array) -> tuple[Array, Array]:
    """Mean probabilities (L, K) of each label's images, and the variance of each such mean (L,)."""
    upright = images.probabilities / lean
    upright /= upright.sum(axis=1, keepdims=True)
    members: list[Indices] = [np.flatnonzero(images.labels == label) for label in labels]
    means = [upright[rows].mean(axis=0) for rows in members]
    variances = [upright[rows].var(axis=0).sum() / len(rows) for rows in members]
    return np.stack(means), np.array(variances)


def _lean(held_out: MeasuredSet, known: list[int]) -> Array:
    """(K,) factors by which the classifier prefers some classes on held-out images, all classes being alike.

    Divided by them, its probabilities sum to the same for every class: one that ranks images well but calls
    nearly all of them abnormal tells labels apart after all.
    """
    rows = np.flatnonzero(np.isin(held_out.labels, known))
    counts = np.bincount(held_out.labels, minlength=len(held_out.class_names))
    weights = 1 / counts[held_out.labels[rows]] / len(known)
    lean = np.ones(len(counts))
    for _ in range(LEAN_STEPS):
        upright = held_out.probabilities[rows] / lean
        upright /= upright.sum(axis=1, keepdims=True)
        lean[known] *= (weights @ upright)[known] * len(known)
    return lean


def _between(rows: Array, variances: Array, weights: Array) -> tuple[float, float]:
    """Variance between labels less what chance gives, and what chance gives."""
    chance = float((weights * (1 - weights) * variances).sum())
    return float((weights * np.square(rows - weights @ rows).sum(axis=1)).sum()) - chance, chance
