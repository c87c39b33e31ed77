"""The window floor of each class, and noise whose strength depends on latent and class."""

import dataclasses

import numpy as np
import pytest
import torch
from gan_fixtures import SOURCE, TINY, dark_and_bright, on_cpu

from synthaug.generators.architectures.light import LightGenerator
from synthaug.generators.architectures.statistics import WindowStatistics
from synthaug.generators.checkpoint import GeneratorCard, load_generator, save_generator
from synthaug.generators.runs import train_run
from synthaug.generators.sampling import Synthesizer
from synthaug.generators.training.transfer import Origin

SIZE = {"num_classes": 2, "image_size": 32, "channels": 1, "width": 4, "latent_dim": 8}
LABELS = torch.arange(64) % 2


def clipped_and_black():
    """A class whose window ends at grey 120, and one with black pixels, in [-1, 1]."""
    rng = torch.Generator().manual_seed(0)
    return [
        torch.randn(20, 1, 32, 32, generator=rng).mul(0.2).clamp(min=-0.06),
        torch.randn(20, 1, 32, 32, generator=rng).mul(0.5).sub(0.5).clamp(-1, 1),
    ]


def a_generator(**options):
    torch.manual_seed(0)
    generator = LightGenerator(**SIZE, **options)
    generator.fit_class_statistics(clipped_and_black())
    with torch.no_grad():
        generator.to_image.weight.mul_(20)
    return generator.eval()


def grainy(generator):
    """With noise of a strength, as a training finds one."""
    with torch.no_grad():
        for noise in generator.noises.values():
            noise.strength.weight.normal_(generator=torch.Generator().manual_seed(1))
    return generator


def numbers(generator, n=64, seed=0):
    return torch.randn(n, generator.input_dim, generator=torch.Generator().manual_seed(seed))


def test_no_pixel_of_a_clipped_class_lies_below_its_window_and_others_reach_black():
    for options, below in (({}, True), ({"window_floor": True}, False)):
        generator = a_generator(**options)
        images = generator(numbers(generator), LABELS)
        assert (images[LABELS == 0].min() < -0.07) == below
        assert images[LABELS == 1].min() < -0.99


def test_the_floor_hardly_moves_what_lies_above_it():
    statistics = WindowStatistics(2)
    statistics.fit(clipped_and_black())
    images = torch.linspace(0.1, 0.9, 16).view(2, 1, 1, 8)
    torch.testing.assert_close(statistics.bounded(images, torch.tensor([0, 1])), images, atol=2e-3, rtol=0)


def test_noise_has_no_effect_at_first_and_then_differs_in_strength_by_latent_and_class():
    generator = a_generator(noise_from=16)
    one, other = numbers(generator), numbers(generator, seed=1)
    other[:, :8] = one[:, :8]
    assert torch.equal(generator(one, LABELS), generator(other, LABELS))
    moved = (grainy(generator)(one, LABELS) - generator(other, LABELS)).abs().mean(dim=(1, 2, 3))
    assert moved.min() > 0
    assert moved.std() > 0.05 * moved.mean()


def test_only_sides_from_the_one_asked_for_get_noise():
    for side, pixels in ((0, 0), (16, 16**2 + 32**2), (32, 32**2), (64, 0)):
        assert a_generator(noise_from=side).input_dim == 8 + pixels


class TestSampling:
    @pytest.fixture
    def synthesizer(self, tmp_path, tiny):
        generator = grainy(a_generator(noise_from=16, window_floor=True))
        card = GeneratorCard(("a", "b"), generator.size, "noise", "CC0", {}, "light")
        save_generator(tmp_path / "g.safetensors", generator, tiny((2, 2), side=28), card)
        return Synthesizer(tmp_path / "g.safetensors")

    def test_an_image_with_noise_depends_on_its_class_seed_and_index_only(self, synthesizer):
        whole = synthesizer.images(1, 0, 130, seed=3).pixels
        assert synthesizer.images(1, 60, 70, seed=3).pixels.tobytes() == whole[60:70].tobytes()
        assert len(np.unique(whole.reshape(130, -1), axis=0)) == 130

    def test_options_come_back_from_the_file(self, synthesizer):
        assert synthesizer.card.size == SIZE | {"window_floor": True, "noise_from": 16}
        assert "low" in dict(synthesizer.generator.statistics.named_buffers())


def test_a_generator_without_noise_goes_on_with_it(tmp_path):
    images = dark_and_bright((6, 6), side=32)
    before = dataclasses.replace(TINY, window_floor=False)
    train_run(images, SOURCE, before, tmp_path / "old", fabric=on_cpu())
    origin = Origin.read(tmp_path / "old" / "generator.safetensors")
    grainy = dataclasses.replace(TINY, noise_from=16)
    train_run(images, SOURCE, origin.recipe(grainy), tmp_path / "new", fabric=on_cpu(), origin=origin)
    generator, _ = load_generator(tmp_path / "new" / "generator.safetensors")
    assert generator.size["noise_from"] == 16
    assert all(noise.strength.weight.abs().max() > 0 for noise in generator.noises.values())
