"""Precision, recall, density, coverage: by the papers' formulas, and what they say of good and bad sets."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch_fidelity.metric_prc import prc_features_to_metric

from synthaug.evaluation import neighbours
from synthaug.evaluation.fidelity.manifold import Overlap, coverage, density, overlap, precision, recall


def cloud(n: int, *, shift: float = 0.0, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    return shift + spread * np.random.default_rng(seed).normal(size=(n, 5))


REAL, MADE = cloud(80), cloud(60, shift=0.3, spread=1.1, seed=1)


class TestByThePapersFormulas:
    def test_precision_and_recall_are_torch_fidelitys(self):
        generated_first = [torch.from_numpy(x) for x in (MADE, REAL)]
        expected = prc_features_to_metric(*generated_first, prc_neighborhood=3, verbose=False)
        assert precision(REAL, MADE) == pytest.approx(expected["precision"], rel=1e-6)
        assert recall(REAL, MADE) == pytest.approx(expected["recall"], rel=1e-6)
        assert precision(REAL, MADE) != recall(REAL, MADE)

    def test_density_and_coverage_are_naeems(self):
        radii = np.sort(cdist(REAL, REAL), axis=1)[:, 5]  # the first is the point itself
        inside = cdist(REAL, MADE) < radii[:, None]
        assert density(REAL, MADE) == pytest.approx(inside.sum(axis=0).mean() / 5)
        assert coverage(REAL, MADE) == pytest.approx(inside.any(axis=1).mean())

    def test_all_four_come_out_of_one_pass(self):
        assert overlap(REAL, MADE) == Overlap(
            precision(REAL, MADE), recall(REAL, MADE), density(REAL, MADE), coverage(REAL, MADE)
        )


class TestTheConvention:
    def test_a_collapsed_generator_is_precise_but_covers_nothing(self):
        centre = REAL[np.square(REAL).sum(axis=1).argmin()]
        found = overlap(REAL, centre + 1e-3 * cloud(60, seed=2))
        assert found.precision == 1
        assert found.density > 1
        assert found.recall < 0.05
        assert found.coverage < 0.2

    def test_a_generator_of_anything_recalls_but_is_not_precise(self):
        found = overlap(REAL, cloud(60, spread=8, seed=2))
        assert found.recall > 0.9
        assert found.precision < 0.1
        assert found.density < 0.1

    def test_a_far_set_scores_nothing(self):
        assert overlap(REAL, MADE + 100) == Overlap(0, 0, 0, 0)

    @pytest.mark.parametrize("offset", [0, 1e4])
    def test_a_set_overlaps_itself_whole(self, offset):
        # a ball to the fifth neighbour holds its centre and five others
        assert overlap(REAL + offset, REAL + offset) == Overlap(1, 1, 6 / 5, 1)

    def test_new_vectors_of_the_same_kind_have_density_one(self):
        found = [overlap(cloud(200, seed=k), cloud(200, seed=100 + k)).density for k in range(20)]
        assert np.mean(found) == pytest.approx(1, abs=0.05)

    def test_one_stray_real_vector_makes_many_precise_but_not_dense(self):
        stray = np.vstack([REAL, np.full(5, 30.0)])
        between = np.full((60, 5), 15.0) + cloud(60, seed=3)
        assert precision(stray, between) > 0.9
        assert density(stray, between) < 0.25


class TestAnyTwoSets:
    @pytest.mark.parametrize("n", [2, 4, 10])
    def test_score_finitely_however_few_they_are(self, n):
        found = overlap(REAL[:n], MADE[:n])
        assert all(np.isfinite(value) and value >= 0 for value in vars(found).values())

    def test_equal_rows_lie_in_each_others_balls_of_no_size(self):
        for real in (np.zeros((10, 5)), np.full((10, 5), 0.1, np.float32), np.repeat(REAL[:2], 10, axis=0)):
            assert overlap(real, real.copy()).coverage == 1
            assert overlap(real, real.copy()).precision == 1
            assert np.isfinite(overlap(real, real.copy()).density)

    def test_score_the_same_in_any_order_and_cut(self, monkeypatch):
        expected = overlap(REAL, MADE)
        order = np.random.default_rng(0).permutation
        assert overlap(REAL[order(80)], MADE[order(60)]) == expected
        monkeypatch.setattr(neighbours, "BLOCK", 7)
        assert overlap(REAL, MADE) == expected
