"""The weight of the R1 penalty finds by itself what a data set needs."""

from dataclasses import replace

import pytest
import torch
from gan_fixtures import TINY, dark_and_bright, on_cpu

from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.config import GANConfig
from synthaug.generators.training.adaptive_r1 import MIN_FRACTION, AdaptiveR1Weight
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.state import load_training, save_training

CONFIG = GANConfig(r1=8.0, logit_gap=0.2)
ONE_CLASS = torch.zeros(4, dtype=torch.int64)


def after(gaps: list[float], config: GANConfig = CONFIG) -> list[float]:
    """The weights that a training of one class has whose logits stood so far apart."""
    weight, found = AdaptiveR1Weight(config, 64, 1), []
    for gap in gaps:
        weight.observe(torch.full((4,), gap), torch.zeros(4), ONE_CLASS)
        found.append(weight.updated(ONE_CLASS)[0].item())
    return found


def test_the_first_weight_goes_with_the_number_of_pixels():
    assert AdaptiveR1Weight(CONFIG, 64, 1).mean == 8
    assert AdaptiveR1Weight(CONFIG, 32, 1).mean == 2


def test_it_grows_while_real_and_fake_are_told_apart_too_well_and_shrinks_otherwise():
    wide, narrow = after([1.0] * 50), after([0.0] * 50)
    assert wide == sorted(wide)
    assert wide[-1] > 8
    assert narrow == sorted(narrow, reverse=True)
    assert narrow[-1] < 8


def test_it_stays_where_the_gap_is_the_wanted_one():
    assert after([0.2] * 50)[-1] == pytest.approx(8, rel=1e-4)


def test_it_never_falls_below_a_share_of_the_first_so_that_a_lost_discriminator_is_not_let_loose():
    assert after([-100.0] * 50)[-1] == pytest.approx(MIN_FRACTION * 8)


def test_every_class_has_a_weight_of_its_own():
    weight, labels = AdaptiveR1Weight(CONFIG, 64, 3), torch.tensor([0, 1, 0, 1])
    for _ in range(50):
        weight.observe(torch.tensor([1.0, 0.0, 3.0, 0.0]), torch.zeros(4), labels)
        weights = weight.updated(torch.tensor([0, 1, 2, UNKNOWN]))
    assert weights[0] > 8 > weights[1]
    assert weights[2] == weights[3] == 8  # of what was never seen nothing is known
    alone = after([2.0] * 50)[-1]  # the mean of its two gaps
    assert weights[0].item() == pytest.approx(alone, rel=1e-6)
    assert weight.mean == pytest.approx((weights[0].item() + weights[1].item()) / 2, rel=1e-6)


def test_images_of_an_unknown_class_have_one_too():
    weight, labels = AdaptiveR1Weight(CONFIG, 64, 1), torch.tensor([0, UNKNOWN])
    weight.observe(torch.tensor([0.0, 2.0]), torch.zeros(2), labels)
    known, unknown = weight.updated(labels)
    assert known < 8 < unknown


def test_one_odd_batch_moves_it_less_than_a_lasting_gap():
    assert after([0.2] * 10 + [5.0] + [0.2] * 9)[-1] < after([0.2] * 10 + [5.0] * 10)[-1]


def test_a_gap_of_0_keeps_the_weight():
    assert after([5.0] * 50, replace(CONFIG, logit_gap=0.0))[-1] == 8


def test_a_training_steers_its_penalty_and_a_checkpoint_keeps_where_it_is(tmp_path):
    training = GANTraining(dark_and_bright(), replace(TINY, r1_every=1), on_cpu())
    seen = [training.step()["r1"] for _ in range(3)]
    assert len(set(seen)) == 3
    save_training(tmp_path / "checkpoint", training)
    again = GANTraining(dark_and_bright(), replace(TINY, r1_every=1), on_cpu())
    load_training(tmp_path / "checkpoint", again)
    assert again.r1_weight.state == pytest.approx(training.r1_weight.state, rel=0, nan_ok=True)
    assert again.step() == training.step()
