"""Every legal recipe trains, samples, saves, loads, samples the same bytes again; the others are refused."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from gan_fixtures import dark_and_bright, on_cpu
from torch import nn

from synthaug.augment.errors import UsageError
from synthaug.generators.architectures import ARCHITECTURES, architecture
from synthaug.generators.checkpoint import GeneratorCard, load_generator, save_generator
from synthaug.generators.config import GANConfig
from synthaug.generators.objectives import OBJECTIVES
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.networks import build_networks, check_recipe
from synthaug.generators.training.state import load_training, save_training

REFUSED = {("progressive", "wgan"), ("sndcgan", "wgan")}
LEGAL = [pair for pair in product(ARCHITECTURES, OBJECTIVES) if pair not in REFUSED]
SIX = np.array([0, 1] * 3)


@pytest.fixture(scope="module")
def fabric():
    return on_cpu()


def recipe(name, goal, **more):
    """As small as it gets, nothing but the objective's own penalty."""
    more = {"r1": 0.0} | more
    return GANConfig(
        architecture=name, objective=goal, steps=3, batch_size=4, latent_dim=8, width=4, interval=3, **more
    )


@pytest.fixture
def few_latents_for_norms(monkeypatch):
    """Batch norms are re-estimated on 128 images here, not on thousands."""
    monkeypatch.setattr("synthaug.generators.training.gan.RECALIBRATED", 128)


@pytest.mark.usefixtures("few_latents_for_norms")
@pytest.mark.parametrize(("size", "channels"), list(product((28, 32, 64), (1, 3))))
@pytest.mark.parametrize(("name", "goal"), LEGAL)
def test_a_legal_recipe_trains_samples_saves_loads_and_samples_the_same_bytes(
    fabric, tmp_path, name, goal, size, channels
):
    images, config = dark_and_bright((3, 2), size, channels), recipe(name, goal)
    training = GANTraining(images, config, fabric)
    for _ in range(3):
        assert np.isfinite(list(training.step().values())).all()
    kept = training.finished()
    made = training.samples(SIX, kept)
    assert made.shape == (6, channels, size, size)
    assert made.std() > 0

    save_training(tmp_path / "training", training)
    again = GANTraining(images, replace(config, seed=9), fabric)
    load_training(tmp_path / "training", again)
    again.config = config
    assert np.array_equal(again.samples(SIX), made)

    card = GeneratorCard(images.class_names, training.ema.size, "tiny", "CC0", {}, architecture=name)
    save_generator(tmp_path / "g.safetensors", kept, images, card)
    one, other = (load_generator(tmp_path / "g.safetensors")[0] for _ in range(2))
    assert np.array_equal(again.samples(SIX, other), training.samples(SIX, one))
    assert np.abs(training.samples(SIX, one).astype(int) - made).mean() < 0.3  # half precision


@pytest.mark.parametrize(("name", "goal"), sorted(REFUSED))
def test_an_illegal_recipe_is_refused_with_the_reason(name, goal):
    with pytest.raises(UsageError, match=f"architecture {name} with objective {goal}: .*clip") as caught:
        check_recipe(recipe(name, goal))
    assert "\n" not in str(caught.value)


def test_clipped_weights_under_spectral_norm_are_refused():
    with pytest.raises(UsageError, match="undo each other"):
        check_recipe(recipe("resnet", "wgan", spectral_norm=True))


def test_an_unknown_architecture_is_refused_with_the_names_there_are():
    with pytest.raises(
        UsageError, match=f"no architecture 'unet': expected one of {', '.join(ARCHITECTURES)}"
    ):
        architecture("unet")


def discriminator_of(config):
    return build_networks(config, num_classes=2, image_size=28, channels=1)[1]


@pytest.mark.parametrize("asked", [{"goal": "wgan-gp"}, {"goal": "bce", "r1": 1.0}])
def test_a_penalty_on_the_slope_at_each_image_replaces_batch_norm_by_layer_norm(asked):
    kinds = {type(module) for module in discriminator_of(recipe("dcgan", **asked)).modules()}
    assert nn.GroupNorm in kinds
    assert nn.BatchNorm2d not in kinds


def test_without_such_a_penalty_dcgan_keeps_its_batch_norm():
    assert any(
        isinstance(module, nn.BatchNorm2d) for module in discriminator_of(recipe("dcgan", "bce")).modules()
    )


def test_real_and_fake_images_are_judged_apart_where_the_batch_counts(fabric):
    for name, passes in (("dcgan", 3), ("progressive", 3), ("resnet", 2)):
        training, seen = GANTraining(dark_and_bright(), recipe(name, "bce"), fabric), []
        training.discriminator.module.register_forward_pre_hook(
            lambda _m, inputs, seen=seen: seen.append(inputs)
        )
        training.step()
        assert len(seen) == passes, name


def test_a_clipped_critic_stays_within_its_limit(fabric):
    training = GANTraining(dark_and_bright(), recipe("mlp", "wgan", discriminator_lr=1.0), fabric)
    training.step()
    assert max(p.abs().max() for p in training.discriminator.module.parameters()) <= 0.01


@pytest.mark.parametrize("size", [30, 4])
def test_a_side_that_the_networks_cannot_make_is_refused(size):
    with pytest.raises(UsageError, match=f"{size} px"):
        build_networks(recipe("dcgan", "bce"), num_classes=2, image_size=size, channels=1)


def test_r1_comes_every_so_many_steps(fabric):
    config = recipe("resnet", "bce", r1=1.0, r1_every=2)
    training = GANTraining(dark_and_bright(), config, fabric)
    assert [training.step()["penalty"] > 0 for _ in range(4)] == [True, False, True, False]


def test_unbalanced_batches_follow_the_data(fabric):
    images = dark_and_bright((90, 10))
    for balanced, expected in ((True, 0.5), (False, 0.1)):
        training = GANTraining(images, recipe("resnet", "bce", balanced=balanced), fabric)
        seen = []
        training.discriminator.module.register_forward_pre_hook(
            lambda _m, inputs, seen=seen: seen.append(inputs[1][:4])
        )
        for _ in range(60):
            training.step()
        share = np.concatenate([labels.numpy() for labels in seen[::2]]).mean()
        assert share == pytest.approx(expected, abs=0.08), balanced


def test_without_averaging_the_kept_generator_is_the_last(fabric):
    training = GANTraining(dark_and_bright(), recipe("dcgan", "bce", ema_halflife=0), fabric)
    training.step()
    for name, kept in training.generator.module.state_dict().items():
        assert (kept == training.ema.state_dict()[name]).all(), name


def test_progressive_growing_goes_with_the_steps(fabric):
    training = GANTraining(dark_and_bright(), recipe("progressive", "wgan-gp"), fabric)
    grown = []
    for _ in range(3):
        training.step()
        grown.append([float(n.progress) for n in (training.generator.module, training.discriminator.module)])
    assert grown == [[0.0, 0.0], [pytest.approx(1 / 3)] * 2, [pytest.approx(2 / 3)] * 2]
    assert float(training.ema.progress) == 1.0
