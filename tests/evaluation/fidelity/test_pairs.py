"""Measures of pairs against other implementations and plain numpy, their conventions, and the nearest-real
form."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from scipy.spatial.distance import cdist
from scipy.stats import ttest_1samp, ttest_ind
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchvision.models import squeezenet1_1

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.fidelity.pairs import (
    MEASURES,
    compare_pairs,
    nearest_of_class,
    nearest_real,
    score_of_pairs,
    spread,
)
from synthaug.evaluation.fidelity.perceptual import perceptual_distance
from synthaug.evaluation.protocol import Part, comparable_sets, parts_of
from synthaug.evaluation.score import Protocol, Score

BEST = {"PSNR": 20 * np.log10(510), "MSE": 0, "SSIM": 1, "MS-GMSD": 0}


def people(n: int, seed: int, size: int = 28) -> LabeledImages:
    return replace(phantom([n, n], size=size, seed=seed), groups=None)


def noisy(images: LabeledImages, sd: float) -> LabeledImages:
    """Noise of a standard deviation in [0, 1]."""
    top = np.iinfo(images.pixels.dtype).max
    noise = np.random.default_rng(0).normal(0, sd * top, images.pixels.shape)
    pixels = (images.pixels + noise).clip(0, top).round().astype(images.pixels.dtype)
    return replace(images, pixels=pixels)


def compare(first: LabeledImages, second: LabeledImages, **options: int) -> dict[str, np.ndarray]:
    rows = np.arange(len(first))
    return compare_pairs(MEASURES, first, rows, second, rows, **options)


@pytest.fixture(scope="module", params=[(28, 1), (32, 1), (64, 3)], ids=["28 px", "32 px", "64 px RGB"])
def pair(request: pytest.FixtureRequest) -> tuple[LabeledImages, LabeledImages]:
    """Unlike images, like ones, and copies."""
    size, channels = request.param
    first, second = people(6, 0, size), people(6, 1, size)
    second.pixels[:4] = noisy(first, 0.05).pixels[:4]
    second.pixels[6] = first.pixels[6]
    colour = np.random.default_rng(0).uniform(0.7, 1, (2, 12, channels, 1, 1)) if channels == 3 else [1, 1]
    return tuple(
        replace(x, pixels=(x.pixels * tint).round().astype(np.uint8))
        for x, tint in zip((first, second), colour, strict=True)
    )


def unit(images: LabeledImages) -> np.ndarray:
    """(N, H, W, C) in [0, 1]."""
    return images.pixels.transpose(0, 2, 3, 1) / 255


class TestByDefinition:
    def test_mse_and_psnr_agree_with_numpy_and_torchmetrics(self, pair):
        found = compare(*pair)
        squares = np.square(unit(pair[0]) - unit(pair[1])).mean(axis=(1, 2, 3))
        assert found["MSE"] == pytest.approx(squares, rel=1e-4)
        other = squares > (0.5 / 255) ** 2
        pixels = [torch.from_numpy(x.pixels[other]) / 255 for x in pair]
        expected = peak_signal_noise_ratio(*pixels, data_range=1.0, reduction="none", dim=(1, 2, 3))
        assert found["PSNR"][other] == pytest.approx(expected.numpy(), rel=1e-4)

    def test_ssim_agrees_with_the_papers_form(self, pair):
        channels = range(pair[0].image_shape[0])
        expected = [
            np.mean([plain_ssim(a[..., c], b[..., c]) for c in channels])
            for a, b in zip(*map(unit, pair), strict=True)
        ]
        assert compare(*pair)["SSIM"] == pytest.approx(expected, rel=1e-4)

    def test_ssim_agrees_with_torchmetrics_inside_the_image(self, pair):
        # torchmetrics averages over a border too whose windows see mirrored pixels: the paper's do not
        pixels = [torch.from_numpy(x.pixels) / 255 for x in pair]
        _, whole = structural_similarity_index_measure(*pixels, data_range=1.0, return_full_image=True)
        expected = whole[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)).numpy()
        assert compare(*pair)["SSIM"] == pytest.approx(expected, rel=1e-4)

    def test_ms_gmsd_agrees_with_the_papers_form(self, pair):
        expected = [plain_ms_gmsd(a, b) for a, b in zip(*map(unit, pair), strict=True)]
        assert compare(*pair)["MS-GMSD"] == pytest.approx(expected, rel=1e-4, abs=1e-7)


def plain_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. (2004), equations 13-16: (H, W) in [0, 1], windows of 11 px that lie wholly inside."""

    def mean(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, truncate=3.5)[5:-5, 5:-5]

    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    c1, c2 = 0.01**2, 0.03**2
    light = (2 * mean(x) * mean(y) + c1) / (mean(x) ** 2 + mean(y) ** 2 + c1)
    return (light * (2 * covariance + c2) / (variances + c2)).mean()


