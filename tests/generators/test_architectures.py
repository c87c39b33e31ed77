"""The residual pair at every size, with and without spectral norm."""

from itertools import product

import pytest
import torch
from torch.nn.utils.parametrize import is_parametrized

from synthaug.generators.architectures.family import UNKNOWN, halvings
from synthaug.generators.architectures.resnet import (
    ProjectionDiscriminator,
    ResidualGenerator,
    channels_at,
)

SIZES, CHANNELS = (28, 32, 64, 128), (1, 3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny_generator(size=28, channels=1, classes=2):
    torch.manual_seed(0)
    return ResidualGenerator(num_classes=classes, image_size=size, channels=channels, latent_dim=8, width=4)


def tiny_discriminator(size=28, channels=1, spectral=True, classes=2):
    torch.manual_seed(0)
    return ProjectionDiscriminator(
        num_classes=classes,
        image_size=size,
        channels=channels,
        width=4,
        spectral=spectral,
    )


@pytest.mark.parametrize(("size", "channels"), list(product(SIZES, CHANNELS)))
def test_a_generator_makes_images_of_its_size_and_channels_from_minus_one_to_one(size, channels):
    latents = 5 * torch.randn(3, 8, generator=seeded())
    images = tiny_generator(size, channels)(latents, torch.tensor([0, 1, 1]))
    assert images.shape == (3, channels, size, size)
    assert images.dtype == torch.float32
    assert images.min() >= -1
    assert images.max() <= 1
    assert images.std() > 0


@pytest.mark.parametrize(("size", "channels", "spectral"), list(product(SIZES, CHANNELS, (False, True))))
def test_a_discriminator_gives_one_logit_per_image_and_learns_through_every_layer(size, channels, spectral):
    discriminator = tiny_discriminator(size, channels, spectral)
    images = torch.randn(3, channels, size, size, generator=seeded())
    logits = discriminator(images, torch.tensor([0, 1, 1]))
    assert logits.shape == (3,)
    logits.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("size", SIZES)
def test_every_part_of_the_generator_learns(size):
    generator = tiny_generator(size)
    generator(torch.randn(4, 8, generator=seeded()), torch.tensor([0, 1, 0, 1])).square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_the_label_changes_the_image():
    generator, latents = tiny_generator(classes=3).eval(), torch.randn(1, 8, generator=seeded())
    images = [generator(latents, torch.tensor([label])) for label in range(3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (images[one] - images[other]).abs().mean() > 0.001


def test_the_label_changes_the_logit():
    discriminator = tiny_discriminator(classes=3)
    image = torch.randn(1, 1, 28, 28, generator=seeded()).expand(3, -1, -1, -1)
    assert len(set(discriminator(image, torch.arange(3)).tolist())) == 3


@pytest.mark.parametrize(("size", "channels"), list(product(SIZES, CHANNELS)))
def test_under_spectral_norm_the_layers_below_the_output_have_spectral_norm_one(size, channels):
    discriminator = tiny_discriminator(size, channels)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(7)
    for _ in range(40):  # power iterations
        discriminator(torch.zeros(1, channels, size, size), torch.zeros(1, dtype=torch.int64))
    held = {name: m for name, m in discriminator.named_modules() if is_parametrized(m)}
    assert {"from_image", "features", "blocks.0.conv", "blocks.0.skip"} <= held.keys()
    for name, module in held.items():
        norm = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
        assert norm == pytest.approx(1, abs=0.1), name
    assert not {"score", "embed"} & held.keys()


def test_an_image_of_unknown_class_is_judged_without_any_class():
    discriminator = tiny_discriminator(spectral=False)
    image, unknown = torch.randn(1, 1, 28, 28, generator=seeded()), torch.tensor([UNKNOWN])
    before = discriminator(image, unknown)
    with torch.no_grad():
        discriminator.embed.weight.mul_(100)
    assert torch.equal(discriminator(image, unknown), before)


def test_the_critic_carries_no_normalisation_of_its_own():
    critic = tiny_discriminator(32, 1, spectral=False)
    assert not any(is_parametrized(module) for module in critic.modules())
    assert not any("Norm" in type(module).__name__ for module in critic.modules())
    images = torch.randn(4, 1, 32, 32, generator=seeded())
    labels = torch.tensor([0, 1, 0, 1])
    alone = torch.cat([critic(images[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(critic(images, labels), alone)


@pytest.mark.parametrize(
    ("size", "sides"),
    [(28, [7, 14, 28]), (32, [4, 8, 16, 32]), (64, [4, 8, 16, 32, 64]), (128, [4, 8, 16, 32, 64, 128])],
)
def test_feature_maps_start_at_the_smallest_side_and_double(size, sides):
    assert halvings(size) == sides


@pytest.mark.parametrize(
    ("side", "maps"), [(128, 24), (64, 24), (32, 48), (28, 54), (16, 96), (7, 96), (4, 96)]
)
def test_feature_maps_double_as_the_side_halves_up_to_four_widths(side, maps):
    assert channels_at(side, 24) == maps
