"""DiffAugment: what each step does to an image, that gradients pass, and that chance comes from outside."""

import pytest
import torch
from torch.nn import functional as F

from synthaug.augment.errors import UsageError
from synthaug.generators.training.diffaugment import (
    AUGMENTATIONS,
    color,
    cutout,
    diffaugment,
    policy,
    translation,
)

EVERY = tuple(AUGMENTATIONS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n=4, channels=1, side=32, seed=9):
    return torch.rand(n, channels, side, side, generator=seeded(seed)) * 2 - 1


def test_an_empty_policy_gives_the_images_back():
    images = noise()
    assert diffaugment(images, (), seeded()) is images


@pytest.mark.parametrize("name", EVERY)
def test_the_same_random_numbers_give_the_same_images_and_others_do_not(name):
    images = noise()
    first, again, other = (diffaugment(images, (name,), seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EVERY)
def test_shape_and_type_stay_and_the_original_is_untouched(name, channels):
    images = noise(channels=channels, side=28)
    before = images.clone()
    changed = diffaugment(images, (name,), seeded())
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert torch.equal(images, before)
    assert not torch.equal(changed, before)


def test_gradients_flow_through_every_step():
    images = noise(channels=3).requires_grad_(True)
    diffaugment(images, EVERY, seeded()).square().sum().backward()
    touched = (images.grad != 0).float().mean()
    assert touched > 0.4  # all that was neither cut out nor shifted away


def test_colour_moves_brightness_by_half_at_most():
    flat = torch.zeros(500, 1, 8, 8)
    shift = color(flat, seeded()).mean(dim=(1, 2, 3))
    assert -0.5 <= shift.min() < -0.45
    assert 0.45 < shift.max() <= 0.5


def test_colour_scales_contrast_from_a_half_to_one_and_a_half():
    images = noise(500, side=8)
    contrast = color(images, seeded()).std(dim=(1, 2, 3)) / images.std(dim=(1, 2, 3))
    assert 0.5 - 1e-4 <= contrast.min() < 0.55
    assert 1.45 < contrast.max() <= 1.5 + 1e-4


def test_colour_keeps_grey_grey_and_scales_saturation_of_rgb():
    grey = noise(20, side=8).repeat(1, 3, 1, 1)
    out = color(grey, seeded())
    torch.testing.assert_close(out, out[:, :1].expand(-1, 3, -1, -1))
    images = noise(500, channels=3, side=8)

    def saturation(x):
        return (x - x.mean(dim=1, keepdim=True)).flatten(1).norm(dim=1)

    gain = saturation(color(images, seeded())) / saturation(images)
    assert gain.min() < 0.1
    assert 2 < gain.max() <= 3 + 1e-4  # saturation up to 2, contrast up to 1.5


@pytest.mark.parametrize("side", [28, 32])
def test_a_translation_is_one_whole_shift_of_at_most_an_eighth_with_zero_coming_in(side):
    images, reach = noise(60, channels=3, side=side), side // 8
    padded = F.pad(images, (reach,) * 4)
    shifts = [(dy, dx) for dy in range(2 * reach + 1) for dx in range(2 * reach + 1)]
    moved, met = translation(images, seeded()), set()
    for k in range(len(images)):
        fits = [
            (dy, dx)
            for dy, dx in shifts
            if torch.equal(moved[k], padded[k, :, dy : dy + side, dx : dx + side])
        ]
        assert len(fits) == 1
        met.add(fits[0])
    assert {dy for dy, _ in met} == {dx for _, dx in met} == set(range(2 * reach + 1))


@pytest.mark.parametrize("side", [28, 32])
def test_cutout_greys_one_square_of_half_the_side_that_may_hang_over_the_edge(side):
    images = torch.ones(400, 3, side, side)
    gone = cutout(images, seeded()) == 0
    assert torch.equal(gone[:, 0], gone[:, 1])
    heights, widths = gone[:, 0].any(dim=2).sum(dim=1), gone[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(gone[:, 0].sum(dim=(1, 2)), heights * widths)  # a rectangle
    for lengths in (heights, widths):
        assert lengths.min() == side // 4  # centre on the very edge
        assert lengths.max() == side // 2


def test_images_of_one_batch_are_changed_differently():
    same = noise(1).expand(8, -1, -1, -1)
    for name in EVERY:
        changed = diffaugment(same, (name,), seeded())
        assert len({image.numpy().tobytes() for image in changed}) > 4, name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("translation,cutout", ("translation", "cutout")),
        (" color , cutout ", ("color", "cutout")),
        ("none", ()),
        ("", ()),
    ],
)
def test_a_policy_is_a_list_of_names(text, names):
    assert policy(text) == names


def test_an_unknown_augmentation_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"--diffaugment translation,flip: .*color, translation, cutout"):
        policy("translation,flip")
