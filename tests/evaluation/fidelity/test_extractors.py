"""Extractors by name: a classifier of the domain, grey levels, any timm model with local weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.jpeg import recode
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.features import Extractor

FABRIC = Fabric(accelerator="cpu", devices=1)
MODEL = "test_resnet"  # timm's own model for tests: 0.5 M parameters


def part(seed: int, n: int) -> LabeledImages:
    return replace(phantom([n, n], size=28, seed=seed), groups=None)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(part(0, 16), part(1, 8), part(2, 4), name="phantom")


def one(name: str, splits: Splits, **options: object) -> Extractor:
    return extractors_for([name], splits, fabric=FABRIC, steps=3, **options)[0]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def domain(splits) -> Extractor:
    return one("domain", splits)


class TestTheDomainExtractor:
    def test_gives_features_and_log_probabilities(self, domain, splits):
        found = domain.extract(splits.val)
        assert found.vectors.shape == (16, domain.protocol.dimensions)
        assert found.logits is not None
        assert np.allclose(np.exp(found.logits).sum(axis=1), 1)

    def test_says_what_it_was_trained_on(self, domain):
        assert str(domain.protocol).startswith(
            "domain (classifier trained on phantom train, n=32), 28 px, 0..255 to [0, 1], weights "
        )

    def test_takes_images_of_other_sizes_and_channels(self, domain, splits):
        larger = replace(
            splits.val, pixels=splits.val.pixels.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1)
        )
        difference = domain.extract(larger).vectors - domain.extract(splits.val).vectors
        assert np.abs(difference).mean() < 0.1

    def test_is_trained_once_and_then_read_from_the_cache(self, domain, splits, monkeypatch):
        monkeypatch.setattr("synthaug.evaluation.fidelity.extractors.train_classifier", None)
        again = one("domain", splits)
        assert again.protocol == domain.protocol
        assert np.array_equal(again.extract(splits.test).vectors, domain.extract(splits.test).vectors)

    def test_of_other_training_images_is_another(self, domain, splits):
        other = replace(splits, train=splits.train.take(np.arange(30)))
        assert one("domain", other).protocol.weights != domain.protocol.weights


class TestThePixelExtractor:
    def test_gives_grey_levels_from_0_to_1_at_the_size_of_the_real_images(self, splits):
        pixels = one("pixels", splits)
        found = pixels.extract(splits.val)
        assert pixels.protocol.dimensions == 28 * 28
        assert found.logits is None
        assert np.allclose(found.vectors, splits.val.pixels.reshape(16, -1) / 255)

    def test_brings_other_sizes_and_channels_to_it(self, splits):
        large = replace(
            splits.val, pixels=splits.val.pixels.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1)
        )
        assert one("pixels", splits).extract(large).vectors.shape == (16, 784)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(MODEL, pretrained=False)
    file: Path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    save_file(network.state_dict(), file)
    return file


class TestTimmExtractors:
    def test_give_pooled_features_of_local_weights(self, splits, weights):
        found = one(f"timm/{MODEL}", splits, timm_weights=weights)
        vectors = found.extract(splits.test).vectors
        assert vectors.shape == (8, found.protocol.dimensions)
        assert len(found.protocol.weights) == 64
        assert vectors.std() > 0

    def test_want_their_weights_named(self, splits):
        with pytest.raises(UsageError, match="expected its weights in a local file, give --timm-weights"):
            one(f"timm/{MODEL}", splits)

    def test_refuse_weights_of_another_model(self, splits, weights):
        with pytest.raises(DataError, match="expected timm/test_vit: give --timm-weights FILE"):
            one("timm/test_vit", splits, timm_weights=weights)

    def test_refuse_a_model_that_timm_does_not_have(self, splits):
        with pytest.raises(UsageError, match="timm has no such model"):
            one("timm/resnet-of-nobody", splits)


def test_an_unknown_extractor_is_refused_by_name(splits):
    with pytest.raises(UsageError, match="no extractor 'resnet': expected domain, pixels, inception or timm"):
        extractors_for(["resnet"], splits, fabric=FABRIC)


class TestAfterCoding:
    def test_coded_images_keep_their_features_and_others_get_those_of_coded_ones(self, splits):
        plain, coded = one("pixels", splits), one("pixels@jpeg75", splits)
        raw = part(5, 4)
        through = recode(raw, [75] * len(raw))
        assert not np.array_equal(plain.of_batch(raw).vectors, coded.of_batch(raw).vectors)
        assert np.array_equal(plain.of_batch(through).vectors, coded.of_batch(raw).vectors)

    def test_its_protocol_says_so(self, splits):
        protocol = one("pixels@jpeg75", splits).protocol
        assert protocol.name == "pixels@jpeg75"
        assert protocol.preprocessing.startswith("JPEG 75, ")

    @pytest.mark.parametrize("quality", ["", "0", "96", "high"])
    def test_refuses_what_is_no_quality(self, splits, quality):
        with pytest.raises(UsageError, match=f"pixels@jpeg{quality}: expected a JPEG quality from 1 to 95"):
            one(f"pixels@jpeg{quality}", splits)
