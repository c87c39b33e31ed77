"""Fidelity in features: scored beside the floor, whatever the order, the batches or a restart."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.fidelity import features as features_module
from synthaug.evaluation.fidelity.features import Extractor, Features
from synthaug.evaluation.fidelity.metrics import METRICS
from synthaug.evaluation.fidelity.scores import fidelity_scores
from synthaug.evaluation.protocol import comparable_sets, parts_of
from synthaug.evaluation.score import Protocol, Score


def block_means(images: LabeledImages) -> Features:
    """A cheap extractor: 16 block means, and logits from two of them."""
    n, _, side, _ = images.pixels.shape
    blocks = images.pixels.reshape(n, 4, side // 4, 4, side // 4).mean(axis=(2, 4)).reshape(n, 16) / 64
    return Features(blocks, np.stack([blocks[:, 5] - blocks[:, 9], blocks[:, 0]], axis=1))


BLOCKS = Extractor(Protocol("blocks", "block means", "4 x 4", "", 16), block_means)


@pytest.fixture(scope="module")
def splits() -> Splits:
    train, val, test = (
        replace(phantom([n, n], size=28, seed=seed), groups=None) for seed, n in ((0, 60), (1, 60), (2, 10))
    )
    return Splits(train, val, test, name="phantom")


def scored(splits: Splits, made: LabeledImages, extractor: Extractor = BLOCKS, seed: int = 0) -> list[Score]:
    sets = comparable_sets(splits, made, seed=seed)
    return fidelity_scores(sets, parts_of(sets), [extractor], rounds=10, seed=seed)


def overall(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores if score.part == "overall"}


def noisy(images: LabeledImages, sd: float) -> LabeledImages:
    noise = np.random.default_rng(0).normal(0, sd, images.pixels.shape)
    return replace(images, pixels=(images.pixels + noise).clip(0, 255).astype(np.uint8))


def numbers(scores: list[Score]) -> list[float]:
    return [x for s in scores for e in (s.value, s.floor, s.gap) for x in (e.value, e.low, e.high)]


def test_the_held_out_images_themselves_score_the_floor(splits):
    for score in scored(splits, splits.val):
        assert score.value.value == pytest.approx(score.floor.value)
        assert score.as_good_as_real


def test_new_real_images_score_no_worse_than_the_floor_and_noise_does(splits):
    fresh = overall(scored(splits, phantom([60, 60], size=28, seed=9)))
    noise = overall(scored(splits, noisy(splits.val, 200)))
    for name in ("FID", "KID", "precision", "coverage"):
        assert not replace(fresh[name], comparisons=4).is_worse, name
        assert replace(noise[name], comparisons=4).is_worse, name


def test_more_noise_never_scores_better(splits):
    levels = [overall(scored(splits, noisy(splits.val, sd))) for sd in (0, 80, 160, 240)]
    for name in ("FID", "KID"):
        values = [level[name].value.value for level in levels]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_the_floor_has_the_same_number_of_images(splits):
    few, many = (overall(scored(splits, phantom([n, n], size=28, seed=9)))["FID"] for n in (10, 60))
    assert (
        few.floor.value > 1.2 * many.floor.value
    )  # FID falls as n grows: the floor of 120 would flatter nobody


def test_no_number_depends_on_the_order_of_images(splits):
    made = noisy(splits.val, 40)
    order = np.random.default_rng(0).permutation(len(made))
    shuffled = replace(splits, train=splits.train.take(order), val=splits.val.take(order))
    assert numbers(scored(splits, made)) == numbers(scored(shuffled, made.take(order)))


def test_no_number_depends_on_the_size_of_batches_or_on_a_restart(splits, monkeypatch, tmp_path):
    made = noisy(splits.val, 40)
    first = numbers(scored(splits, made))
    again = numbers(scored(splits, made))  # features from the cache, as after a crash
    monkeypatch.setenv("SYNTHAUG_CACHE", str(tmp_path))
    monkeypatch.setattr(features_module, "BATCH", 7)
    assert first == again == numbers(scored(splits, made))


def test_another_seed_chooses_other_images(splits):
    many = phantom([90, 90], size=28, seed=9)
    assert numbers(scored(splits, many)) == numbers(scored(splits, many))
    assert numbers(scored(splits, many)) != numbers(scored(splits, many, seed=1))


def test_every_score_says_what_it_is_of(splits):
    scores = scored(splits, phantom([70, 52], size=28, seed=9))
    of_classes = [name for name in METRICS if name != "IS"]  # a single class has no Inception Score
    assert [s.metric for s in scores] == list(METRICS) + 2 * of_classes
    assert {(s.part, s.n, s.n_reference) for s in scores} == {
        ("overall", 104, 120),
        ("normal", 60, 60),
        ("abnormal", 52, 60),
    }
    assert {s.protocol for s in scores} == {BLOCKS.protocol}
    assert {s.metric: s.better for s in scores} == {name: metric.better for name, metric in METRICS.items()}


def test_too_few_images_are_said_with_the_minimum_and_what_to_read_instead(splits):
    scores = scored(splits, phantom([12, 60], size=28, seed=9))
    notes = {(s.metric, s.part): s.note for s in scores if s.note}
    assert notes["FID", "normal"] == "12 images, FID wants 17 or more: read KID"
    assert ("FID", "abnormal") not in notes
    assert np.isfinite(numbers(scores)).all()


def test_a_singular_covariance_is_said_whatever_the_number_of_images(splits):
    def twice(images: LabeledImages) -> Features:
        found = block_means(images)
        return Features(np.hstack([found.vectors[:, :8]] * 2), found.logits)

    extractor = Extractor(Protocol("twice", "block means twice", "4 x 4", "", 16), twice)
    scores = overall(scored(splits, splits.val, extractor))
    assert "covariance is singular" in scores["FID"].note
    assert np.isfinite(scores["FID"].value.value)
    assert not overall(scored(splits, splits.val))["FID"].note


def test_without_logits_there_is_no_inception_score(splits):
    mute = Extractor(
        Protocol("mute", "block means", "4 x 4", "", 16), lambda images: Features(block_means(images).vectors)
    )
    assert "IS" not in {s.metric for s in scored(splits, splits.val, mute)}
