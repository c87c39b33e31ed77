"""Progressive growing: stages, fades, and what keeps weights and features at unit size."""

import pytest
import torch
from torch import nn

from synthaug.generators.architectures import progressive
from synthaug.generators.architectures.family import halvings

SIDES = (4, 8, 16, 32, 64)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tiny_generator(width=4):
    torch.manual_seed(0)
    return progressive.ProgressiveGenerator(
        num_classes=10, image_size=64, channels=1, latent_dim=8, width=width
    )


def tiny_discriminator(width=4):
    torch.manual_seed(0)
    return progressive.ProgressiveDiscriminator(
        num_classes=10, image_size=64, channels=1, width=width, norm="none", spectral=False
    )


def test_has_the_published_feature_maps():
    sides = [4, 8, 16, 32, 64, 128]
    assert [progressive.maps_at(side, 128) for side in sides] == [512, 512, 512, 512, 256, 128]


def test_grows_by_one_doubling_per_equal_share_and_fades_in_over_half_of_it():
    assert halvings(64) == list(SIDES)
    stages = [progressive.stage_at(progress / 10, 5) for progress in range(11)]
    assert [stage for stage, _ in stages] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert [alpha for _, alpha in stages] == pytest.approx([1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1], abs=1e-6)
    assert progressive.stage_at(0.25, 5) == (1, pytest.approx(0.5))


@pytest.mark.parametrize("stage", range(5))
def test_an_image_of_a_stage_is_made_of_its_pixels(stage):
    generator, side = tiny_generator(), SIDES[stage]
    generator.grow((stage + 0.75) / 5)
    images = generator(noise(2, 8), torch.tensor([0, 1]))
    assert images.shape == (2, 1, 64, 64)
    small = images[:, :, :: 64 // side, :: 64 // side]
    enlarged = nn.functional.interpolate(small, scale_factor=64 // side)
    torch.testing.assert_close(enlarged, images, rtol=0, atol=0)
    assert (small[:, :, ::2] != small[:, :, 1::2]).any()


@pytest.mark.parametrize("stage", range(1, 5))
def test_fades_in_without_a_jump_and_then_changes(stage):
    generator, discriminator = tiny_generator(), tiny_discriminator()
    images, labels = noise(3, 1, 64, 64), torch.tensor([0, 1, 9])
    answers = []
    for progress in (stage / 5 - 1e-6, stage / 5 + 1e-6, (stage + 0.5) / 5):
        for network in (generator, discriminator):
            network.grow(progress)
        answers.append((generator(noise(3, 8), labels), discriminator(images, labels)))
    for before, border, after in zip(*answers, strict=True):
        torch.testing.assert_close(before, border, rtol=1e-3, atol=1e-4)
        assert (border - after).abs().max() > 0.01


@pytest.mark.parametrize("stage", range(5))
def test_a_discriminator_sees_no_detail_below_the_side_of_its_stage(stage):
    discriminator, block = tiny_discriminator(), 64 // SIDES[stage]
    discriminator.grow((stage + 0.75) / 5)
    images, labels, detail = noise(3, 1, 64, 64), torch.tensor([0, 1, 9]), noise(3, 1, 64, 64, seed=1)
    finest = detail - nn.functional.interpolate(nn.functional.avg_pool2d(detail, block), scale_factor=block)
    logits = discriminator(images, labels)
    torch.testing.assert_close(discriminator(images + finest, labels), logits, rtol=1e-3, atol=1e-4)
    coarser = nn.functional.interpolate(nn.functional.avg_pool2d(detail, block), scale_factor=block)
    assert (discriminator(images + coarser, labels) - logits).abs().max() > 1e-3


def test_in_the_middle_of_a_fade_both_stages_learn():
    generator, discriminator = tiny_generator(), tiny_discriminator()
    for network in (generator, discriminator):
        network.grow(0.45)  # stage 2, half faded in
    images = generator(noise(3, 8), torch.tensor([0, 1, 9]))
    (discriminator(images, torch.tensor([0, 1, 9])) * noise(3)).sum().backward()
    for ends in (generator.to_image, discriminator.from_image):
        learns = [end.weight.grad is not None and end.weight.grad.abs().sum() > 0 for end in ends]
        assert learns == [False, True, True, False, False]


def test_is_full_grown_when_fresh_and_when_its_progress_was_rounded():
    generator, latents, labels = tiny_generator(), noise(2, 8), torch.tensor([0, 1])
    assert generator.progress.dtype == torch.float32
    assert generator.progress.shape == ()
    fresh = generator(latents, labels)
    for dtype in (torch.float16, torch.bfloat16):
        generator.grow(torch.tensor(1.0, dtype=dtype).item())
        torch.testing.assert_close(generator(latents, labels), fresh, rtol=0, atol=0)


def test_layers_start_with_unit_variance_and_keep_that_of_their_input():
    for network in (tiny_generator(width=16), tiny_discriminator(width=16)):
        weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim > 1])
        assert weights.std().item() == pytest.approx(1, abs=0.01)
        assert all((p == 0).all() for p in network.parameters() if p.ndim == 1)
    assert tiny_generator().stem.scale == pytest.approx((2 / (8 + 10)) ** 0.5 / 4)  # as in their code
    layer = progressive.EqualisedConv2d(64, 64, 3)
    outputs = nn.functional.relu(layer(noise(8, 64, 16, 16))[:, :, 1:-1, 1:-1])
    assert outputs.square().mean().item() == pytest.approx(1, rel=0.1)


def test_pixel_norm_gives_every_pixel_unit_mean_square():
    maps = progressive.PixelNorm()(7 * noise(2, 16, 4, 4))
    torch.testing.assert_close(maps.square().mean(dim=1), torch.ones(2, 4, 4))


def test_the_batch_deviation_is_one_map_of_the_mean_deviation():
    x = noise(4, 3, 4, 4)
    with_map = progressive.with_batch_deviation(x)
    assert with_map.shape == (4, 4, 4, 4)
    torch.testing.assert_close(with_map[:, :3], x)
    torch.testing.assert_close(with_map[:, 3], x.std(dim=0, correction=0).mean().expand(4, 4, 4))


def test_refuses_weight_clipping():
    assert "wgan" in progressive.ARCHITECTURE.refuses
    assert "wgan-gp" not in progressive.ARCHITECTURE.refuses
