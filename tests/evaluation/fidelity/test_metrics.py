"""Metrics: each equal to an independent reference, and each with its convention."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from synthaug.evaluation.fidelity import metrics
from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.metrics import METRICS, available, score_all

NAMES = list(METRICS)
FULL = np.random.default_rng(7).normal(size=(20, 6)) / 20**0.5


def cloud(n: int, *, shift: float = 0.0, spread: float = 1.0, seed: int = 0) -> Features:
    """What a fixed random projection makes of normal pixels: vectors (n, 6), and logits of four classes."""
    pixels = shift + spread * np.random.default_rng(seed).normal(size=(n, 20))
    vectors = pixels @ FULL
    return Features(vectors.astype(np.float32), (3 * vectors[:, :4]).astype(np.float32))


REAL, MADE = cloud(300), cloud(250, shift=0.3, spread=1.2, seed=1)
ALIKE = cloud(250, seed=2)


def tensors(*features: Features) -> list[torch.Tensor]:
    return [torch.from_numpy(f.vectors.astype(np.float64)) for f in features]


class TestAgainstReferences:
    def test_fid(self):
        means, covariances = zip(
            *((f.vectors.mean(0, dtype=np.float64), np.cov(f.vectors.T)) for f in (REAL, MADE)), strict=True
        )
        shift = means[0] - means[1]
        root = sqrtm(covariances[0] @ covariances[1]).real
        plain = shift @ shift + np.trace(covariances[0] + covariances[1] - 2 * root)
        arrays = (means[0], covariances[0], means[1], covariances[1])
        assert METRICS["FID"].score(REAL, MADE) == pytest.approx(plain, rel=1e-6)
        torchmetrics = float(_compute_fid(*map(torch.from_numpy, arrays)))
        assert METRICS["FID"].score(REAL, MADE) == pytest.approx(torchmetrics, rel=1e-6)

    def test_kid_is_the_plain_u_statistic(self):
        x, y = (f.vectors.astype(np.float64) for f in (REAL, MADE))
        within = 0.0
        for points in (x, y):
            kernel = (points @ points.T / 6 + 1) ** 3
            within += kernel[~np.eye(len(points), dtype=bool)].mean()
        expected = within - 2 * ((x @ y.T / 6 + 1) ** 3).mean()
        assert METRICS["KID"].score(REAL, MADE) == pytest.approx(expected, rel=1e-8)

    def test_kid_is_torchmetrics_and_torch_fidelitys_on_one_full_subset(self):
        real = REAL.take(np.arange(250))
        found = METRICS["KID"].score(real, MADE)
        assert found == pytest.approx(float(poly_mmd(*tensors(real, MADE))), rel=1e-8)
        one = {"kid_subsets": 1, "kid_subset_size": 250, "verbose": False}
        theirs = kid_features_to_metric(*tensors(real, MADE), **one)["kernel_inception_distance_mean"]
        assert found == pytest.approx(theirs, rel=1e-8)

    def test_inception_score(self):
        theirs = isc_features_to_metric(torch.from_numpy(MADE.logits), splits=1)["inception_score_mean"]
        assert METRICS["IS"].score(REAL, MADE) == pytest.approx(theirs, rel=1e-6)

    def test_every_metric_is_the_same_alone_and_with_others(self):
        together = score_all(REAL, MADE, NAMES)
        assert list(together) == NAMES
        assert together == {name: metric.score(REAL, MADE) for name, metric in METRICS.items()}


class TestTheConvention:
    @pytest.mark.parametrize("name", NAMES)
    def test_real_comes_first(self, name):
        wide, narrow = cloud(300, spread=2), cloud(300, spread=0.5, seed=1)
        forth, back = (METRICS[name].score(*pair) for pair in ((wide, narrow), (narrow, wide)))
        if name in ("FID", "KID"):
            assert forth == pytest.approx(back, rel=1e-6)
        else:
            # the narrow set lies in the wide one, and is less sure of its classes
            assert (forth > back) == (name in ("precision", "density", "coverage"))

    @pytest.mark.parametrize("name", NAMES)
    def test_more_noise_never_scores_better(self, name):
        noise = np.random.default_rng(3).normal(size=ALIKE.vectors.shape)
        # a set of fewer classes' worth of certainty for the Inception Score: the noise drowns the logits
        ladder = [
            Features(ALIKE.vectors + level * noise, ALIKE.logits / (1 + level))
            for level in (0, 0.25, 0.5, 1, 2, 4, 8)
        ]
        values = np.array([METRICS[name].score(REAL, made) for made in ladder])
        steps = np.diff(values) if METRICS[name].better == "lower" else -np.diff(values)
        if name == "recall":  # wide balls recall everything: its blind spot, which coverage has not
            assert values[-1] > 0.9
        else:
            assert (steps >= 0).all()
            assert values[-1] != values[0]

    def test_a_set_held_against_itself_scores_the_best_there_is(self):
        found = score_all(REAL, REAL, NAMES)
        assert found["FID"] == pytest.approx(0, abs=1e-9)
        assert found["KID"] < 0  # the unbiased estimate leaves out each image's pair with itself
        assert found["precision"] == found["recall"] == found["coverage"] == 1
        assert found["density"] == pytest.approx(1.2)

    @pytest.mark.parametrize("name", NAMES)
    def test_two_halves_of_one_set_score_as_two_new_sets_do(self, name):
        whole = cloud(500, seed=5)
        halves = whole.take(np.arange(250)), whole.take(np.arange(250, 500))
        new = [METRICS[name].score(cloud(250, seed=10 + k), cloud(250, seed=50 + k)) for k in range(20)]
        assert abs(METRICS[name].score(*halves) - np.mean(new)) < 4 * np.std(new)

    def test_kid_of_equal_distributions_is_zero_on_average(self):
        found = [METRICS["KID"].score(cloud(50, seed=k), cloud(50, seed=100 + k)) for k in range(60)]
        assert abs(np.mean(found)) < 3 * np.std(found) / 60**0.5
        assert min(found) < 0

    def test_inception_score_runs_from_one_to_the_number_of_classes(self):
        sure = Features(REAL.vectors, 2000 * np.eye(4)[np.arange(300) % 4])
        same = Features(REAL.vectors, np.ones((300, 4)))
        assert METRICS["IS"].score(REAL, sure) == pytest.approx(4)
        assert METRICS["IS"].score(REAL, same) == pytest.approx(1)

    @pytest.mark.parametrize("name", NAMES)
    def test_values_lie_in_the_range_that_the_metric_names(self, name):
        for made in (MADE, ALIKE, REAL, cloud(250, spread=0.01), cloud(250, shift=50)):
            assert METRICS[name].lowest <= METRICS[name].score(REAL, made) <= METRICS[name].highest


class TestAnyTwoSets:
    @pytest.mark.parametrize(
        ("real", "made"),
        [
            (np.zeros((10, 30)), np.zeros((10, 30))),
            (np.full((10, 30), 0.1, np.float32), np.full((12, 30), 0.3, np.float32)),
            (np.eye(10, 30), np.zeros((10, 30))),
            (np.repeat(np.eye(2, 30), 5, axis=0), np.repeat(np.eye(2, 30), 5, axis=0)),
            (1e4 * np.ones((10, 3)) + np.eye(10, 3), np.eye(10, 3)),
            (np.linspace(0, 1, 30).reshape(10, 3), 1e-9 * np.eye(10, 3)),
        ],
    )
    @pytest.mark.parametrize("name", NAMES)
    def test_score_finitely(self, name, real, made):
        logits = np.zeros((len(made), 3))
        logits[:, 0] = 1e5
        value = METRICS[name].score(Features(real, None), Features(made, logits))
        assert isinstance(value, float)
        assert np.isfinite(value)

    @pytest.mark.parametrize("name", NAMES)
    def test_score_the_same_in_any_order_and_cut(self, name, monkeypatch):
        expected = METRICS[name].score(REAL, MADE)
        order = np.random.default_rng(0).permutation
        shuffled = REAL.take(order(300)), MADE.take(order(250))
        assert METRICS[name].score(*shuffled) == pytest.approx(expected, rel=1e-9)
        monkeypatch.setattr(metrics, "BLOCK", 17)
        assert METRICS[name].score(REAL, MADE) == pytest.approx(expected, rel=1e-9)


class TestWithoutLogits:
    def test_the_inception_score_is_left_out(self):
        bare = Features(MADE.vectors)
        assert available(NAMES, bare) == [name for name in NAMES if name != "IS"]
        assert "IS" not in score_all(REAL, bare, NAMES)

    def test_and_says_why_when_asked_for(self):
        with pytest.raises(ValueError, match="logits"):
            METRICS["IS"].score(REAL, Features(MADE.vectors))


def test_each_metric_names_a_metric_to_use_instead_or_none():
    assert all(metric.instead in ("", *NAMES) for metric in METRICS.values())
    assert METRICS["FID"].minimum(2048) == 2049
    assert METRICS["FID"].instead == "KID"
