"""Losses against numbers computed by hand, and the gradient penalty where it is known in closed form."""

import pytest
import torch

from synthaug.augment.errors import UsageError
from synthaug.generators.objectives import (
    OBJECTIVES,
    bce_discriminator,
    bce_generator,
    gradient_penalty,
    hinge_discriminator,
    least_squares_discriminator,
    least_squares_generator,
    objective,
    r1_penalty,
    wasserstein_discriminator,
    wasserstein_generator,
)

REAL, FAKE = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0, 1.5])


def penalty_of(critic, real, fake, seed=0):
    return gradient_penalty(critic, real, fake, torch.Generator().manual_seed(seed))


def test_the_wasserstein_critic_minimises_fake_minus_real():
    assert wasserstein_discriminator(REAL, FAKE).item() == pytest.approx(-0.5 - 0.5)


def test_the_generator_wants_high_logits():
    assert wasserstein_generator(FAKE).item() == pytest.approx(0.5)


def test_the_hinge_counts_only_logits_inside_the_margin():
    # real: max(0, 1 - [2, .5, -1]) = [0, .5, 2]; fake: max(0, 1 + [-3, 0, 1.5]) = [0, 1, 2.5]
    assert hinge_discriminator(REAL, FAKE).item() == pytest.approx(2.5 / 3 + 3.5 / 3)


def test_a_discriminator_beyond_the_margin_has_no_hinge_loss():
    assert hinge_discriminator(torch.tensor([1.0, 4.0]), torch.tensor([-1.0, -9.0])).item() == 0


@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_ten_times_its_squared_distance_from_norm_one(norm):
    direction = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(1))
    weight = norm * direction / direction.norm()
    real, fake = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4)
    penalty = penalty_of(lambda x: (x * weight).sum(dim=(1, 2, 3)), real, fake)
    assert penalty.item() == pytest.approx(10 * (norm - 1) ** 2, abs=1e-5)


def test_the_penalty_back_propagates_to_the_critic():
    weight = torch.tensor([3.0, 4.0]).view(1, 1, 2).requires_grad_(True)  # norm 5
    images = torch.zeros(6, 1, 1, 2)
    penalty_of(lambda x: (x * weight).sum(dim=(1, 2, 3)), images, images + 1).backward()
    # d/dw 10 (|w| - 1)² = 20 (|w| - 1) w / |w|
    torch.testing.assert_close(weight.grad.flatten(), torch.tensor([48.0, 64.0]))


def test_the_penalty_is_taken_between_a_real_image_and_its_fake_each_at_its_own_place():
    # D(x) = |x|² / 2 has gradient x, so the penalty tells where it was taken.
    places = []

    def critic(x):
        places.append(x.detach())
        return x.square().sum(dim=(1, 2, 3)) / 2

    real, fake = torch.full((200, 1, 2, 2), 1.0), torch.full((200, 1, 2, 2), 3.0)
    penalty = penalty_of(critic, real, fake)
    (x,) = places
    assert x.flatten(1).std(dim=1).max() == 0  # one share for all the pixels of an image
    assert 1 <= x.min() < 1.1
    assert 2.9 < x.max() <= 3
    norms = x.flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx((10 * (norms - 1).square()).mean().item(), rel=1e-5)


def test_the_same_random_numbers_give_the_same_penalty():
    real, fake = torch.zeros(4, 1, 2, 2), torch.ones(4, 1, 2, 2)

    def critic(x):
        return x.square().sum(dim=(1, 2, 3))

    assert penalty_of(critic, real, fake, 3) == penalty_of(critic, real, fake, 3)
    assert penalty_of(critic, real, fake, 3) != penalty_of(critic, real, fake, 4)


def test_only_wgan_gp_has_a_penalty_of_its_own_and_only_wgan_clips():
    assert [name for name, o in OBJECTIVES.items() if o.penalty] == ["wgan-gp"]
    assert {name: o.clip for name, o in OBJECTIVES.items() if o.clip} == {"wgan": 0.01}


def test_cross_entropy_is_that_of_a_probability_that_the_image_is_real():
    p_real, p_fake = torch.sigmoid(REAL), torch.sigmoid(FAKE)
    by_hand = -(p_real.log().mean() + (1 - p_fake).log().mean())
    assert bce_discriminator(REAL, FAKE).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert bce_generator(FAKE).item() == pytest.approx(-p_fake.log().mean().item(), rel=1e-6)


def test_cross_entropy_of_huge_logits_is_finite():
    huge = torch.tensor([1e4, -1e4])
    assert bce_discriminator(huge, huge).item() == pytest.approx(1e4)
    assert bce_generator(-huge).item() == pytest.approx(5e3)


def test_least_squares_wants_ones_for_real_and_zeros_for_fake_images():
    # real: ([2, .5, -1] - 1)² = [1, .25, 4]; fake: [9, 0, 2.25]; the generator: [16, 1, .25]
    assert least_squares_discriminator(REAL, FAKE).item() == pytest.approx((5.25 / 3 + 11.25 / 3) / 2)
    assert least_squares_generator(FAKE).item() == pytest.approx(17.25 / 3 / 2)


def test_r1_is_half_the_squared_slope_at_the_real_images():
    weight, ones = torch.tensor([3.0, 4.0]).view(1, 1, 2), torch.ones(6)  # norm 5
    images = torch.randn(6, 1, 1, 2)
    assert r1_penalty(lambda x: (x * weight).sum(dim=(1, 2, 3)), images, ones).item() == pytest.approx(12.5)
    slope = r1_penalty(lambda x: x.square().sum(dim=(1, 2, 3)) / 2, images, ones)  # the slope at x is x
    assert slope.item() == pytest.approx(0.5 * images.square().sum(dim=(1, 2, 3)).mean().item(), rel=1e-5)


def test_r1_weighs_every_image_by_itself():
    images, weights = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), torch.tensor([10.0, 1.0])
    slope = r1_penalty(lambda x: x.square().sum(dim=(1, 2, 3)) / 2, images, weights)
    assert slope.item() == pytest.approx((10 * 0.5 * 1 + 1 * 0.5 * 4) / 2)


def test_r1_back_propagates_to_the_critic():
    weight = torch.tensor([3.0, 4.0]).view(1, 1, 2).requires_grad_(True)
    r1_penalty(lambda x: (x * weight).sum(dim=(1, 2, 3)), torch.zeros(6, 1, 1, 2), torch.ones(6)).backward()
    torch.testing.assert_close(weight.grad.flatten(), torch.tensor([3.0, 4.0]))  # d/dw |w|² / 2 = w


def test_an_unknown_objective_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=f"no objective 'best'.*{', '.join(OBJECTIVES)}"):
        objective("best")
