"""How two sets of vectors cover each other, by balls to each vector's k-th neighbour in its own set."""

from dataclasses import dataclass

import numpy as np

from synthaug.evaluation.neighbours import Distances, Vectors, distance_blocks, nearest

NEIGHBOURS_OF_PRECISION = 3  # as in Kynkäänniemi et al. 2019 and in torch-fidelity
NEIGHBOURS_OF_DENSITY = 5  # as in Naeem et al. 2020
ROUNDING = 1e-12  # of squared distances, in units of the squared spread of the real vectors


@dataclass(frozen=True)
class Overlap:
    """Four shares of one comparison.

    Attributes:
        precision: of the synthetic vectors that lie in the ball of a real one (k = 3), 0 to 1: quality.
        recall: of the real vectors that lie in the ball of a synthetic one (k = 3), 0 to 1: diversity.
        density: real balls (k = 5) that a synthetic vector lies in, on average, over k: 0 and up, 1 for new
            real vectors. Unlike precision, the one wide ball of a stray real vector earns little.
        coverage: of the real vectors whose ball (k = 5) holds a synthetic one, 0 to 1. Unlike recall, the
            wide ball of a stray synthetic vector earns nothing.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: Vectors, synthetic: Vectors) -> Overlap:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), in one pass.

    Balls are closed, as in the former paper: the neighbour at the radius is inside. Of a set held against
    itself precision, recall and coverage are therefore 1 and density is 1 + 1 / k. In a set of k vectors or
    fewer, all the others are neighbours. Memory does not grow with the square of the sets.

    Args:
        real: (N, D), two rows or more.
        synthetic: (M, D), two rows or more.
    """
    slack = ROUNDING * float(np.var(real, axis=0, dtype=np.float64).sum())
    of_real, of_real_wide = _squared_radii(real, NEIGHBOURS_OF_PRECISION, NEIGHBOURS_OF_DENSITY) + slack
    (of_synthetic,) = _squared_radii(synthetic, NEIGHBOURS_OF_PRECISION) + slack
    precise = inside = 0
    recalled = np.zeros(len(real), dtype=bool)
    closest = np.full(len(real), np.inf)
    for start, distances in distance_blocks(synthetic, real):
        radii = of_synthetic[start : start + len(distances), None]
        precise += int((distances <= of_real).any(axis=1).sum())
        inside += int((distances <= of_real_wide).sum())
        recalled |= (distances <= radii).any(axis=0)
        np.minimum(closest, distances.min(axis=0), out=closest)
    return Overlap(
        precision=precise / len(synthetic),
        recall=float(recalled.mean()),
        density=inside / (NEIGHBOURS_OF_DENSITY * len(synthetic)),
        coverage=float((closest <= of_real_wide).mean()),
    )


def precision(real: Vectors, synthetic: Vectors) -> float:
    """Share of synthetic vectors inside the manifold of the real ones, see `Overlap`."""
    return overlap(real, synthetic).precision


def recall(real: Vectors, synthetic: Vectors) -> float:
    """Share of real vectors inside the manifold of the synthetic ones, see `Overlap`."""
    return overlap(real, synthetic).recall


def density(real: Vectors, synthetic: Vectors) -> float:
    """How deep in the manifold of the real vectors the synthetic ones lie, see `Overlap`."""
    return overlap(real, synthetic).density


def coverage(real: Vectors, synthetic: Vectors) -> float:
    """Share of real vectors with a synthetic one in their neighbourhood, see `Overlap`."""
    return overlap(real, synthetic).coverage


def _squared_radii(vectors: Vectors, *ks: int) -> Distances:
    """(len(ks), N): squared distances to the k-th nearest other vector, for each k."""
    most = len(vectors) - 1
    distances, _ = nearest(vectors, vectors, min(max(ks), most), itself=True)
    return np.square(distances[:, [min(k, most) - 1 for k in ks]]).T
