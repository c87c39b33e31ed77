"""Diversity within a class: a collapse is seen, real sets agree, and MS-SSIM has the scales it has room
for."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import piq
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchvision.models import squeezenet1_1

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.fidelity.diversity import disjoint_pairs, diversity, ms_ssim_measure
from synthaug.evaluation.fidelity.perceptual import Perceptual, perceptual_distance
from synthaug.evaluation.protocol import comparable_sets, parts_of
from synthaug.evaluation.score import Score


def people(n: int, seed: int, size: int = 32) -> LabeledImages:
    return replace(phantom([n, n], size=size, seed=seed), groups=None)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Perceptual:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.pth"
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    return perceptual_distance(path)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(people(20, 0), people(24, 1), people(5, 2), name="phantom")


def scores_of(
    splits: Splits, synthetic: LabeledImages, perceptual: Perceptual | None = None, pairs: int = 500
) -> dict[tuple[str, str], Score]:
    sets = comparable_sets(splits, synthetic)
    return {(s.metric, s.part): s for s in diversity(sets, parts_of(sets), perceptual, pairs)}


class TestDiversity:
    def test_of_a_collapsed_set_is_none(self, splits, network):
        one = people(1, 7)
        collapsed = one.take(np.repeat([0, 1], 20))  # one image of each class: two in all
        for (name, _), score in scores_of(splits, collapsed, network).items():
            assert score.value.value == pytest.approx(0 if "LPIPS" in name else 1, abs=1e-6)
            side = "below" if "LPIPS" in name else "above"
            assert score.reading == f"{side} new real images"

    def test_of_real_images_reads_as_real(self, splits, network):
        scores = scores_of(splits, people(24, 9), network)
        assert {name for name, _ in scores} == {"LPIPS diversity", "MS-SSIM diversity"}
        assert {part for _, part in scores} == {"overall", "normal", "abnormal"}
        assert all(score.as_good_as_real for score in scores.values())

    def test_of_the_held_out_images_themselves_is_the_floor(self, splits, network):
        assert all(score.gap.value == 0 for score in scores_of(splits, splits.val, network).values())

    def test_counts_pairs_and_no_reference(self, splits):
        scores = scores_of(splits, people(15, 9))
        counts = {part: score.n for (_, part), score in scores.items()}
        assert counts == {"overall": 14, "normal": 7, "abnormal": 7}
        assert {score.n_reference for score in scores.values()} == {0}
        assert {score.n for score in scores_of(splits, people(15, 9), pairs=5).values()} == {5}

    def test_does_not_depend_on_the_order_of_any_image(self, splits, network):
        made = people(12, 3)
        mixed = splits.map(lambda x: x.take(np.random.default_rng(0).permutation(len(x))))
        one = scores_of(splits, made, network)
        other = scores_of(mixed, made.take(np.arange(24)[::-1]), network)
        for key, score in one.items():
            assert score.gap.low == pytest.approx(other[key].gap.low, rel=1e-5)

    def test_takes_deep_and_coloured_images(self, tiny, network):
        parts = [tiny((n, n), side=32, channels=3, dtype=np.uint16, seed=n) for n in (12, 10, 3)]
        for score in scores_of(Splits(*parts), people(12, 0), network).values():
            numbers = [score.value, score.floor, score.gap]
            assert np.isfinite([(e.low, e.value, e.high) for e in numbers]).all()

    def test_of_small_images_is_lpips_alone_and_says_so(self, network, caplog):
        small = Splits(*(people(n, n, 28) for n in (12, 10, 3)))
        with caplog.at_level(logging.WARNING):
            found = {name for name, _ in scores_of(small, people(12, 1, 28), network)}
        assert found == {"LPIPS diversity"}
        assert caplog.messages == [
            "MS-SSIM diversity left out: images of 28 px, expected 32 or more: read LPIPS diversity instead"
        ]


class TestPairs:
    def test_are_of_one_class_and_no_image_is_in_two(self):
        images = people(30, 0, 16)
        rows = np.arange(3, 58)
        first, second = disjoint_pairs(images, rows, 500)
        assert (images.labels[first] == images.labels[second]).all()
        both = np.concatenate([first, second])
        assert len(np.unique(both)) == len(both) == 54  # of 27 and 28 images
        assert set(both) <= set(rows)

    def test_are_drawn_at_random_by_a_seed(self):
        images = people(30, 0, 16)
        one, again, other = (disjoint_pairs(images, np.arange(60), 20, seed)[0] for seed in (0, 0, 1))
        assert one.tolist() == again.tolist() != other.tolist()
        assert len(one) == 20
        assert 3 < images.labels[one].sum() < 17
        first, second = disjoint_pairs(images, np.arange(60), 500)
        assert np.mean(np.abs(first - second) == 1) < 0.3  # neighbours in a folder are alike


class TestMSSSIM:
    @pytest.mark.parametrize(("side", "scales"), [(32, 2), (64, 3), (80, 3), (81, 4), (160, 4), (161, 5)])
    def test_says_how_many_scales_there_is_room_for(self, side, scales):
        assert f"the first {scales} of 5 scales" in ms_ssim_measure(side).definition

    @pytest.mark.parametrize("side", [32, 64, 81])
    def test_agrees_with_the_papers_form(self, side):
        pair = [people(3, seed, side).pixels[:, 0] / 255 for seed in (0, 1)]
        pair[1][:3] = 0.7 * pair[0][:3] + 0.3 * pair[1][:3]
        expected = [plain_ms_ssim(x, y) for x, y in zip(*pair, strict=True)]
        found = ms_ssim_measure(side).compare(*(torch.from_numpy(x[:, None]).float() for x in pair))
        assert found.numpy() == pytest.approx(expected, rel=1e-4)

    def test_with_all_scales_agrees_with_piqs_defaults_and_nearly_with_torchmetrics(self):
        pair = [torch.from_numpy(people(2, seed, 176).pixels).float() / 255 for seed in (0, 1)]
        pair[1] = 0.8 * pair[0] + 0.2 * pair[1]
        found = ms_ssim_measure(176).compare(*pair)
        defaults = piq.multi_scale_ssim(*pair, data_range=1.0, reduction="none")
        assert found.numpy() == pytest.approx(defaults.numpy(), rel=1e-3)  # its weights sum to 1.0001
        # torchmetrics' last scale averages over the mirrored border, too
        theirs = multiscale_structural_similarity_index_measure(*pair, data_range=1.0, reduction="none")
        assert found.numpy() == pytest.approx(theirs.numpy(), rel=0.02)

    def test_falls_with_noise_and_stays_finite(self):
        clean = torch.from_numpy(people(8, 0).pixels).float() / 255
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        compare = ms_ssim_measure(32).compare
        ladder = [compare(clean, (clean + sd * noise).clamp(0, 1)).mean() for sd in (0, 0.03, 0.1, 0.3, 1)]
        assert ladder == sorted(ladder, reverse=True)
        assert compare(clean, 1 - clean).isfinite().all()  # contrast below zero


def plain_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. (2003): (H, W) in [0, 1]; contrast of every scale, luminance of the last."""
    weights = [w for k, w in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)) if len(x) > 10 * 2**k]
    value = 1.0
    for scale, weight in enumerate(weights):

        def mean(image: np.ndarray) -> np.ndarray:
            return gaussian_filter(image, 1.5, truncate=3.5)[5:-5, 5:-5]

        covariance = mean(x * y) - mean(x) * mean(y)
        variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
        similarity = (2 * covariance + 0.03**2) / (variances + 0.03**2)
        if scale == len(weights) - 1:
            similarity *= (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
        value *= max(similarity.mean(), 0) ** (weight / sum(weights))
        # an odd side repeats its first line before halving
        x, y = (np.pad(i, ((len(i) % 2, 0),) * 2, mode="edge") for i in (x, y))
        x, y = (i.reshape(len(i) // 2, 2, len(i) // 2, 2).mean(axis=(1, 3)) for i in (x, y))
    return value


def test_two_halves_of_real_images_agree(data_root: Path, network: Perceptual):
    real = load_dataset("chestmnist", ReadOptions(root=data_root, size=64))
    rows = np.random.default_rng(0).permutation(len(real.train))[:600]
    halves = Splits(real.train.take(rows[:300]), real.train.take(rows[300:]), real.test)
    for score in scores_of(halves, halves.train, network, pairs=60).values():
        assert score.gap.low < 0 < score.gap.high
        assert score.value.low < score.floor.high
        assert score.floor.low < score.value.high
