"""Fidelity: each metric by its definition, its convention, and the floor that stands beside it."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.phantom import phantom
from synthaug.evaluation.features import Extractor, Features
from synthaug.evaluation.fidelity import (
    METRICS,
    NEIGHBOURS,
    FidelityScore,
    evaluate_fidelity,
    fid,
    inception_score,
    kid,
    precision,
    recall,
)


def cloud(n: int, dimensions: int = 5, *, shift: float = 0.0, spread: float = 1.0, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    vectors = shift + spread * rng.normal(size=(n, dimensions))
    return Features(vectors, 2 * rng.normal(size=(n, 3)))


REAL, MADE = cloud(60), cloud(50, shift=0.4, spread=1.2, seed=1)


class TestByDefinition:
    def test_fid_is_the_frechet_distance_of_two_gaussians(self):
        a, b = REAL.vectors, MADE.vectors
        covariances = np.cov(a.T), np.cov(b.T)
        root = sqrtm(covariances[0] @ covariances[1]).real
        expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
        assert fid(REAL, MADE) == pytest.approx(expected)

    def test_kid_is_the_unbiased_cubic_mmd(self):
        # as many real as synthetic ones: every subset is the whole
        a, b = REAL.vectors[:50], MADE.vectors
        inner, outer = (lambda x, y: (x @ y.T / 5 + 1) ** 3), 50 * 49
        off = [(inner(x, x).sum() - np.trace(inner(x, x))) / outer for x in (a, b)]
        assert kid(Features(a, None), MADE) == pytest.approx(sum(off) - 2 * inner(a, b).mean())

    def test_inception_score_is_the_exponent_of_the_mean_divergence(self):
        p = np.exp(MADE.logits) / np.exp(MADE.logits).sum(axis=1, keepdims=True)
        divergence = (p * np.log(p / p.mean(axis=0))).sum(axis=1).mean()
        assert inception_score(REAL, MADE) == pytest.approx(np.exp(divergence))

    def test_inception_score_runs_from_one_to_the_number_of_classes(self):
        sure = Features(REAL.vectors, 50 * np.eye(3)[np.arange(60) % 3])
        same = Features(REAL.vectors, np.zeros((60, 3)))
        assert inception_score(REAL, sure) == pytest.approx(3)
        assert inception_score(REAL, same) == pytest.approx(1)

    def test_precision_and_recall_are_shares_inside_balls_to_the_third_neighbour(self):
        def inside(points: np.ndarray, manifold: np.ndarray) -> float:
            radii = np.sort(cdist(manifold, manifold), axis=1)[:, NEIGHBOURS]
            return (cdist(points, manifold) <= radii).any(axis=1).mean()

        assert precision(REAL, MADE) == pytest.approx(inside(MADE.vectors, REAL.vectors))
        assert recall(REAL, MADE) == pytest.approx(inside(REAL.vectors, MADE.vectors))
        assert precision(REAL, MADE) != recall(REAL, MADE)


class TestTheConvention:
    def test_a_collapsed_generator_is_precise_and_recalls_nothing(self):
        one = REAL.vectors[np.square(REAL.vectors).sum(axis=1).argmin()]
        jitter = 1e-3 * np.random.default_rng(0).normal(size=(50, 5))
        collapsed = Features(one + jitter, None)
        assert precision(REAL, collapsed) > 0.95
        assert recall(REAL, collapsed) < 0.05

    def test_a_generator_that_scatters_is_imprecise_and_recalls_much(self):
        scattered = cloud(50, spread=4, seed=1)
        assert precision(REAL, scattered) < 0.3
        assert recall(REAL, scattered) > 0.9

    @pytest.mark.parametrize("name", ["FID", "KID", "precision", "recall"])
    def test_another_population_is_worse_in_the_stated_direction(self, name):
        metric = METRICS[name]
        near, far = (metric.score(REAL, cloud(50, shift=shift, seed=1)) for shift in (0, 5))
        assert near > far if metric.higher_is_better else near < far


def as_features(images: LabeledImages) -> Features:
    """A cheap extractor of the whole way: 16 block means, and logits from two of them."""
    n, _, side, _ = images.pixels.shape
    blocks = images.pixels.reshape(n, 4, side // 4, 4, side // 4).mean(axis=(2, 4)).reshape(n, 16) / 64
    return Features(blocks, np.stack([blocks[:, 5] - blocks[:, 9], blocks[:, 0]], axis=1))


BLOCKS = Extractor("blocks", "block means, 4 x 4", as_features)


@pytest.fixture(scope="module")
def splits() -> Splits:
    train, val, test = (
        replace(phantom([n, n], size=28, seed=seed), groups=None) for seed, n in ((0, 30), (1, 15), (2, 10))
    )
    return Splits(train, val, test, name="phantom")


def noisy(images: LabeledImages, sd: float) -> LabeledImages:
    noise = np.random.default_rng(0).normal(0, sd, images.pixels.shape)
    return replace(images, pixels=(images.pixels + noise).clip(0, 255).astype(np.uint8))


def overall(scores: list[FidelityScore]) -> dict[str, FidelityScore]:
    return {score.metric: score for score in scores if score.part == "overall"}


class TestAnEvaluation:
    def test_of_the_held_out_images_themselves_scores_the_floor(self, splits):
        for score in evaluate_fidelity(splits, splits.val, [BLOCKS]):
            assert score.value == pytest.approx(score.floor)

    def test_of_fresh_real_images_scores_near_the_floor_and_noise_does_not(self, splits):
        fresh = overall(evaluate_fidelity(splits, phantom([15, 15], size=28, seed=9), [BLOCKS]))
        noise = overall(evaluate_fidelity(splits, noisy(splits.val, 200), [BLOCKS]))
        for name in ("FID", "KID"):
            assert abs(fresh[name].value - fresh[name].floor) < noise[name].value - noise[name].floor

    def test_takes_the_floor_at_the_same_number_of_images(self, splits):
        few, many = (
            overall(evaluate_fidelity(splits, phantom([n, n], size=28, seed=9), [BLOCKS]))["FID"]
            for n in (6, 15)
        )
        assert few.floor > 1.2 * many.floor  # FID falls as n grows: the floor of 30 would flatter nobody

    def test_never_scores_more_noise_better(self, splits):
        levels = [
            overall(evaluate_fidelity(splits, noisy(splits.val, sd), [BLOCKS])) for sd in (0, 80, 160, 240)
        ]
        for name in ("FID", "KID"):
            values = [level[name].value for level in levels]
            assert values == sorted(values)
            assert values[0] < values[-1]

    def test_does_not_depend_on_the_order_of_images(self, splits):
        order = np.random.default_rng(0).permutation(len(splits.val))
        made = noisy(splits.val, 40)
        first, second = (evaluate_fidelity(splits, images, [BLOCKS]) for images in (made, made.take(order)))
        assert [s.value for s in first] == pytest.approx([s.value for s in second])

    def test_draws_the_same_images_from_the_same_seed(self, splits):
        many = phantom([40, 40], size=28, seed=9)  # more than the 30 held-out ones: a choice
        seeds = [evaluate_fidelity(splits, many, [BLOCKS], seed) for seed in (0, 0, 1)]
        assert seeds[0] == seeds[1] != seeds[2]

    def test_says_with_every_number_what_it_is_of(self, splits):
        scores = evaluate_fidelity(splits, phantom([40, 12], size=28, seed=9), [BLOCKS])
        assert [s.metric for s in scores] == 3 * list(METRICS)
        assert {(s.part, s.n, s.n_reference) for s in scores} == {
            ("overall", 24, 60),
            ("normal", 15, 30),
            ("abnormal", 12, 30),
        }
        assert {(s.extractor, s.dimensions) for s in scores} == {("block means, 4 x 4", 16)}
        assert {s.metric: s.better for s in scores} == {
            "FID": "lower",
            "KID": "lower",
            "IS": "higher",
            "precision": "higher",
            "recall": "higher",
        }

    def test_warns_of_fewer_images_than_dimensions_and_gives_numbers(self, splits):
        scores = evaluate_fidelity(splits, phantom([10, 20], size=28, seed=9), [BLOCKS])
        notes = {(s.metric, s.part): s.note for s in scores if s.note}
        expected = "n={} is not above 16 dimensions: read KID instead"
        assert notes == {("FID", "normal"): expected.format(10), ("FID", "abnormal"): expected.format(15)}
        assert np.isfinite([x for s in scores for x in (s.value, s.floor)]).all()

    def test_leaves_a_class_of_a_few_images_out_and_says_so(self, splits, caplog):
        with caplog.at_level(logging.WARNING, "synthaug"):
            scores = evaluate_fidelity(splits, phantom([20, 9], size=28, seed=9), [BLOCKS])
        assert {s.part for s in scores} == {"overall", "normal"}
        assert caplog.messages == ["fidelity of abnormal left out: 9 images, expected 10 or more"]

    def test_of_a_few_images_is_refused(self, splits):
        with pytest.raises(
            DataError, match="9 synthetic images, 30 held-out real ones: expected at least 10"
        ):
            evaluate_fidelity(splits, phantom([5, 4], size=28), [BLOCKS])

    def test_finds_classes_by_name(self, splits):
        made = noisy(splits.val, 40)
        swapped = replace(made, labels=1 - made.labels, class_names=("Abnormal", "Normal"))
        first, second = (evaluate_fidelity(splits, images, [BLOCKS]) for images in (made, swapped))
        assert [s.value for s in first] == pytest.approx([s.value for s in second])

    def test_of_other_classes_is_refused(self, splits):
        cats = replace(splits.val, class_names=("cat", "dog"))
        with pytest.raises(
            DataError, match="synthetic classes cat, dog: expected names among normal, abnormal"
        ):
            evaluate_fidelity(splits, cats, [BLOCKS])

    def test_without_logits_has_no_inception_score(self, splits):
        mute = Extractor("mute", "block means", lambda images: Features(as_features(images).vectors, None))
        assert "IS" not in {s.metric for s in evaluate_fidelity(splits, splits.val, [mute])}
