"""The share of images that DiffAugment changes finds by itself what a data set needs."""

from dataclasses import replace

import pytest
import torch
from gan_fixtures import TINY, dark_and_bright, on_cpu

from synthaug.augment.images import LabeledImages
from synthaug.generators.config import GANConfig
from synthaug.generators.training.adaptive_augment import INTERVAL, MAX_P, AdaptiveAugment
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.state import load_training, save_training

CONFIG = GANConfig(diffaugment_share=0.3, overfit=0.5)


def after(
    looks: int, *, real: float, held_out: float, fake: float, config: GANConfig = CONFIG
) -> AdaptiveAugment:
    """A share that has seen such mean logits so often."""
    found = AdaptiveAugment(config)
    for _ in range(looks):
        found.observe(*(torch.full((4,), logit) for logit in (real, held_out, fake)))
    return found


def test_overfit_is_nothing_where_unseen_images_are_judged_as_training_images_are():
    assert after(3, real=0.2, held_out=0.2, fake=-0.2).overfit == pytest.approx(0, abs=1e-6)


def test_overfit_is_one_where_unseen_images_are_judged_as_fakes_are():
    assert after(3, real=0.2, held_out=-0.2, fake=-0.2).overfit == pytest.approx(1)


def test_the_share_grows_with_overfit_up_to_where_augmentations_would_leak():
    probabilities = [after(n, real=0.2, held_out=-0.1, fake=-0.2).p for n in (1, 50, 1000)]
    assert 0.3 < probabilities[0] < probabilities[1] < probabilities[2] == MAX_P


def test_the_share_falls_to_nothing_without_overfit():
    probabilities = [after(n, real=0.2, held_out=0.1, fake=-0.2).p for n in (1, 50, 1000)]
    assert 0.3 > probabilities[0] > probabilities[1] > probabilities[2] == 0


def test_one_odd_look_does_not_turn_it_round():
    found = after(50, real=0.2, held_out=-0.1, fake=-0.2)
    before = found.p
    found.observe(torch.zeros(4), torch.ones(4), torch.full((4,), -1.0))
    assert found.p > before


class TestInTraining:
    def test_held_out_images_that_are_judged_as_the_training_images_are_let_the_share_fall(self):
        training = GANTraining(dark_and_bright(), TINY, on_cpu(), held_out=dark_and_bright())
        probabilities = [training.step()["augmented"] for _ in range(2 * INTERVAL)]
        assert probabilities[0] != TINY.diffaugment_share
        assert len(set(probabilities)) == 2  # looked at twice

    def test_nothing_moves_without_held_out_images_or_where_it_is_switched_off(self):
        images, held_out = dark_and_bright(), dark_and_bright((3, 3))
        for config, others in (
            (TINY, None),
            (replace(TINY, overfit=0.0), held_out),
            (replace(TINY, diffaugment=()), held_out),
        ):
            training = GANTraining(images, config, on_cpu(), held_out=others)
            assert training.step()["augmented"] == TINY.diffaugment_share

    def test_neither_network_learns_from_held_out_images(self):
        """Where p stands at its end anyway, they change nothing at all."""
        config = replace(TINY, diffaugment_share=0.0, overfit=1e9, diffaugment=("translation",))
        images, bright = dark_and_bright(), dark_and_bright((3, 3))
        black = LabeledImages(bright.pixels * 0, bright.labels, bright.class_names)
        one, other = (GANTraining(images, config, on_cpu(), held_out=held) for held in (bright, black))
        assert [one.step() for _ in range(5)] == [other.step() for _ in range(5)]

    def test_held_out_images_may_lack_a_class(self):
        lacking = GANTraining(dark_and_bright(), TINY, on_cpu(), held_out=dark_and_bright((5, 0)))
        assert lacking.step()["augmented"] != TINY.diffaugment_share

    def test_a_checkpoint_keeps_where_it_is(self, tmp_path):
        first, again = (
            GANTraining(dark_and_bright(), TINY, on_cpu(), held_out=dark_and_bright((3, 3))) for _ in range(2)
        )
        for _ in range(INTERVAL + 1):
            first.step()
        save_training(tmp_path / "checkpoint", first)
        load_training(tmp_path / "checkpoint", again)
        assert again.augmentation.state == first.augmentation.state
        assert again.step() == first.step()
