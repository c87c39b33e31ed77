"""Extractors: a classifier of the domain, and the Inception of 2015 from whole, partial or foreign files."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.phantom import phantom
from synthaug.evaluation.features import Extractor, extractors_for, inception_extractor
from synthaug.evaluation.fidelity import fid

FABRIC = Fabric(accelerator="cpu", devices=1)


def part(seed: int, n: int) -> LabeledImages:
    return replace(phantom([n, n], size=28, seed=seed), groups=None)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(part(0, 16), part(1, 8), part(2, 4), name="phantom")


@pytest.fixture(scope="module")
def domain(splits) -> Extractor:
    return extractors_for(["domain"], splits, inception_weights=None, fabric=FABRIC, steps=3)[0]


class TestTheDomainExtractor:
    def test_gives_features_and_log_probabilities(self, domain, splits):
        found = domain.extract(splits.val)
        assert found.vectors.shape == (16, 128)
        assert np.allclose(np.exp(found.logits).sum(axis=1), 1)
        assert domain.protocol == "classifier trained on phantom train, n=32, 28 px"

    def test_takes_images_of_other_sizes_and_channels(self, domain, splits):
        larger = replace(
            splits.val, pixels=splits.val.pixels.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1)
        )
        difference = domain.extract(larger).vectors - domain.extract(splits.val).vectors
        assert np.abs(difference).mean() < 0.1

    def test_is_the_same_twice(self, domain, splits):
        again = extractors_for(["domain"], splits, inception_weights=None, fabric=FABRIC, steps=3)[0]
        assert np.array_equal(again.extract(splits.val).vectors, domain.extract(splits.val).vectors)


def test_an_unknown_extractor_is_refused_by_name(splits):
    with pytest.raises(UsageError, match="no extractor 'resnet': expected domain or inception"):
        extractors_for(["resnet"], splits, inception_weights=None, fabric=FABRIC)


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
            "torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", f"file://{tmp_path}/none.pth"
        )
        with pytest.raises(DataError, match=r"none.pth: expected Inception weights, found .* network access"):
            inception_extractor()


WEIGHTS = os.environ.get("SYNTHAUG_INCEPTION")


@pytest.fixture(scope="module")
def inception() -> Extractor:
    return inception_extractor(Path(WEIGHTS))


@pytest.mark.skipif(not WEIGHTS, reason="set SYNTHAUG_INCEPTION to a file of Inception weights")
class TestInception:
    def test_names_its_deepest_layer_and_gives_that_many_features(self, inception, splits):
        found = inception.extract(splits.val.take(range(3)))
        assert inception.protocol.startswith(f"inception-{found.vectors.shape[1]} (2015-12-05)")
        assert found.vectors.shape[1] in (768, 2048)
        assert (found.logits is not None) == (found.vectors.shape[1] == 2048)

    def test_refuses_sixteen_bits(self, inception, splits):
        deep = replace(splits.val, pixels=splits.val.pixels.astype(np.uint16) * 257)
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
        assert extractor.protocol.startswith("inception-64")
        sets = [LabeledImages(d.numpy(), np.zeros(100, dtype=np.int64), ("noise",)) for d in (dark, light)]
        assert fid(*(extractor.extract(images) for images in sets)) == pytest.approx(12.6388, abs=1e-4)
