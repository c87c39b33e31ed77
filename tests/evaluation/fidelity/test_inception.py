"""The Inception of 2015 from whole, partial or foreign files of weights."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.fidelity.frechet import frechet_distance
from synthaug.evaluation.fidelity.inception import inception_extractor


@pytest.fixture(scope="module")
def few() -> LabeledImages:
    return phantom([2, 1], size=28, seed=1)


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


class TestInceptionWeights:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ({"conv1.weight": torch.zeros(3)}, "found conv1"),
            ([1, 2], "'list' object has no attribute 'items'"),
            (
                {"Conv2d_2b_3x3.conv.weight": torch.zeros(64, 32, 3, 3)},
                "no weights of Conv2d_1a_3x3.conv.weight",
            ),
            ({"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}, "no weights of fc"),
        ],
        ids=[
            "of another network",
            "no weights at all",
            "without the first layers",
            "of torchvision's Inception",
        ],
    )
    def test_that_are_foreign_are_refused_with_what_to_do(self, tmp_path, content, reason):
        with pytest.raises(DataError, match="give --inception-weights FILE, or network access") as caught:
            inception_extractor(saved(tmp_path / "w.pth", content))
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_that_are_missing_are_refused_with_what_to_do(self, tmp_path):
        with pytest.raises(DataError, match=r"No such file.*give --inception-weights FILE") as caught:
            inception_extractor(tmp_path / "nowhere.pth")
        assert "\n" not in str(caught.value)

    def test_are_never_unpickled(self, tmp_path):
        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "harm"),)

        with pytest.raises(DataError, match="expected Inception weights"):
            inception_extractor(saved(tmp_path / "w.pth", {"fc": Harm()}))
        assert not (tmp_path / "harm").exists()

    def test_that_cannot_be_fetched_are_named(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr(  # a place that answers at once, online or off
            "synthaug.evaluation.fidelity.inception.URL_INCEPTION_V3", f"file://{tmp_path}/none.pth"
        )
        with pytest.raises(DataError, match=r"none.pth: expected Inception weights, found .* network access"):
            inception_extractor()


WEIGHTS = os.environ.get("SYNTHAUG_INCEPTION")


@pytest.fixture(scope="module")
def inception() -> Extractor:
    return inception_extractor(Path(WEIGHTS))


@pytest.mark.skipif(not WEIGHTS, reason="set SYNTHAUG_INCEPTION to a file of Inception weights")
class TestInception:
    def test_names_its_deepest_layer_and_gives_that_many_features(self, inception, few):
        found = inception.extract(few)
        assert inception.protocol.name == f"inception-{found.vectors.shape[1]}"
        assert inception.protocol.dimensions == found.vectors.shape[1]
        assert len(inception.protocol.weights) == 64
        assert found.vectors.shape[1] in (768, 2048)
        assert (found.logits is not None) == (found.vectors.shape[1] == 2048)

    def test_refuses_sixteen_bits(self, inception, few):
        deep = replace(few, pixels=few.pixels.astype(np.uint16) * 257)
        with pytest.raises(DataError, match="want 8-bit images: found 16 bits"):
            inception.extract(deep)

    def test_gives_the_published_value_at_64_features(self, tmp_path):
        # torchmetrics' documented example, FrechetInceptionDistance(feature=64) of two sets of noise, with
        # the seed of its documentation's tests; the noise is drawn after the network's initial weights
        first = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")
        state = {k: v for k, v in torch.load(WEIGHTS, weights_only=True).items() if k.startswith(first)}
        with torch.random.fork_rng():
            torch.manual_seed(42)
            extractor = inception_extractor(saved(tmp_path / "first.pth", state))
            dark = torch.randint(0, 200, (100, 3, 299, 299), dtype=torch.uint8)
            light = torch.randint(100, 255, (100, 3, 299, 299), dtype=torch.uint8)
        assert extractor.protocol.name == "inception-64"
        sets = [LabeledImages(d.numpy(), np.zeros(100, dtype=np.int64), ("noise",)) for d in (dark, light)]
        dark_features, light_features = (extractor.extract(images).vectors for images in sets)
        assert frechet_distance(dark_features, light_features) == pytest.approx(12.6388, abs=1e-4)

    def test_gives_an_earlier_layer_when_asked(self, few):
        assert inception_extractor(Path(WEIGHTS), layer="192").extract(few).vectors.shape == (3, 192)


def test_a_layer_that_inception_does_not_have_is_refused():
    with pytest.raises(UsageError, match="inception-100: expected inception-2048, inception-768"):
        inception_extractor(layer="100")
