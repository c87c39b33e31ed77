"""The gain of one arm over another, from trainings nested as generator > labelled subset > weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from synthaug.augment.errors import DataError
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import AurocOver
from synthaug.evaluation.statistics import Estimate, Labels, Probabilities, ScoreFunction, resample_groups

Values = npt.NDArray[np.float64]
Name = TypeVar("Name")  # of a comparison
Level = Literal["generator", "subset", "initialisation"]
LEVELS: tuple[Level, ...] = ("generator", "subset", "initialisation")  # from the outermost in


@dataclass(frozen=True)
class PairedTraining:
    """What two classifiers said of the same test images; they share generator, subset and initial weights.

    Subset 0 of generator 0 and subset 0 of generator 1 count as two different subsets, as they are where
    each donor split leaves other patients to the recipient. Draw them apart: where all generators share the
    same few subsets, what those have in common shows in no spread between generators, and is not covered.
    """

    generator: int  # the donor split, or the generator the synthetic images came from
    subset: int  # the labelled subset
    init: int  # the initial weights
    arm: Probabilities  # (N, K)
    reference: Probabilities  # (N, K)

    @property
    def path(self) -> tuple[int, ...]:
        """Its place in the hierarchy, outermost level first."""
        return self.generator, self.subset, self.init


@dataclass(frozen=True)
class Difference:
    """A mean paired difference and its two errors, from which an interval of any level follows.

    Attributes:
        value: mean over generators of the mean over subsets of the mean over initialisations.
        over_trainings: standard error for other trainings of the kind that `outer` names.
        over_patients: standard error for other test patients.
        outer: the outermost level with more than one member. The interval covers what varies at this level
            and inside it. With one generator for all subsets, `outer` is "subset" and the interval holds
            *for this generator*; with one subset as well, for this subset too.
        clusters: members of that level; their number less one is the degrees of freedom.
        patient_freedom: degrees of freedom of `over_patients`.
    """

    value: float
    over_trainings: float
    over_patients: float
    outer: Level
    clusters: int
    patient_freedom: float = np.inf

    def interval(self, level: float = 0.95) -> Estimate:
        """Covers the true difference with probability `level`; infinite with one cluster."""
        half = self._half_width(1 - level)
        return Estimate(self.value, self.value - half, self.value + half, level)

    @property
    def p_value(self) -> float:
        """Two-sided: the interval of level 1 - p touches zero."""
        if self.value == 0 or self.clusters < 2:
            return 1.0

        def excess(logarithm: float) -> float:
            return self._half_width(float(np.exp(logarithm))) - abs(self.value)

        smallest = -300.0  # p = 1e-130; the quantiles of less are no longer exact
        if excess(smallest) < 0:
            return 0.0
        return float(np.exp(optimize.brentq(excess, smallest, 0, xtol=1e-13)))

    def _half_width(self, p: float) -> float:
        """Each error with its own quantile, added in quadrature (Howe 1974).

        Where the two errors are normal this covers 95 to 97.7 % with three clusters, 95 to 95.9 % with eight,
        by their shares; one t of pooled degrees of freedom (Satterthwaite) goes down to 92 %, as it is too
        narrow where few clusters happen to agree.
        """
        if self.clusters < 2:
            return np.inf
        trainings = self.over_trainings * stats.t.isf(p / 2, self.clusters - 1)
        return float(np.hypot(trainings, self.over_patients * stats.t.isf(p / 2, self.patient_freedom)))


def paired_difference(
    score: ScoreFunction,
    labels: Labels,
    pairs: Sequence[PairedTraining],
    groups: npt.NDArray[np.generic] | None = None,
    *,
    rounds: int = 300,
    seed: int = 0,
) -> Difference:
    """Mean score difference arm - reference, for new generators, subsets, initial weights *and* patients.

    Test patients are drawn again `rounds` times, the same patients for every training of a round. The levels
    of training need no drawing, since a mean is linear in them: the variance of a hierarchical bootstrap has
    a closed form, and so has its bias, which three generators make large (resampling them with replacement
    finds 2/3 of their variance; resampling subsets within them counts the subsets twice). What is left once
    corrected is the variance between the means of the outermost clusters over their number, which holds all
    inner levels (Davison & Hinkley 1997, section 3.8). Where a training errs on images of its own, patients
    and trainings interact, and both errors contain it; a joint bootstrap counts it three times (Owen 2007).
    It is measured as the residual of the table clusters × rounds and taken off the patients' side, as in
    multi-reader studies (Obuchowski & Rockette 1995).

    Args:
        score: AUROC (`classifiers.scores.auroc`, `AurocOver`) takes a fast path; any other is computed row by
            row.
        labels: (N,) of the test images.
        groups: (N,) patients, drawn whole; None lets every image be its own.

    Raises:
        DataError: no pair, or a class with fewer than two test patients.
    """
    if not pairs:
        raise DataError("found no paired trainings: train both arms with the same subset and initial weights")
    depth, n = _outermost(pairs)
    observed = _cluster_means(
        [score(labels, p.arm) - score(labels, p.reference) for p in pairs], pairs, depth
    )
    value = float(observed.mean())
    if n < 2:
        return Difference(value, np.inf, np.inf, LEVELS[depth], n)
    answers = [p.arm for p in pairs] + [p.reference for p in pairs]
    resampled = resampled_scores(score, labels, answers, groups, rounds, seed)
    table = _cluster_means(resampled[: len(pairs)] - resampled[len(pairs) :], pairs, depth)  # (n, rounds)
    residual = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    interaction = float((residual**2).sum()) / ((n - 1) * (rounds - 1)) / n
    patients = patients_of_rarest_class(labels, groups)
    # a bootstrap of m patients finds (m - 1) / m of the variance, with m - 1 degrees of freedom, less what
    # the finite number of rounds blurs
    over_patients = max(float(table.mean(0).var(ddof=1)) - interaction, 0) * patients / (patients - 1)
    return Difference(
        value,
        float(observed.std(ddof=1)) / n**0.5,
        over_patients**0.5,
        LEVELS[depth],
        n,
        patient_freedom=1 / (1 / (patients - 1) + 1 / (rounds - 1)),
    )


@dataclass(frozen=True)
class HolmStep:
    """One of several comparisons: its interval at the level of its step, and whether it counts."""

    estimate: Estimate
    p_adjusted: float
    rejected: bool  # the interval leaves zero out, and so do those of all smaller p


def holm(differences: Mapping[Name, Difference], alpha: float = 0.05) -> dict[Name, HolmStep]:
    """Holm's step-down (1979): a false rejection among all comparisons happens with probability <= alpha.

    The k-th smallest p of m is held against alpha / (m - k + 1), and its interval has that level. Decide by
    `rejected`: after the first that fails, an interval may leave zero out and still not count.

    Returns:
        The steps by name, in the order given.
    """
    p_values = {name: difference.p_value for name, difference in differences.items()}
    steps: dict[Name, HolmStep] = {}
    adjusted, going = 0.0, True
    for k, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        comparisons = len(p_values) - k
        adjusted = max(adjusted, min(1.0, comparisons * p_values[name]))
        going = going and p_values[name] <= alpha / comparisons
        steps[name] = HolmStep(differences[name].interval(1 - alpha / comparisons), adjusted, going)
    return {name: steps[name] for name in differences}


def resampled_aurocs(
    labels: Labels, probabilities: Probabilities, counts: Values, over: Sequence[int] | None = None
) -> Values:
    """`auroc` of every resample, (rounds,), sorting once: a resample only changes how often a row counts.

    Args:
        labels: (N,).
        probabilities: (N, K).
        counts: (N, rounds), how often each resample drew each row; each holds every class.
        over: classes to average over, each against the rest; None takes those of `auroc`.
    """
    if over is None:
        over = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [_resampled_areas(labels == k, probabilities[:, k], counts) for k in over]
    return np.asarray(np.mean(areas, axis=0))


def _resampled_areas(positive: npt.NDArray[np.bool_], scores: Values, counts: Values) -> Values:
    """Of each positive, the negatives it outranks, ties half: (rounds,)."""
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(scores[negatives])]
    ranked = np.zeros((len(negatives) + 1, counts.shape[1]))
    np.cumsum(counts[negatives], axis=0, out=ranked[1:])
    below, upto = (np.searchsorted(scores[negatives], scores[positive], side) for side in ("left", "right"))
    positives = counts[positive]
    outranked = np.einsum("ij,ij->j", positives, ranked[below] + ranked[upto]) / 2
    return np.asarray(outranked / (positives.sum(0) * ranked[-1]))


def resampled_scores(
    score: ScoreFunction,
    labels: Labels,
    answers: Sequence[Probabilities],
    groups: npt.NDArray[np.generic] | None,
    rounds: int,
    seed: int,
) -> Values:
    """The score of every classifier on every resample of the patients, (classifiers, rounds).

    Raises:
        DataError: too few patients of a class (`resample_groups`).
    """
    samples = resample_groups(labels, groups, rounds, seed)
    over = score.classes if isinstance(score, AurocOver) else None
    if over is None and score is not auroc:
        return np.array([[score(labels[rows], answer[rows]) for answer in answers] for rows in samples]).T
    counts = np.stack([np.bincount(rows, minlength=len(labels)) for rows in samples], axis=1).astype(float)
    return np.stack([resampled_aurocs(labels, answer, counts, over) for answer in answers])


def _outermost(pairs: Sequence[PairedTraining]) -> tuple[int, int]:
    """Depth and size of the outermost level with more than one member; of the innermost where none has."""
    sizes = [len(set(members)) for members in zip(*(pair.path for pair in pairs), strict=True)]
    return next(((depth, size) for depth, size in enumerate(sizes) if size > 1), (len(LEVELS) - 1, 1))


def _cluster_means(values: npt.ArrayLike, pairs: Sequence[PairedTraining], depth: int) -> Values:
    """(pairs, ...) -> (clusters at this depth, ...): means of means, from the innermost level out."""
    means, paths = np.asarray(values, dtype=np.float64), [pair.path for pair in pairs]
    for kept in range(len(LEVELS), depth, -1):
        parents = [path[:kept] for path in paths]
        paths = sorted(set(parents))
        means = np.stack([means[[parent == path for parent in parents]].mean(0) for path in paths])
    return means


def patients_of_rarest_class(labels: Labels, groups: npt.NDArray[np.generic] | None) -> int:
    """How many patients carry the rarest class: they decide how well the patients' spread is known.

    Raises:
        DataError: fewer than two.
    """
    patients = np.arange(len(labels)) if groups is None else groups
    rarest = min(len(np.unique(patients[labels == label])) for label in np.unique(labels))
    if rarest < 2:
        raise DataError(
            "a class has one test patient, who has no spread: expected two or more, add test images"
        )
    return rarest
