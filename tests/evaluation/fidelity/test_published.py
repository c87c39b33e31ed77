"""The published form: reproduced, labelled, and shown for what it is: a mean image beats real ones in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.fidelity.pairs import MEASURES
from synthaug.evaluation.fidelity.published import pixel_fd, published_form, random_partners
from synthaug.evaluation.protocol import comparable_sets, parts_of
from synthaug.evaluation.score import Score


def people(n: int, seed: int, size: int = 28) -> LabeledImages:
    return replace(phantom([n, n], size=size, seed=seed), groups=None)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(people(60, 0), people(40, 1), people(5, 2), name="phantom")


def scores_of(splits: Splits, synthetic: LabeledImages, seed: int = 0) -> dict[tuple[str, str], Score]:
    sets = comparable_sets(splits, synthetic)
    return {(s.metric, s.part): s for s in published_form(sets, parts_of(sets), seed=seed)}


def overall_pixel_fd(splits: Splits, synthetic: LabeledImages) -> Score:
    sets = comparable_sets(splits, synthetic)
    return pixel_fd(sets, parts_of(sets)[0])


def mean_image_generator(real: LabeledImages, n: int) -> LabeledImages:
    """Collapsed: of each class its mean image, n times."""
    means = [
        real.of_class(k).pixels.mean(axis=0).round().astype(np.uint8) for k in range(len(real.class_names))
    ]
    labels = np.repeat(np.arange(len(means)), n)
    return LabeledImages(np.stack(means)[labels], labels, real.class_names)


class TestWhatIsWrongWithIt:
    def test_a_mean_image_beats_real_images_of_the_phantom(self, splits):
        scores = scores_of(splits, mean_image_generator(splits.train, 40))
        for part in ("overall", "normal", "abnormal"):
            assert scores["unpaired PSNR", part].gap.low > 1
            assert scores["unpaired MSE", part].gap.high < 0

    def test_a_mean_image_beats_real_images_of_pneumonia_mnist(self, data_root: Path):
        real = load_dataset("pneumoniamnist", ReadOptions(root=data_root))
        scores = scores_of(real, mean_image_generator(real.train, 300))
        for part in ("overall", "normal", "pneumonia"):
            score = scores["unpaired PSNR", part]
            assert score.gap.low > 2
            assert score.gap.value == pytest.approx(3, abs=0.5)  # half the squared error is 3 dB
            assert scores["unpaired MSE", part].gap.high < 0

    def test_a_mean_image_scores_above_real_chests_as_published(self, data_root: Path):
        # published: 11.5 dB and 14.5 dB on the whole of ChestMNIST
        real = load_dataset("chestmnist", ReadOptions(root=data_root))
        score = scores_of(real, mean_image_generator(real.train, 120))["unpaired PSNR", "overall"]
        assert score.floor.value == pytest.approx(11.5, abs=1.5)
        assert score.value.value == pytest.approx(14.5, abs=1.5)

    def test_fog_of_the_same_covariance_is_near_the_floor_of_pixel_fd(self, data_root: Path):
        real = load_dataset("pneumoniamnist", ReadOptions(root=data_root))
        draw = np.random.default_rng(0)
        fog = []
        for k in range(2):
            flat = real.train.of_class(k).pixels.reshape(-1, 784).astype(float)
            drawn = draw.multivariate_normal(flat.mean(axis=0), np.cov(flat.T), 400, method="cholesky")
            fog.append(drawn.clip(0, 255).round().astype(np.uint8).reshape(-1, 1, 28, 28))
        made = LabeledImages(np.concatenate(fog), np.repeat([0, 1], 400), real.class_names)
        noise = replace(made, pixels=draw.integers(0, 256, made.pixels.shape, np.uint8))
        scores = [overall_pixel_fd(real, images) for images in (made, noise)]
        assert scores[0].value.value < 1.3 * scores[0].floor.value
        assert scores[1].value.value > 10 * scores[1].floor.value

    def test_stands_beside_every_number(self, splits):
        for (name, _), score in scores_of(splits, splits.val).items():
            if name == "pixel-fd":
                assert "published form: no FID" in str(score.protocol)
            else:
                assert "published form: no fidelity, a mean image beats real ones" in str(score.protocol)
                assert score.note.startswith("pairs of unrelated images")
                assert score.better == "floor"


class TestPublishedForm:
    def test_names_its_numbers(self, splits):
        names = {name for name, _ in scores_of(splits, splits.val)}
        assert names == {*(f"unpaired {name}" for name in MEASURES), "pixel-fd"}

    def test_of_held_out_images_themselves_shows_no_gap(self, splits):
        for (name, _), score in scores_of(splits, splits.val).items():
            assert score.gap.value == 0
            assert score.value.value == score.floor.value
            if name != "pixel-fd":  # both meet the same training images, so the gap is free of those
                assert score.gap.low == score.gap.high == 0

    def test_of_fresh_images_reads_as_real(self, splits):
        assert all(score.as_good_as_real for score in scores_of(splits, people(40, 9)).values())

    def test_is_the_mean_over_random_pairs(self, splits):
        # of all pairs, not of these 80: within the interval
        made = people(40, 3)
        within = [
            np.square(x.astype(float) - y).mean() / 255**2
            for k in range(2)
            for x in made.of_class(k).pixels
            for y in splits.train.of_class(k).pixels
        ]
        score = scores_of(splits, made)["unpaired MSE", "overall"]
        assert score.value.low < np.mean(within) < score.value.high
        assert score.n == score.n_reference == 80

    def test_pairs_as_many_as_there_are_real_images(self, splits):
        few = replace(splits, train=people(30, 0))
        scores = scores_of(few, people(40, 3))
        assert scores["unpaired SSIM", "overall"].n == 60
        assert scores["unpaired SSIM", "normal"].n == 30
        assert scores["pixel-fd", "normal"].n == 40

    def test_is_the_same_again_and_of_another_seed_another(self, splits):
        made = people(40, 3)
        one, again, other = (scores_of(splits, made, seed)["unpaired SSIM", "normal"] for seed in (0, 0, 1))
        assert one == again
        assert one.value.value != other.value.value

    def test_does_not_depend_on_the_order_of_any_image(self, splits):
        made = people(40, 3)
        mixed = splits.map(lambda x: x.take(np.random.default_rng(0).permutation(len(x))))
        one, other = scores_of(splits, made), scores_of(mixed, made.take(np.arange(80)[::-1]))
        for key, score in one.items():
            assert score.gap.low == pytest.approx(other[key].gap.low, rel=1e-6, abs=1e-9)

    def test_takes_deep_and_coloured_images(self, tiny):
        parts = [tiny((n, n), side=32, channels=3, dtype=np.uint16, seed=n) for n in (20, 12, 3)]
        for score in scores_of(Splits(*parts), people(12, 0)).values():
            numbers = [score.value, score.floor, score.gap]
            assert np.isfinite([(e.low, e.value, e.high) for e in numbers]).all()


class TestPartners:
    def test_are_of_the_class_and_none_is_taken_twice(self):
        images, reference = people(40, 1), people(30, 0)
        found = random_partners(images, reference, 0)
        paired = found >= 0
        assert (reference.labels[found[paired]] == images.labels[paired]).all()
        assert sorted(found[paired]) == list(range(60))

    def test_are_not_in_step_with_the_images(self):
        found = random_partners(people(40, 1), people(40, 0), 0)
        assert np.corrcoef(found[:40], np.arange(40))[0, 1] < 0.5


class TestPixelFD:
    def test_is_the_frechet_distance_of_raw_pixels(self):
        splits = Splits(people(160, 0, 16), people(140, 1, 16), people(5, 2, 16))
        made = people(140, 3, 16)
        pixels = [torch.from_numpy(x.pixels).flatten(1).double() / 255 for x in (splits.train, made)]
        statistics = [fid_features_to_statistics(x) for x in pixels]
        theirs = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
        score = overall_pixel_fd(splits, made)
        assert score.value.value == pytest.approx(theirs, rel=1e-4)
        assert (score.protocol.dimensions, score.n, score.n_reference, score.note) == (256, 280, 320, "")

    def test_of_fewer_images_than_pixels_says_so(self, splits):
        score = overall_pixel_fd(splits, splits.val)
        assert score.note == "80 images, 784 dimensions: falls as n grows, compare at one n only"

    def test_looks_at_large_images_at_the_published_size(self):
        splits = Splits(*(people(n, n, 64) for n in (12, 10, 3)))
        scores = scores_of(splits, splits.val)
        assert scores["pixel-fd", "overall"].protocol.dimensions == 784
        assert scores["pixel-fd", "overall"].protocol.preprocessing == "28 px, [0, 1]"
        assert scores["unpaired MSE", "overall"].protocol.preprocessing == "64 px, [0, 1]"

    def test_rises_with_noise(self, splits):
        draw = np.random.default_rng(0)
        noise = draw.normal(size=splits.val.pixels.shape)
        ladder = []
        for sd in (0, 10, 30, 80):
            pixels = (splits.val.pixels + sd * noise).clip(0, 255).astype(np.uint8)
            made = replace(splits.val, pixels=pixels)
            ladder.append(overall_pixel_fd(splits, made).value.value)
        assert ladder == sorted(ladder)
