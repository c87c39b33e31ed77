"""Fréchet distance: equal to the matrix square root where that is right, and exact where it is not."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from synthaug.evaluation.fidelity.frechet import (
    frechet_distance,
    frechet_of_statistics,
    is_singular,
    mean_and_covariance,
)


def vectors(n: int, dimensions: int, *, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dimensions, dimensions)) / dimensions**0.5
    return shift + rng.normal(size=(n, dimensions)) @ (mixing + np.eye(dimensions))


def by_sqrtm(real: np.ndarray, synthetic: np.ndarray) -> float:
    """As published: pytorch-fid."""
    shift = real.mean(0) - synthetic.mean(0)
    a, b = (np.atleast_2d(np.cov(x.T)) for x in (real, synthetic))
    return shift @ shift + np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b)).real


def of_known_distance(dimensions: int, decay: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Two covariances with the same axes, and their distance: |√a - √b|² of their variances."""
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(dimensions, dimensions)))[0]
    a = np.arange(1.0, dimensions + 1) ** -decay
    b = a * np.exp(0.1 * np.random.default_rng(1).normal(size=dimensions))
    first, second = ((axes * variances) @ axes.T for variances in (a, b))
    return (first + first.T) / 2, (second + second.T) / 2, float(((np.sqrt(a) - np.sqrt(b)) ** 2).sum())


class TestOfCovariancesWithAnInverse:
    @pytest.mark.parametrize("dimensions", [1, 2, 30, 200])
    def test_equals_the_matrix_square_root_to_eight_digits(self, dimensions):
        real, synthetic = vectors(900, dimensions), vectors(700, dimensions, seed=1, shift=0.1)
        assert frechet_distance(real, synthetic) == pytest.approx(by_sqrtm(real, synthetic), rel=1e-8)

    def test_is_known_for_one_dimension(self):
        # |μ1 - μ2|² + (σ1 - σ2)²
        one = np.ones((1, 1))
        assert frechet_of_statistics(np.array([3.0]), 4 * one, np.array([1.0]), 25 * one) == pytest.approx(13)

    def test_counts_the_shift_of_the_means(self):
        real = vectors(300, 8)
        assert frechet_distance(real, real + 2) == pytest.approx(8 * 2**2)

    def test_is_as_good_in_single_precision_input_far_from_zero(self):
        real, synthetic = vectors(300, 8), vectors(300, 8, seed=1)
        far = [np.float32(1000 + x) for x in (real, synthetic)]
        exact = [x.astype(np.float64) - 1000 for x in far]
        assert frechet_distance(*far) == pytest.approx(by_sqrtm(*exact), rel=1e-8)


class TestOfNearlySingularCovariances:
    @pytest.mark.parametrize("decay", [3, 6])  # condition numbers of 10⁷ and 10¹⁵
    def test_keeps_seven_digits_of_a_known_distance(self, decay):
        first, second, expected = of_known_distance(300, decay)
        zero = np.zeros(300)
        assert frechet_of_statistics(zero, first, zero, second) == pytest.approx(expected, rel=1e-7)

    def test_where_the_matrix_square_root_has_lost_them(self):
        first, second, expected = of_known_distance(300, 6)
        found = np.trace(first + second) - 2 * np.trace(sqrtm(first @ second)).real
        assert found != pytest.approx(expected, rel=1e-4)


class TestOfSingularCovariances:
    def padded(self, *sets: np.ndarray) -> list[np.ndarray]:
        """The same points in twice as many dimensions: distances stay, covariances lose their rank."""
        dimensions = sets[0].shape[1]
        turn = np.linalg.qr(np.random.default_rng(5).normal(size=(2 * dimensions, 2 * dimensions)))[0]
        return [x @ turn[:dimensions] for x in sets]

    def test_dependent_features_change_nothing(self):
        real, synthetic = vectors(300, 20), vectors(200, 20, seed=1)
        expected = by_sqrtm(real, synthetic)
        assert frechet_distance(*self.padded(real, synthetic)) == pytest.approx(expected, rel=1e-8)

    @pytest.mark.parametrize(("n", "m"), [(30, 25), (30, 300), (300, 30)])
    def test_fewer_images_than_dimensions_change_nothing(self, n, m):
        # 25 or more images span the 20 dimensions in which they vary, but not the 40 in which they lie
        real, synthetic = vectors(n, 20), vectors(m, 20, seed=1)
        expected = by_sqrtm(real, synthetic)
        assert frechet_distance(*self.padded(real, synthetic)) == pytest.approx(expected, rel=1e-8)

    def test_too_few_images_for_any_inverse_are_exact(self):
        # two points each, on two lines at an angle of 60°: the root's trace is σ1 σ2 cos 60°
        line = np.array([[0.5, 3**0.5 / 2, 0.0]])
        real = np.array([[-1.0], [1.0]]) * [[1.0, 0.0, 0.0]]
        synthetic = np.array([[-1.0], [1.0]]) * line
        assert frechet_distance(real, synthetic) == pytest.approx(2 + 2 - 2 * 2 * 0.5, rel=1e-12)

    @pytest.mark.parametrize("constant", [0.0, 0.1, 1e6])
    def test_a_constant_feature_counts_its_variance_in_the_other_set_only(self, constant):
        real, synthetic = vectors(300, 8), vectors(200, 8, seed=1)
        dead = real.copy()
        dead[:, 3] = constant
        rest = np.arange(8) != 3
        alone = (constant - synthetic[:, 3].mean()) ** 2 + synthetic[:, 3].var(ddof=1)
        expected = by_sqrtm(real[:, rest], synthetic[:, rest]) + alone
        assert frechet_distance(dead, synthetic) == pytest.approx(expected, rel=1e-8)

    def test_two_constant_sets_are_as_far_apart_as_their_points(self):
        for n in (4, 20):
            assert frechet_distance(np.full((n, 8), 0.1), np.full((n, 8), 1.1)) == pytest.approx(8)

    def test_a_set_of_equal_points_is_as_far_as_its_point_and_the_variances(self):
        real = vectors(300, 8)
        expected = 8 * 0.3**2 + real.var(axis=0, ddof=1).sum()
        equal = np.tile(real.mean(axis=0) + 0.3, (20, 1))
        assert frechet_distance(real, equal) == pytest.approx(expected)
        assert frechet_distance(equal, real) == pytest.approx(expected)

    @pytest.mark.parametrize("n", [2, 10, 40, 41, 200])
    def test_a_set_is_at_no_distance_from_itself_and_never_below(self, n):
        real = vectors(n, 40)
        assert 0 <= frechet_distance(real, real) < 1e-9


class TestIsSingular:
    def test_says_when_the_covariance_has_no_inverse(self):
        real = vectors(100, 20)
        constant, dependent = real.copy(), real.copy()
        constant[:, 3] = 0.1
        dependent[:, 3] = dependent[:, 4] - 2 * dependent[:, 5]
        assert is_singular(real[:20])
        assert is_singular(constant)
        assert is_singular(dependent)

    def test_and_not_otherwise(self):
        assert not is_singular(vectors(100, 20))
        assert not is_singular(1e-6 * vectors(100, 20))


def test_mean_and_covariance_are_numpys():
    real = vectors(50, 4, shift=7)
    mean, covariance = mean_and_covariance(real)
    np.testing.assert_allclose(mean, real.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(real.T))
