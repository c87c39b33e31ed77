"""The light pair: it knows the grey levels of each class; and what the default adds: schedules, a finish."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gan_fixtures import TINY, dark_and_bright, on_cpu
from torch import nn

from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.architectures.light import LightDiscriminator, LightGenerator, UpsamplingConv
from synthaug.generators.architectures.statistics import DetailStatistics, Statistics, fine_detail
from synthaug.generators.training.batches import Batches
from synthaug.generators.training.batchnorm import recalibrate_batchnorm
from synthaug.generators.training.diffaugment import diffaugment
from synthaug.generators.training.gan import GANTraining, random_numbers

SIZE = {"num_classes": 2, "image_size": 28, "channels": 1, "width": 4}
LABELS = torch.arange(64) % 2


@pytest.fixture
def fabric():
    return on_cpu()


def two_classes():
    """A dark class of low contrast, a bright one of high contrast, in [-1, 1]."""
    rng = torch.Generator().manual_seed(0)
    return [
        torch.randn(20, 1, 28, 28, generator=rng) * deviation + mean
        for mean, deviation in ((-0.6, 0.05), (0.3, 0.3))
    ]


def pair():
    torch.manual_seed(0)
    generator = LightGenerator(**SIZE, latent_dim=8)
    discriminator = LightDiscriminator(**SIZE, norm="none", spectral=False)
    for network in (generator, discriminator):
        network.fit_class_statistics(two_classes())
    return generator, discriminator


def test_statistics_are_of_each_class_and_of_all_images_for_an_unknown_one():
    statistics = Statistics(2)
    statistics.fit(two_classes())
    mean, deviation = statistics.of(torch.tensor([0, 1, UNKNOWN]))
    assert mean.flatten().tolist() == pytest.approx([-0.6, 0.3, -0.15], abs=0.02)
    assert deviation.flatten().tolist() == pytest.approx([0.05, 0.3, 0.5], abs=0.03)


def test_a_class_without_contrast_is_not_divided_by_nothing():
    statistics = Statistics(1)
    statistics.fit([torch.full((3, 1, 4, 4), -1.0)])
    mean, deviation = statistics.of(torch.tensor([0]))
    assert torch.isfinite(torch.atanh(mean))
    assert deviation > 0


def test_the_discriminator_sees_every_class_with_the_same_brightness_and_contrast():
    _, discriminator = pair()
    for label, images in enumerate(two_classes()):
        seen = discriminator.prepare(images, torch.full((20,), label))
        assert seen.mean().item() == pytest.approx(0, abs=0.01)
        assert seen.std().item() == pytest.approx(1, abs=0.01)


def smooth_and_fine():
    """A class of anatomy with a little texture, a class that is all texture, in [-1, 1]."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.randn(20, 1, 4, 4, generator=rng)
    anatomy = 0.2 * torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")
    texture = torch.randn(2, 20, 1, 28, 28, generator=rng)
    return [anatomy + 0.02 * texture[0], 0.2 * texture[1]]


def test_the_discriminator_sees_fine_detail_lifted_where_a_class_has_little_of_it():
    classes, statistics = smooth_and_fine(), DetailStatistics(2)
    statistics.fit(classes)
    as_it_is = [(x - x.mean()) / x.std() for x in classes]
    coarse = [x - fine_detail(x) for x in as_it_is]
    seen = [statistics.standardised(x, torch.full((20,), label)) for label, x in enumerate(classes)]
    assert (as_it_is[0] - coarse[0]).std() < 0.3
    assert (seen[0] - coarse[0]).std().item() == pytest.approx(0.5**0.5, rel=0.01)  # half of the variance
    torch.testing.assert_close(seen[1], as_it_is[1])


def test_a_class_without_fine_detail_is_not_divided_by_nothing():
    statistics = DetailStatistics(1)
    flat = torch.linspace(-0.5, 0.5, 3).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    statistics.fit([flat])
    assert torch.isfinite(statistics.standardised(flat, torch.zeros(3, dtype=torch.int64))).all()


def test_enlarging_is_nearest_neighbours_and_then_a_convolution():
    torch.manual_seed(0)
    conv, x = UpsamplingConv(3, 5), torch.randn(2, 3, 7, 6)
    enlarged = torch.nn.functional.interpolate(x, scale_factor=2)
    by_hand = torch.nn.functional.conv2d(enlarged, conv.weight, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), by_hand)


