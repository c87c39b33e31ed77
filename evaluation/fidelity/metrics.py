"""Metrics of a set of synthetic images against real ones: from features to one number, real first, always.

Adding a metric is a function of a `Pair` and its entry in METRICS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import log_softmax, logsumexp

from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.frechet import frechet_distance, is_singular
from synthaug.evaluation.fidelity.manifold import Overlap, overlap
from synthaug.evaluation.neighbours import Vectors

BLOCK = 1024  # rows of a kernel matrix that are held at once


@dataclass(frozen=True)
class Pair:
    """A real and a synthetic set, ten images or more each, and what several metrics of them share."""

    real: Features
    synthetic: Features

    @cached_property
    def overlap(self) -> Overlap:
        """Precision, recall, density and coverage come out of the same distances."""
        return overlap(self.real.vectors, self.synthetic.vectors)


@dataclass(frozen=True)
class Metric:
    """A number that says how close a synthetic set comes to a real one.

    Attributes:
        of_pair: pair -> value, finite for any two sets of ten images or more.
        better: the direction of "good".
        minimum: dimensions -> images in each set below which the number is not to be trusted.
        instead: the metric to read then; empty where none does better with few images.
        lowest, highest: values the metric can take.
        quadratic: whether it is a squared distance, which varies as 1 / n instead of 1 / √n between equal
            distributions; its interval needs to know.
        needs_logits: whether the extractor must give class logits.
        of_classes: whether it says something of a single class.
        caution: synthetic features -> what to know of the number, in words, or nothing.
    """

    of_pair: Callable[[Pair], float]
    better: Literal["higher", "lower"]
    minimum: Callable[[int], int]
    instead: str = ""
    lowest: float = -np.inf
    highest: float = np.inf
    quadratic: bool = False
    needs_logits: bool = False
    of_classes: bool = True
    caution: Callable[[Features], str] = lambda _: ""

    def score(self, real: Features, synthetic: Features) -> float:
        """The metric by itself; `score_all` shares the work of several."""
        return self.of_pair(Pair(real, synthetic))


def score_all(real: Features, synthetic: Features, names: Sequence[str]) -> dict[str, float]:
    """Values of metrics by name; what several of them need is computed once.

    Args:
        real, synthetic: of the same extractor, ten rows or more each.
        names: keys of METRICS; one that needs logits is left out where the synthetic set has none.
    """
    pair = Pair(real, synthetic)
    return {name: METRICS[name].of_pair(pair) for name in available(names, synthetic)}


def available(names: Sequence[str], synthetic: Features) -> list[str]:
    """Those of the metrics that these features allow."""
    return [name for name in names if synthetic.logits is not None or not METRICS[name].needs_logits]


def fid(pair: Pair) -> float:
    """Fréchet distance of two Gaussians fitted to the features (Heusel et al. 2017), 0 and up."""
    return frechet_distance(pair.real.vectors, pair.synthetic.vectors)


def singular(synthetic: Features) -> str:
    """Says so where the covariance has no inverse, whatever the number of images."""
    if not is_singular(synthetic.vectors):
        return ""
    return "their covariance is singular, the distance is exact for these images only: read KID"


def kid(pair: Pair) -> float:
    """Squared maximum mean discrepancy with the kernel (xᵀy / D + 1)³ (Bińkowski et al. 2018).

    The unbiased estimate over all pairs of images, without random subsets: it is zero on average for two sets
    of one distribution, so that a single value may be below zero.
    """
    x, y = (_with_unit_column(features.vectors) for features in (pair.real, pair.synthetic))
    n, m = len(x), len(y)
    within = _kernel_sum_within(x) / (n * (n - 1)) + _kernel_sum_within(y) / (m * (m - 1))
    return within - 2 * _kernel_sum(x, y) / (n * m)


def inception_score(pair: Pair) -> float:
    """exp E KL(p(y|x) | p(y)) of the synthetic images alone, one split (Salimans et al. 2016), 1 and up.

    It rewards images of several classes: of a single class, a higher one is no better.
    """
    if pair.synthetic.logits is None:
        raise ValueError("the Inception Score needs class logits: this extractor has none")
    log_p = log_softmax(pair.synthetic.logits.astype(np.float64), axis=1)
    log_marginal = logsumexp(log_p, axis=0) - np.log(len(log_p))
    return float(np.exp(max(0.0, (np.exp(log_p) * (log_p - log_marginal)).sum(axis=1).mean())))


def _with_unit_column(vectors: Vectors) -> Vectors:
    """x (N, D) -> [x / √D, 1] (N, D + 1) in float64: products of two are xᵀy / D + 1."""
    n, dimensions = vectors.shape
    return np.hstack([vectors.astype(np.float64) / dimensions**0.5, np.ones((n, 1))])


def _kernel_sum(x: Vectors, y: Vectors) -> float:
    """Of (xᵀy)³ over all pairs of rows, block by block: memory does not grow with the number of pairs."""
    total = 0.0
    for i in range(0, len(x), BLOCK):
        for j in range(0, len(y), BLOCK):
            products = x[i : i + BLOCK] @ y[j : j + BLOCK].T
            total += float(np.vdot(products * products, products))
    return total


def _kernel_sum_within(x: Vectors) -> float:
    """The same over all ordered pairs of two different rows of one set."""
    blocks = [x[i : i + BLOCK] for i in range(0, len(x), BLOCK)]
    between = sum(_kernel_sum(block, x[(k + 1) * BLOCK :]) for k, block in enumerate(blocks))
    own = sum(_kernel_sum(block, block) for block in blocks)
    return 2 * between + own - float((np.square(x).sum(axis=1) ** 3).sum())


METRICS = {
    "FID": Metric(
        fid, "lower", lambda dimensions: dimensions + 1, "KID", lowest=0, quadratic=True, caution=singular
    ),
    "KID": Metric(kid, "lower", lambda _: 50, quadratic=True),
    "IS": Metric(
        inception_score, "higher", lambda _: 100, "KID", lowest=1, needs_logits=True, of_classes=False
    ),
    "precision": Metric(lambda pair: pair.overlap.precision, "higher", lambda _: 50, "density", 0, 1),
    "recall": Metric(lambda pair: pair.overlap.recall, "higher", lambda _: 50, "coverage", 0, 1),
    "density": Metric(lambda pair: pair.overlap.density, "higher", lambda _: 50, "KID", lowest=0),
    "coverage": Metric(lambda pair: pair.overlap.coverage, "higher", lambda _: 50, "KID", 0, 1),
}