def plain_ms_gmsd(x: np.ndarray, y: np.ndarray) -> float:
    """Zhang et al. (2017): (H, W, C) in [0, 1]; odd sides are padded with a line of zeros before halving."""
    luma = [0.299, 0.587, 0.114] if x.shape[-1] == 3 else [1]
    images = [255 * image @ np.array(luma) for image in (x, y)]
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    total = 0.0
    for weight in (0.096, 0.596, 0.289, 0.019):
        a, b = (
            np.hypot(convolve2d(image, prewitt, mode="same"), convolve2d(image, prewitt.T, mode="same"))
            for image in images
        )
        similarity = (1.5 * a * b + 170) / (a**2 + b**2 - 0.5 * a * b + 170)
        total += weight * similarity.var()
        images = [np.pad(i, ((0, len(i) % 2),) * 2) for i in images]
        images = [i.reshape(len(i) // 2, 2, len(i) // 2, 2).mean(axis=(1, 3)) for i in images]
    return total**0.5


class TestTheConvention:
    @pytest.mark.parametrize("name", MEASURES)
    def test_equal_images_score_best(self, name):
        images = people(6, 0)
        assert compare(images, images)[name] == pytest.approx(np.full(12, BEST[name]), abs=1e-6)

    def test_psnr_stops_at_half_a_grey_level(self):
        images = people(6, 0)
        nearly = replace(images, pixels=images.pixels.copy())
        nearly.pixels[:, 0, 0, 0] ^= 1  # one pixel in 784 by one level
        assert compare(images, nearly)["PSNR"] == pytest.approx(np.full(12, 54.1514), abs=1e-4)
        assert "54.15" in MEASURES["PSNR"].definition

    @pytest.mark.parametrize("name", MEASURES)
    def test_more_noise_never_scores_better(self, name):
        images = people(20, 0)
        ladder = [
            compare(images, noisy(images, sd))[name].mean() for sd in (0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5)
        ]
        assert ladder == sorted(ladder, reverse=MEASURES[name].better == "higher")

    @pytest.mark.parametrize("name", MEASURES)
    @pytest.mark.parametrize(("one", "other"), [(0, 0), (0, 255), (255, 255), (7, 8)])
    def test_flat_images_score_finite_numbers(self, name, one, other):
        pixels = [np.full((2, 1, 28, 28), value, np.uint8) for value in (one, other)]
        first, second = (LabeledImages(x, np.zeros(2, np.int64), ("a",)) for x in pixels)
        assert np.isfinite(compare(first, second)[name]).all()

    @pytest.mark.parametrize("name", MEASURES)
    def test_values_do_not_depend_on_the_batch(self, name, pair):
        one, five, all_at_once = (compare(*pair, batch=n)[name] for n in (1, 5, 64))
        assert one == pytest.approx(all_at_once, rel=1e-5, abs=1e-7)
        assert five == pytest.approx(all_at_once, rel=1e-5, abs=1e-7)

    @pytest.mark.parametrize("name", MEASURES)
    def test_sixteen_bits_and_three_equal_channels_score_as_eight_bits_of_grey(self, name):
        first, second = people(6, 0), people(6, 1)
        deep = replace(second, pixels=second.pixels.astype(np.uint16) * 257)
        rgb = [replace(x, pixels=x.pixels.repeat(3, axis=1)) for x in (first, second)]
        expected = compare(first, second)[name]
        assert compare(first, deep)[name] == pytest.approx(expected, rel=1e-5)
        assert compare(*rgb)[name] == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(people(30, 0), people(15, 1), people(10, 2), name="phantom")


def scores_of(splits: Splits, synthetic: LabeledImages) -> dict[tuple[str, str], Score]:
    sets = comparable_sets(splits, synthetic)
    return {(s.metric.split()[1], s.part): s for s in nearest_real(sets, parts_of(sets))}


class TestNearestReal:
    @pytest.mark.parametrize("block", [1, 5000, 2**24])
    def test_takes_the_nearest_image_of_the_class_whatever_is_held_at_once(self, block):
        images, reference = people(15, 1), people(30, 0)
        rows = np.array([0, 3, 14, 15, 29])
        distances = cdist(images.pixels[rows].reshape(5, -1), reference.pixels.reshape(60, -1))
        distances[images.labels[rows][:, None] != reference.labels] = np.inf
        found = nearest_of_class(images, rows, reference, block)
        assert found.tolist() == distances.argmin(axis=1).tolist()

    def test_scores_the_mean_over_pairs_with_its_nearest(self, splits):
        made = people(15, 3)
        distances = cdist(made.pixels.reshape(30, -1) / 255, splits.train.pixels.reshape(60, -1) / 255)
        expected = [distances[k][splits.train.labels == made.labels[k]].min() ** 2 / 784 for k in range(30)]
        scores = scores_of(splits, made)
        score = scores["MSE", "overall"]
        interval = ttest_1samp(expected, 0).confidence_interval()
        assert score.value.value == pytest.approx(np.mean(expected), rel=1e-4)
        assert (score.value.low, score.value.high) == pytest.approx(interval, rel=1e-4)
        counts = [(scores["MSE", part].n, scores["MSE", part].n_reference) for part in ("overall", "normal")]
        assert counts == [(30, 60), (15, 30)]

    def test_of_held_out_images_themselves_shows_no_gap(self, splits):
        for score in scores_of(splits, splits.val).values():
            assert score.gap.value == 0
            assert score.as_good_as_real

    def test_of_fresh_images_reads_as_real(self, splits):
        assert all(score.as_good_as_real for score in scores_of(splits, people(15, 9)).values())

    def test_of_copies_of_training_images_is_too_near(self, splits):
        scores = scores_of(splits, splits.train)
        for (name, _), score in scores.items():
            assert score.value.value == pytest.approx(BEST[name], abs=1e-6)
            assert not score.as_good_as_real
            above = MEASURES[name].better == "higher"
            assert score.reading == f"{'above' if above else 'below'} new real images"

    def test_of_noise_is_too_far(self, splits):
        for (name, _), score in scores_of(splits, noisy(splits.val, 0.3)).items():
            above = MEASURES[name].better == "lower"
            assert score.reading == f"{'above' if above else 'below'} new real images"

    def test_does_not_depend_on_the_order_of_any_image(self, splits):
        made = people(12, 3)
        mixed = splits.map(lambda x: x.take(np.random.default_rng(0).permutation(len(x))))
        one, other = scores_of(splits, made), scores_of(mixed, made.take(np.arange(24)[::-1]))
        for key, score in one.items():
            assert score.gap.low == pytest.approx(other[key].gap.low, rel=1e-6, abs=1e-9)

    def test_says_what_is_compared_with_what(self, splits):
        score = scores_of(splits, splits.val)["SSIM", "overall"]
        assert str(score.protocol) == (
            "nearest training image of the class by Euclidean distance of pixels "
            "(SSIM (Wang 2004), Gaussian window of 11 px), 28 px, [0, 1]"
        )

    def test_leaves_out_what_small_images_have_not(self, tiny, caplog):
        splits = Splits(tiny((20, 20)), tiny((12, 12), seed=1), tiny((3, 3), seed=2))
        with caplog.at_level(logging.WARNING):
            found = {name for name, _ in scores_of(splits, tiny((12, 12), seed=3))}
        assert found == {"PSNR", "MSE"}
        assert (
            "nearest-real SSIM left out: images of 8 px, expected 11 or more: read PSNR instead"
            in caplog.text
        )

    def test_takes_deep_and_coloured_images(self, tiny):
        parts = [tiny((n, n), side=28, channels=3, dtype=np.uint16, seed=n) for n in (20, 12, 3)]
        for score in scores_of(Splits(*parts), people(12, 0)).values():  # names in common, 8 bits, grey
            numbers = [score.value, score.floor, score.gap]
            assert np.isfinite([(e.low, e.value, e.high) for e in numbers]).all()

    def test_takes_lpips_where_its_network_is_given(self, splits, tmp_path):
        torch.manual_seed(0)
        torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "untrained.pth")
        network = perceptual_distance(tmp_path / "untrained.pth")
        sets = comparable_sets(splits, splits.train)
        (score,) = (s for s in nearest_real(sets, parts_of(sets)[:1], network) if "LPIPS" in s.metric)
        assert score.value.value == 0
        assert score.floor.low > 0
        assert score.protocol.weights == network.weights
        assert "bilinearly upsampled to 64 px where smaller" in str(score.protocol)


def gap(made: np.ndarray, fresh: np.ndarray, **options: bool) -> tuple[float, float]:
    part = Part("overall", *[np.arange(len(made))] * 3)
    found = score_of_pairs("x", part, Protocol("", "", ""), made, fresh, n_reference=3, **options).gap
    return found.low, found.high


class TestIntervals:
    def test_are_welchs(self):
        draw = np.random.default_rng(0)
        made, fresh = draw.normal(1, 2, 40), draw.normal(0, 1, 25)
        welch = ttest_ind(made, fresh, equal_var=False).confidence_interval()
        assert gap(made, fresh) == pytest.approx(tuple(welch))

    def test_of_matched_pairs_are_of_the_differences(self):
        draw = np.random.default_rng(0)
        shared = draw.normal(0, 5, 40)
        made, fresh = (shared + draw.normal(shift, 1, 40) for shift in (1, 0))
        expected = ttest_1samp(made - fresh, 0).confidence_interval()
        assert gap(made, fresh, matched=True) == pytest.approx(tuple(expected))

    def test_of_equal_values_have_no_width(self):
        assert gap(np.ones(9), np.zeros(9)) == (1, 1)

    def test_a_spread_choice_of_rows_keeps_the_shares(self):
        rows = np.arange(10_000)
        chosen = spread(rows, 500)
        assert len(np.unique(chosen)) == 500
        assert (chosen < 2000).sum() == pytest.approx(100, abs=1)
        assert spread(rows, 20_000).tolist() == rows.tolist()
