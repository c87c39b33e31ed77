"""A look at the samples: what a healthy, a collapsed and a broken generator look like to the judge."""

import numpy as np
import pytest
from gan_fixtures import on_cpu

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor, can_monitor, sample_monitor_for


@pytest.fixture(scope="module")
def judge():
    train, val = phantom([60, 60], size=28, seed=1), phantom([40, 20], size=28, seed=2)
    splits = Splits(name="phantom", train=train, val=val, test=phantom([9, 9], size=28, seed=4))
    return sample_monitor_for(splits, extractors_for(["pixels"], splits, fabric=on_cpu())[0])


def fresh(judge, seed=3):
    """New real images in the judge's labels."""
    pool = phantom([40, 40], size=28, seed=seed)
    rows = {label: iter(np.flatnonzero(pool.labels == label)) for label in (0, 1)}
    return pool.pixels[[next(rows[label]) for label in judge.labels.tolist()]]


def test_new_real_images_are_as_near_and_as_diverse_as_the_held_out_ones(judge):
    found = judge(fresh(judge))
    assert found.diversity == pytest.approx(1, abs=0.15)
    assert found.recall > 0.8


def test_one_image_for_every_class_has_neither_diversity_nor_recall(judge):
    healthy = judge(fresh(judge))
    one = {label: fresh(judge)[judge.labels == label][0] for label in (0, 1)}
    found = judge(np.stack([one[label] for label in judge.labels.tolist()]))
    assert found.diversity == 0
    assert found.recall < 0.1
    assert found.kid > healthy.kid


def test_a_single_collapsed_class_is_seen_though_the_other_is_healthy(judge):
    pixels = fresh(judge)
    pixels[judge.labels == 1] = pixels[judge.labels == 1][0]
    assert judge(pixels).diversity == 0


def test_noise_is_farther_than_real_images(judge):
    noise = np.random.default_rng(0).integers(0, 255, fresh(judge).shape, dtype=np.uint8)
    assert judge(noise).kid > judge(fresh(judge)).kid


def test_noise_is_what_halves_of_the_held_out_images_differ_by(judge):
    assert judge.noise > 0
    differences = [abs(judge(fresh(judge, seed)).kid - judge(fresh(judge, 3)).kid) for seed in (8, 9, 10)]
    assert np.mean(differences) < 3 * judge.noise


def test_the_floor_is_how_far_the_training_images_stand(judge):
    assert abs(judge.floor) < 3 * judge.noise
    darker = LabeledImages(judge.train.pixels // 2, judge.train.labels, judge.train.class_names)
    assert SampleMonitor(judge.val, judge.extractor, darker).floor > 10 * judge.noise


def test_the_floor_is_of_the_held_out_mix_of_classes(judge):
    one_class_more = judge.train.take(
        np.r_[np.flatnonzero(judge.train.labels == 0), [60, 61, 62, 63, 64, 65, 66]]
    )
    assert abs(SampleMonitor(judge.val, judge.extractor, one_class_more).floor) < 5 * judge.noise


def test_there_is_no_floor_where_training_images_of_a_class_are_too_few(judge):
    few = judge.train.take(np.arange(61))
    assert SampleMonitor(judge.val, judge.extractor, few).floor == -np.inf


def test_the_same_samples_are_judged_the_same(judge):
    assert judge(fresh(judge)) == judge(fresh(judge))


def test_too_few_validation_images_cannot_judge(judge):
    train, val, test = (phantom([5, 4], size=28, seed=seed) for seed in (5, 6, 7))
    assert not can_monitor(Splits(name="few", train=train, val=val, test=test))
    assert can_monitor(Splits(name="more", train=train, val=judge.val, test=test))


def test_at_most_512_images_are_looked_at(judge):
    rows = np.arange(600) % len(judge.val)
    val = LabeledImages(judge.val.pixels[rows], judge.val.labels[rows], judge.val.class_names)
    assert len(SampleMonitor(val, judge.extractor, judge.train).labels) == 512
