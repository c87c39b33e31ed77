"""Starting from another generator: classes by name, every image that went in remembered, misfits refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gan_fixtures import SOURCE, dark_and_bright, on_cpu
from gan_fixtures import TINY as LIGHT

from synthaug.augment.errors import UsageError
from synthaug.augment.fingerprint import canonical_fingerprints
from synthaug.augment.images import LabeledImages
from synthaug.generators.architectures import ARCHITECTURES
from synthaug.generators.presets import preset
from synthaug.generators.runs import Source, train_run
from synthaug.generators.sampling import Synthesizer
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.transfer import Origin

TINY = replace(LIGHT, architecture="resnet")
LATENTS = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def fabric():
    return on_cpu()


@pytest.fixture(scope="module")
def run(fabric, tmp_path_factory):
    folder = tmp_path_factory.mktemp("donor")
    train_run(dark_and_bright(), SOURCE, TINY, folder, fabric=fabric)
    return folder


def of_classes(*names, per_class=4, seed=3):
    """Noise in classes of these names."""
    pixels = np.random.default_rng(seed).integers(0, 255, (per_class * len(names), 1, 28, 28), dtype=np.uint8)
    return LabeledImages(pixels, np.repeat(np.arange(len(names)), per_class), names)


def begun(origin, images, fabric, config=TINY):
    training = GANTraining(images, config, fabric)
    origin.load_into(training)
    return training


def drawn(network, label):
    with torch.no_grad():
        return network(LATENTS, torch.full((4,), label))


def test_the_same_classes_in_another_order_are_matched_by_name(run, fabric):
    origin = Origin.read(run / "generator.safetensors")
    training = begun(origin, of_classes("Bright", "dark"), fabric)
    finished = Synthesizer(run).generator
    for ours, theirs in ((0, 1), (1, 0)):
        torch.testing.assert_close(drawn(training.ema, ours), drawn(finished, theirs))


def test_another_architecture_keeps_the_step_sizes_it_was_trained_with(run):
    origin = Origin.read(run / "generator.safetensors")
    steps = {"generator_lr": 5e-5, "discriminator_lr": 4e-4}
    origin = replace(origin, card=replace(origin.card, config=origin.card.config | steps))
    other = origin.recipe(preset("synthaug"))
    assert (other.architecture, other.generator_lr, other.discriminator_lr) == ("resnet", 5e-5, 4e-4)
    same = origin.recipe(replace(preset("synthaug"), architecture="resnet"))
    assert same.generator_lr == preset("synthaug").generator_lr


def test_the_discriminator_comes_along_where_the_run_has_it(run, fabric):
    origin = Origin.read(run / "generator.safetensors")
    training = begun(origin, of_classes("bright", "dark"), fabric)
    images = torch.randn(2, 1, 28, 28)
    donor = GANTraining(dark_and_bright(), TINY, fabric).discriminator.module
    donor.load_state_dict(origin.discriminator)
    judge = training.discriminator.module.eval()
    said = judge(images, torch.tensor([0, 1]))
    torch.testing.assert_close(said, donor.eval()(images, torch.tensor([1, 0])))


def test_a_new_class_begins_at_the_mean_of_the_known_ones(run, fabric):
    origin = Origin.read(run / "generator.safetensors")
    training = begun(origin, of_classes("dark", "striped", "bright"), fabric)
    embedded = training.generator.module.embed.weight
    torch.testing.assert_close(embedded[1], (embedded[0] + embedded[2]) / 2)
    assert training.step()["generator"] is not None


def test_fewer_classes_leave_the_others_out(run, fabric):
    training = begun(Origin.read(run / "generator.safetensors"), of_classes("bright"), fabric)
    torch.testing.assert_close(drawn(training.ema, 0), drawn(Synthesizer(run).generator, 1))


@pytest.mark.parametrize("name", ["mlp", "dcgan", "sndcgan", "monai", "progressive"])
def test_every_architecture_passes_its_weights_on_between_class_counts(fabric, tmp_path, name):
    recipes = {"mlp": "vanilla", "sndcgan": "medgan"}
    config = replace(preset(recipes.get(name, name)), steps=1, batch_size=4, width=4, latent_dim=8)
    train_run(dark_and_bright(), SOURCE, config, tmp_path, fabric=fabric)
    training = begun(
        Origin.read(tmp_path / "generator.safetensors"), of_classes("new", "bright", "dark"), fabric, config
    )
    finished = Synthesizer(tmp_path).generator
    for ours, theirs in ((1, 1), (2, 0)):
        torch.testing.assert_close(drawn(training.ema, ours), drawn(finished, theirs), atol=1e-5, rtol=1e-4)
    training.step()


def test_the_light_pair_keeps_the_statistics_of_the_new_images_in_both_networks(fabric, tmp_path):
    train_run(dark_and_bright(), SOURCE, LIGHT, tmp_path, fabric=fabric)
    images = of_classes("bright", "dark")
    training = begun(Origin.read(tmp_path / "generator.safetensors"), images, fabric, LIGHT)
    fresh = GANTraining(images, LIGHT, fabric)
    for network, untouched in ((training.ema, fresh.ema), (training.discriminator, fresh.discriminator)):
        assert torch.equal(network.state_dict()["statistics.mean"], untouched.state_dict()["statistics.mean"])
    assert not torch.equal(training.ema.stem.weight, fresh.ema.stem.weight)


def test_the_discriminator_of_a_run_that_knew_less_of_its_images_comes_along(fabric, tmp_path):
    train_run(dark_and_bright(), SOURCE, LIGHT, tmp_path, fabric=fabric)
    origin = Origin.read(tmp_path / "generator.safetensors")
    del origin.discriminator["statistics.lift"]
    training = begun(origin, of_classes("bright", "dark"), fabric, LIGHT)
    assert torch.equal(training.discriminator.module.stem.weight, origin.discriminator["stem.weight"])


def test_every_architecture_is_tried():
    assert set(ARCHITECTURES) == {"light", "resnet", "mlp", "dcgan", "sndcgan", "monai", "progressive"}


@pytest.mark.parametrize(
    ("images", "config", "said"),
    [
        (dark_and_bright(side=32), TINY, "image_size 28 there, 32 here"),
        (dark_and_bright(channels=3), TINY, "channels 1 there, 3 here"),
        (dark_and_bright(), replace(TINY, width=5), "width 4 there, 5 here"),
        (dark_and_bright(), replace(TINY, architecture="mlp"), "architecture resnet there, mlp here"),
    ],
)
def test_another_network_or_image_is_refused_with_both_numbers(run, fabric, images, config, said):
    with pytest.raises(UsageError, match=said):
        begun(Origin.read(run / "generator.safetensors"), images, fabric, config)


def test_the_new_generator_remembers_the_images_of_both_trainings(run, fabric, tmp_path):
    mine, source = of_classes("dark", "bright"), Source("mine", "CC BY 4.0")
    origin = Origin.read(run / "generator.safetensors")
    train_run(mine, source, TINY, tmp_path, fabric=fabric, origin=origin)
    card = Synthesizer(tmp_path).card
    for images in (mine, dark_and_bright()):
        assert np.isin(canonical_fingerprints(images), card.training_images.fingerprints).all()
    assert card.data == f"mine; started from {SOURCE.data}"
    assert card.licence == "CC BY 4.0; CC0"


def test_unlabelled_images_are_judged_without_a_class_and_remembered(fabric, tmp_path):
    more = of_classes("one", per_class=9, seed=8)
    config = replace(TINY, architecture="resnet", r1=0.0, diffaugment=())
    training, seen = GANTraining(dark_and_bright(), config, fabric, more), []
    critic = training.discriminator.module
    critic.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs))
    training.step()
    for images, labels in seen:  # the discriminator's own update, then the generator's
        for part, their_labels in zip(images.split(12), labels.split(12), strict=True):
            assert len(part) == 12
            assert their_labels[8:].tolist() == [-1] * 4
            assert (their_labels[:8] >= 0).all()
    real = ((seen[0][0][8:12] + 1) * 127.5).round().to(torch.uint8).numpy()
    assert {image.tobytes() for image in real} <= {image.tobytes() for image in more.pixels}
    train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric, unlabelled=more)
    remembered = Synthesizer(tmp_path).card.training_images.fingerprints
    assert np.isin(canonical_fingerprints(more), remembered).all()