def test_an_untrained_generator_begins_at_the_grey_level_of_the_class():
    generator, _ = pair()
    images = generator(torch.randn(64, 8, generator=torch.Generator().manual_seed(1)), LABELS)
    assert images[LABELS == 0].mean().item() == pytest.approx(-0.6, abs=0.05)
    assert images[LABELS == 1].mean().item() == pytest.approx(0.3, abs=0.2)
    assert images[LABELS == 0].std() < images[LABELS == 1].std()


def test_what_it_knows_is_part_of_the_weights():
    generator, _ = pair()
    fresh = LightGenerator(**SIZE, latent_dim=8)
    fresh.load_state_dict(generator.state_dict())
    latents = torch.randn(64, 8)
    assert torch.equal(fresh.eval()(latents, LABELS), generator.eval()(latents, LABELS))


def test_an_unknown_class_is_judged_without_any():
    _, discriminator = pair()
    images, unknown = torch.randn(3, 1, 28, 28), torch.full((3,), UNKNOWN)
    before = discriminator(images, unknown)
    with torch.no_grad():
        discriminator.embed.weight.mul_(100)
    assert torch.equal(discriminator(images, unknown), before)


def test_the_label_changes_image_and_logit():
    generator, discriminator = pair()
    latents, image = torch.randn(1, 8), torch.randn(1, 1, 28, 28)
    zero, one = torch.tensor([0]), torch.tensor([1])
    assert (generator.eval()(latents, zero) - generator(latents, one)).abs().mean() > 0.01
    assert discriminator(image, zero) != discriminator(image, one)


def test_every_part_of_both_networks_learns():
    generator, discriminator = pair()
    images = generator(torch.randn(64, 8), LABELS)
    discriminator(discriminator.prepare(images, LABELS), LABELS).square().sum().backward()
    for name, parameter in [*generator.named_parameters(), *discriminator.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_finished_generator_has_the_batch_statistics_of_its_own_images():
    generator, _ = pair()
    latents, labels = torch.randn(256, 8), torch.arange(256) % 2
    finished = recalibrate_batchnorm(generator, latents, labels)
    assert not finished.training
    assert generator.norms[0].norm.running_mean.abs().sum() == 0  # the original is as it was
    inputs = []
    finished.norms[0].norm.register_forward_pre_hook(lambda _m, args: inputs.append(args[0]))
    finished(latents, labels)
    expected = inputs[0].mean(dim=(0, 2, 3))
    torch.testing.assert_close(finished.norms[0].norm.running_mean, expected, atol=1e-5, rtol=1e-4)


def test_a_generator_without_batch_norm_is_finished_as_it_is():
    plain = LightGenerator(**SIZE, latent_dim=8)
    plain.norms = nn.ModuleList()
    assert recalibrate_batchnorm(plain, torch.randn(4, 8), torch.zeros(4, dtype=torch.int64)) is not plain


def test_looking_at_samples_does_not_change_the_training(fabric):
    images = dark_and_bright()
    looked, not_looked = (GANTraining(images, TINY, fabric) for _ in range(2))
    for _ in range(3):
        looked.step()
        looked.sample_grid()
        not_looked.step()
    for name, tensor in looked.ema.state_dict().items():
        assert torch.equal(tensor, not_looked.ema.state_dict()[name]), name


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_only_a_share_of_the_images_is_augmented(share):
    images = torch.randn(400, 1, 16, 16)
    out = diffaugment(images, ("cutout",), torch.Generator().manual_seed(0), share)
    changed = (out != images).flatten(1).any(dim=1).float().mean().item()
    assert changed == pytest.approx(share, abs=0.06)


def test_gradients_flow_through_augmented_and_untouched_images():
    images = torch.randn(40, 1, 16, 16, requires_grad=True)
    diffaugment(images, ("translation",), torch.Generator().manual_seed(0), 0.5).sum().backward()
    assert (images.grad.flatten(1).sum(dim=1) > 0).all()


def test_a_thousand_images_of_a_class_are_enough_to_know_it():
    images = dark_and_bright((2500, 3))
    few = Batches(images, None, TINY).of_classes()
    assert [len(known) for known in few] == [834, 3]
    assert few[0].min() >= -1


def test_labels_come_in_the_mix_of_the_batches():
    images = dark_and_bright((90, 10))
    for balanced, expected in ((True, 0.5), (False, 0.1)):
        batches = Batches(images, None, replace(TINY, balanced=balanced))
        labels = batches.draw_labels(random_numbers(0), 2000).numpy()
        assert np.mean(labels) == pytest.approx(expected, abs=0.03)
