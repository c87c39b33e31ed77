"""Fréchet distance of two Gaussians, exact for every covariance, also one without an inverse.

The distance needs tr (Σ1 Σ2)^½, and a matrix square root is the slow and fragile way to it. With any factor
Σ1 = A1 A1ᵀ the same number is the sum of the roots of the eigenvalues of the symmetric A1ᵀ Σ2 A1: a Cholesky
factor is the cheapest. Where there is none (no more images than dimensions, features that follow from each
other), it is the sum of the singular values of A1ᵀ A2, which a singular covariance leaves exact.
"""

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.linalg import lapack

Vectors = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)


def frechet_distance(real: Vectors, synthetic: Vectors) -> float:
    """Of the Gaussians fitted to two sets of vectors (Dowson & Landau 1982; on features: Heusel et al. 2017).

    |μ1 - μ2|² + tr (Σ1 + Σ2 - 2 (Σ1 Σ2)^½) with unbiased covariances, in float64, never below zero.

    Args:
        real: (N, D), two rows or more.
        synthetic: (M, D), two rows or more.
    """
    if min(len(real), len(synthetic)) > real.shape[1]:
        return frechet_of_statistics(*mean_and_covariance(real), *mean_and_covariance(synthetic))
    means, factors = zip(*map(_mean_and_factor, (real, synthetic)), strict=True)
    traces = sum(float(np.square(factor).sum()) for factor in factors)
    return _distance(means[0] - means[1], traces, _nuclear_norm(factors[0].T @ factors[1]))


def frechet_of_statistics(mean1: Matrix, covariance1: Matrix, mean2: Matrix, covariance2: Matrix) -> float:
    """The same from means (D,) and covariances (D, D)."""
    traces = float(np.trace(covariance1) + np.trace(covariance2))
    root = _trace_by_cholesky(covariance1, covariance2)
    if root is None:
        root = _nuclear_norm(_factor(covariance1).T @ _factor(covariance2))
    return _distance(mean1 - mean2, traces, root)


def is_singular(vectors: Vectors) -> bool:
    """Whether the covariance of vectors (N, D) has no inverse, as far as float64 can tell.

    It has none of N <= D rows, nor with a constant feature or one that follows from the others. The Fréchet
    distance is then exact for these rows but says little of the distribution they came from.
    """
    n, dimensions = vectors.shape
    if n <= dimensions:
        return True
    values = np.linalg.eigvalsh(mean_and_covariance(vectors)[1])
    return bool(values[0] <= dimensions * EPSILON * values[-1])


def mean_and_covariance(vectors: Vectors) -> tuple[Matrix, Matrix]:
    """Mean (D,) and unbiased covariance (D, D) of vectors (N, D), in float64."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    return mean, centred.T @ centred / (len(vectors) - 1)


def _distance(shift: Matrix, traces: float, root: float) -> float:
    return max(0.0, float(shift @ shift) + traces - 2 * root)


def _trace_by_cholesky(covariance1: Matrix, covariance2: Matrix) -> float | None:
    """tr (Σ1 Σ2)^½ = Σ √eig(Lᵀ Σ2 L) with Σ1 = L Lᵀ; None where that is not exact.

    LAPACK's sygst makes Lᵀ Σ2 L in a quarter of the work of two products, as L is triangular and the result
    symmetric. Transposed, a symmetric matrix in C order is itself in LAPACK's, without a copy.
    """
    lower, failed = lapack.dpotrf(covariance1.T, lower=1)
    if failed:
        return None
    product, _ = lapack.dsygst(covariance2.T, lower, itype=2, lower=1)
    values = linalg.eigvalsh(product, lower=True, driver="ev", overwrite_a=True, check_finite=False)
    error = EPSILON * values[-1]  # of each: little for a large one's root, everything for a small one's
    if values[0] <= 32 * error:
        return None
    roots = np.sqrt(values)
    return float(roots.sum()) if (error / (2 * roots)).sum() < 1e-9 * roots.sum() else None


def _mean_and_factor(vectors: Vectors) -> tuple[Matrix, Matrix]:
    """Mean (D,), and a factor A (D, rank or more) of the covariance A Aᵀ, from whichever is smaller."""
    n, dimensions = vectors.shape
    if n > dimensions:
        mean, covariance = mean_and_covariance(vectors)
        return mean, _factor(covariance)
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    # a Householder reflection that empties one row: n centred rows span n - 1 dimensions
    rows = centred[1:] + centred[0] / (n**0.5 - 1)
    return mean, rows.T / (n - 1) ** 0.5


def _factor(covariance: Matrix) -> Matrix:
    """A (D, rank) with A Aᵀ = covariance; what rounding made of zero eigenvalues is left out."""
    zero = len(covariance) * EPSILON
    lower, failed = lapack.dpotrf(covariance.T, lower=1)
    if not failed and lapack.dpocon(lower, np.abs(covariance).sum(axis=0).max(), uplo="L")[0] > zero:
        return np.asarray(lower)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > zero * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _nuclear_norm(matrix: Matrix) -> float:
    """The sum of the singular values."""
    return float(np.linalg.svd(matrix, compute_uv=False).sum()) if matrix.size else 0.0
