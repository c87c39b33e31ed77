"""LPIPS: the paper's sum, torchmetrics' documented values, and what is said where the weights are not at
hand."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics
from torchvision.models import squeezenet1_1

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.transforms import to_unit_range
from synthaug.evaluation.fidelity.perceptual import Perceptual, perceptual_distance


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SqueezeNet that has learned nothing: enough for everything but documented values."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def distance(weights_file: Path) -> Perceptual:
    return perceptual_distance(weights_file)


@pytest.fixture(scope="module")
def trained_file() -> Path:
    if not os.environ.get("SYNTHAUG_LPIPS"):
        pytest.skip("SYNTHAUG_LPIPS is not set: no trained SqueezeNet 1.1")
    return Path(os.environ["SYNTHAUG_LPIPS"])


def random_pair(side: int = 64, channels: int = 3, n: int = 3) -> Iterator[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return (torch.rand(n, channels, side, side, generator=draw) for _ in range(2))


class TestDocumentedValues:
    """Of torchmetrics 1.x, printed to four digits."""

    def test_of_each_pair(self, trained_file):
        draw = torch.Generator().manual_seed(42)
        pair = [torch.rand(2, 3, 100, 100, generator=draw) for _ in range(2)]
        found = perceptual_distance(trained_file)(*pair)
        assert found.numpy() == pytest.approx([0.1024, 0.0938], abs=1e-4)

    def test_of_the_mean_of_ten_in_the_functional_form(self, trained_file):
        distance = perceptual_distance(trained_file)
        torch.manual_seed(42)
        pair = [torch.rand(10, 3, 100, 100) for _ in range(2)]
        assert distance(*pair).mean().item() == pytest.approx(0.1005, abs=1e-4)

    def test_of_the_mean_of_ten_in_the_object_form(self, trained_file):
        torch.manual_seed(42)
        distance = perceptual_distance(trained_file)  # building the network draws, as it does in the example
        pair = [torch.rand(10, 3, 100, 100) for _ in range(2)]
        assert distance(*pair).mean().item() == pytest.approx(0.1024, abs=1e-4)


class TestTheDistance:
    def test_is_the_papers_weighted_sum_over_seven_layers(self, distance, weights_file):
        network = squeezenet1_1(weights=None)
        network.load_state_dict(torch.load(weights_file, weights_only=True))
        fitted = Path(torchmetrics.__file__).parent / "functional/image/lpips_models/squeeze.pth"
        linear = torch.load(fitted, map_location="cpu", weights_only=True)
        first, second = random_pair()
        expected = np.zeros(3)
        shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
        maps = [
            torch.from_numpy(
                ((2 * x.numpy().transpose(0, 2, 3, 1) - 1 - shift) / scale).transpose(0, 3, 1, 2)
            )
            for x in (first, second)
        ]
        layers = [1, 4, 7, 9, 10, 11, 12]  # outputs of rectifiers and of the last fire modules
        for k, module in enumerate(network.double().features):
            maps = [module(x) for x in maps]
            if k not in layers:
                continue
            unit = [x / x.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-12) for x in maps]
            weights = linear[f"lin{layers.index(k)}.model.1.weight"].double()
            expected += ((unit[0] - unit[1]).square() * weights).sum(dim=1).mean(dim=(1, 2)).detach().numpy()
        assert distance(first, second).numpy() == pytest.approx(expected, rel=1e-4)

    def test_of_equal_images_is_zero_and_of_others_is_not(self, distance):
        first, second = random_pair()
        assert distance(first, first).tolist() == [0, 0, 0]
        assert distance(first, second).min() > 0

    def test_is_symmetric(self, distance):
        first, second = random_pair()
        assert distance(first, second).numpy() == pytest.approx(distance(second, first).numpy(), rel=1e-5)

    def test_grows_with_noise(self, distance):
        clean = to_unit_range(phantom([8, 8], size=28).pixels)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        ladder = [
            distance(clean, (clean + sd * noise).clamp(0, 1)).mean().item()
            for sd in (0, 0.02, 0.05, 0.1, 0.2, 0.4)
        ]
        assert ladder == sorted(ladder)
        assert ladder[0] == 0

    def test_takes_grey_as_three_equal_channels(self, distance):
        first, second = random_pair(channels=1)
        rgb = distance(first.repeat(1, 3, 1, 1), second.repeat(1, 3, 1, 1))
        assert torch.equal(distance(first, second), rgb)

    @pytest.mark.parametrize("side", [1, 8, 28, 63])
    def test_looks_at_small_images_enlarged_to_the_size_it_was_fitted_on(self, distance, side):
        pair = list(random_pair(side))
        large = [
            torch.nn.functional.interpolate(x, (64, 64), mode="bilinear", align_corners=False) for x in pair
        ]
        assert torch.equal(distance(*pair), distance(*large))

    def test_takes_large_images_as_they_are(self, distance):
        first, second = random_pair(96)
        assert not torch.allclose(
            distance(first, second), distance(first[..., ::2, ::2], second[..., ::2, ::2])
        )

    def test_does_not_depend_on_the_batch(self, distance):
        first, second = random_pair(28, n=5)
        alone = [distance(first[k : k + 1], second[k : k + 1]).item() for k in range(5)]
        assert distance(first, second).tolist() == pytest.approx(alone, rel=1e-5)


class TestWeights:
    def test_of_the_features_alone_are_enough_and_have_the_same_hash(self, distance, weights_file, tmp_path):
        state = torch.load(weights_file, weights_only=True)
        torch.save({k: v for k, v in state.items() if k.startswith("features.")}, tmp_path / "part.pth")
        again = perceptual_distance(tmp_path / "part.pth")
        assert again.weights == distance.weights
        assert torch.equal(again(*random_pair()), distance(*random_pair()))

    def test_of_other_values_have_another_hash(self, distance, tmp_path):
        torch.manual_seed(1)
        torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "other.pth")
        assert perceptual_distance(tmp_path / "other.pth").weights != distance.weights

    def test_that_are_missing_are_said_in_one_line(self, tmp_path):
        with pytest.raises(
            DataError, match=r"none\.pth: expected SqueezeNet 1\.1 weights, .*--lpips-weights"
        ) as e:
            perceptual_distance(tmp_path / "none.pth")
        assert "\n" not in str(e.value)

    def test_of_another_network_are_refused(self, tmp_path):
        torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet.pth")
        with pytest.raises(DataError, match=r"found no features\.0\.weight: give --lpips-weights FILE"):
            perceptual_distance(tmp_path / "resnet.pth")

    def test_of_other_shapes_are_refused_in_one_line(self, weights_file, tmp_path):
        state = torch.load(weights_file, weights_only=True)
        state["features.0.weight"] = torch.zeros(96, 3, 7, 7)  # SqueezeNet 1.0
        torch.save(state, tmp_path / "older.pth")
        with pytest.raises(DataError, match="found no weights of its shapes") as e:
            perceptual_distance(tmp_path / "older.pth")
        assert "\n" not in str(e.value)

    def test_are_never_unpickled(self, tmp_path):
        torch.save(squeezenet1_1(weights=None), tmp_path / "pickled.pth")
        with pytest.raises(DataError, match="--lpips-weights FILE"):
            perceptual_distance(tmp_path / "pickled.pth")
