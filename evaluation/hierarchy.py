"""The gain of one arm over another, from trainings nested as generator > labelled subset > weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import optimize

from synthaug.augment.errors import DataError
from synthaug.evaluation.influence import (
    Values,
    contributions,
    patients_of_rarest_class,
    variance_over_patients,
)
from synthaug.evaluation.statistics import (
    Estimate,
    Labels,
    Probabilities,
    ScoreFunction,
    student_quantile,
)

Path = tuple[int, ...]  # of a training: generator, subset, initialisation
Name = TypeVar("Name")  # of a comparison
Level = Literal["generator", "subset", "initialisation"]
LEVELS: tuple[Level, ...] = ("generator", "subset", "initialisation")  # from the outermost in


@dataclass(frozen=True)
class PairedTraining:
    """What two classifiers predict of the same test images; they share generator, subset and initial weights.

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
    def path(self) -> Path:
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

    def for_new_patients(self, overlap: float, level: float = 0.95) -> Estimate:
        """The interval for training patients other than these.

        Clusters that have patients in common differ less than clusters of new patients would. The variance
        over trainings is that between clusters times 1 / K + f / (1 - f), where f is the share of its
        patients that a cluster has in common with another (Nadeau & Bengio 2003, Machine Learning 52:239).

        Args:
            overlap: f, 0 to 1; from 1 on, where all clusters are of the same patients, it is infinite.
        """
        if overlap >= 1 or self.clusters < 2:
            return Estimate(self.value, -np.inf, np.inf, level)
        widened = self.over_trainings * (1 + self.clusters * overlap / (1 - overlap)) ** 0.5
        return replace(self, over_trainings=widened).interval(level)

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
        trainings = self.over_trainings * student_quantile(p / 2, self.clusters - 1)
        return float(np.hypot(trainings, self.over_patients * student_quantile(p / 2, self.patient_freedom)))


def paired_difference(
    score: ScoreFunction,
    labels: Labels,
    pairs: Sequence[PairedTraining],
    groups: npt.NDArray[np.generic] | None = None,
) -> Difference:
    """Mean score difference arm - reference of paired trainings (`nested_difference`).

    Args:
        score: one that `influence.contributions` knows.
        labels: (N,) of the test images.
        groups: (N,) patients; None lets every image be its own.

    Raises:
        DataError: no pair, or a class with fewer than two test patients.
    """
    scored = [(contributions(score, labels, p.arm), contributions(score, labels, p.reference)) for p in pairs]
    return nested_difference(
        [pair.path for pair in pairs],
        [arm[0] - reference[0] for arm, reference in scored],
        [arm[1] - reference[1] for arm, reference in scored],
        labels,
        groups,
    )


def nested_difference(
    paths: Sequence[Path],
    differences: Sequence[float],
    contributed: Sequence[Values],
    labels: Labels,
    groups: npt.NDArray[np.generic] | None = None,
) -> Difference:
    """A mean difference for new generators, subsets, initial weights *and* patients.

    The variance over trainings is that between the means of the outermost clusters over their number, which
    holds all inner levels (Davison & Hinkley 1997, section 3.8). The variance over patients is that of what
    their images contribute to the mean (`influence`). Where a training errs on images of its own, patients
    and trainings interact, and both variances contain it. It is what the clusters' contributions vary by
    beyond their mean, and is taken off the patients' side, as in multi-reader studies (Obuchowski & Rockette
    1995).

    Args:
        paths: of each pair of trainings: generator, subset, initialisation.
        differences: of their scores.
        contributed: (N,) what the test images contribute to each difference.
        labels, groups: (N,) of the test images.

    Raises:
        DataError: no pair, or a class with fewer than two test patients.
    """
    if not paths:
        raise DataError("found no paired trainings: train both arms with the same subset and initial weights")
    depth, n = outermost(paths)
    observed = cluster_means(differences, paths, depth)
    value = float(observed.mean())
    if n < 2:
        return Difference(value, np.inf, np.inf, LEVELS[depth], n)
    freedom = patients_of_rarest_class(labels, groups) - 1
    of_clusters = cluster_means(contributed, paths, depth)  # (n, N)
    of_mean = variance_over_patients(of_clusters.mean(axis=0), labels, groups)
    of_each = variance_over_patients(of_clusters, labels, groups).sum()
    over_patients = float(without_interaction(of_mean, of_each, n)) ** 0.5
    return Difference(
        value, float(observed.std(ddof=1)) / n**0.5, over_patients, LEVELS[depth], n, float(freedom)
    )


def without_interaction(of_mean: npt.ArrayLike, of_each: npt.ArrayLike, n: int) -> Values:
    """Variance over patients of a mean over clusters, less that of what each cluster errs on for itself.

    Args:
        of_mean: variance over patients of the mean, as it is found.
        of_each: those of the clusters, added up.
        n: clusters.
    """
    interaction = (np.asarray(of_each) - n * np.asarray(of_mean)) / (n - 1) / n
    return np.asarray(np.maximum(np.asarray(of_mean) - interaction, 0.0))


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


def outermost(paths: Sequence[Path]) -> tuple[int, int]:
    """Depth and size of the outermost level with more than one member; of the innermost where none has."""
    sizes = [len(set(members)) for members in zip(*paths, strict=True)]
    return next(((depth, size) for depth, size in enumerate(sizes) if size > 1), (len(LEVELS) - 1, 1))


def cluster_means(values: npt.ArrayLike, paths: Sequence[Path], depth: int) -> Values:
    """(pairs, ...) -> (clusters at this depth, ...): means of means, from the innermost level out."""
    means, kept_paths = np.asarray(values, dtype=np.float64), list(paths)
    for kept in range(len(LEVELS), depth, -1):
        parents = [path[:kept] for path in kept_paths]
        kept_paths = sorted(set(parents))
        if len(kept_paths) == len(parents):
            means = means[sorted(range(len(parents)), key=parents.__getitem__)]
            continue
        means = np.stack([means[[parent == path for parent in parents]].mean(0) for path in kept_paths])
    return means
