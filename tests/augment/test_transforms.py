"""Size, channels and classical augmentation."""

import numpy as np
import pytest
import torch
from PIL import Image

from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import as_asked, classical_augmentation, resize, to_unit_range, with_channels


def test_resizing_is_that_of_pil_bicubic(tiny):
    images = tiny((2, 2), side=16)
    expected = Image.fromarray(images.pixels[1, 0]).resize((8, 8), Image.Resampling.BICUBIC)
    assert (resize(images, 8).pixels[1, 0] == np.asarray(expected)).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_resizing_keeps_depth_channels_and_labels(tiny, channels, dtype):
    images = tiny((2, 3), channels=channels, dtype=dtype)
    resized = resize(images, 12)
    assert resized.image_shape == (channels, 12, 12)
    assert resized.pixels.dtype == dtype
    assert resized.labels.tolist() == images.labels.tolist()


def test_resizing_never_wraps_around_at_black_or_white(tiny):
    for dtype in (np.uint8, np.uint16):
        images = tiny((1,), dtype=dtype)
        images.pixels[:] = 0
        images.pixels[..., 4:] = np.iinfo(dtype).max  # bicubic overshoots at an edge
        row = resize(images, 32).pixels[0, 0, 16].astype(int)
        assert (row[:12] <= np.iinfo(dtype).max * 0.05).all()
        assert (row[20:] >= np.iinfo(dtype).max * 0.95).all()


@pytest.mark.parametrize(("fit", "shape"), [(None, (8, 6)), ("crop", (6, 6)), ("pad", (8, 8))])
def test_images_become_square_at_their_own_size_only_where_it_is_asked_for(tiny, fit, shape):
    images = tiny((2, 2))
    oblong = LabeledImages(images.pixels[..., :6], images.labels, images.class_names)
    assert as_asked(oblong, ReadOptions(fit=fit)).image_shape[1:] == shape


def test_resizing_to_the_same_size_changes_nothing(tiny):
    images = tiny((2, 2))
    assert resize(images, 8) is images


def test_grey_becomes_rgb_and_back(tiny):
    grey = tiny((2, 2))
    colour = with_channels(grey, 3)
    assert colour.image_shape == (3, 8, 8)
    assert with_channels(colour, 1).digest() == grey.digest()
    assert with_channels(grey, 1) is grey


def test_the_unit_range_is_0_to_1_for_both_depths():
    for dtype in (np.uint8, np.uint16):
        pixels = np.array([0, np.iinfo(dtype).max], dtype).reshape(1, 1, 1, 2)
        assert to_unit_range(pixels).flatten().tolist() == [0.0, 1.0]


def test_classical_augmentation_moves_an_image_but_never_mirrors_it():
    augment = classical_augmentation()
    image = torch.zeros(1, 32, 32)
    image[:, 8:24, 20:26] = 1.0  # a heart on one side
    torch.manual_seed(0)
    changed = [augment(image) for _ in range(50)]
    assert all(out.shape == image.shape and 0 <= out.min() <= out.max() <= 1 for out in changed)
    assert len({out.numpy().tobytes() for out in changed}) == 50
    assert all(out[:, :, 16:].sum() > out[:, :, :16].sum() for out in changed)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_an_image_that_is_not_square_is_cropped_or_padded_never_stretched(fit):
    wide = np.zeros((1, 1, 8, 16), np.uint8)
    wide[..., 2:6, 6:10] = 255  # a square in the middle
    images = as_asked(LabeledImages(wide, np.zeros(1, np.int64), ("x",)), ReadOptions(size=16, fit=fit))
    assert images.image_shape == (1, 16, 16)
    bright = images.pixels[0, 0] > 127
    assert bright.any(axis=0).sum() == bright.any(axis=1).sum() == (8 if fit == "crop" else 4)
