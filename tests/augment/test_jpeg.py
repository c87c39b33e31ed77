"""JPEG coding is found in pixels, named where it gives the class away, and put on images."""

import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.jpeg import (
    NONE,
    class_qualities,
    coding_shortcut,
    jpeg_quality,
    recode,
    usual_qualities,
)


def scans(n=8, channels=1, side=64, seed=0):
    """Smooth shapes with grain, never black or white, two classes in turn."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 9, side))[:, None] * np.cos(np.linspace(0, 7, side))
    pixels = (
        120 + 50 * waves * rng.uniform(0.5, 1, (n, 1, 1, 1)) + rng.normal(0, 6, (n, channels, side, side))
    )
    labels = np.arange(n) % 2
    return LabeledImages(pixels.clip(2, 253).astype(np.uint8), labels, ("a", "b"))


def coded(qualities, **options):
    images = scans(len(qualities), **options)
    return recode(images, qualities)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [60, 75, 83, 90, 95])
def test_the_quality_of_coded_images_is_found(quality, channels):
    images = coded([quality] * 4, channels=channels)
    assert {jpeg_quality(image) for image in images.pixels} == {quality}


def test_images_that_were_never_coded_or_have_lost_the_grid_have_none():
    shifted = coded([75] * 4).pixels[:, :, 3:, 5:]
    assert {jpeg_quality(image) for image in [*scans(4).pixels, *shifted]} == {NONE}


def test_an_image_without_telling_blocks_says_nothing():
    assert jpeg_quality(np.zeros((1, 64, 64), np.uint8)) is None
    assert jpeg_quality(np.full((1, 7, 7), 9, np.uint8)) is None


def test_a_quality_that_differs_by_class_is_named_with_what_it_gives_away():
    sentence = coding_shortcut(coded([75, 90] * 4))
    assert sentence.startswith("JPEG quality differs by class (a 75, b 90): it alone tells the class of 100%")
    assert "a 75, b not coded" in coding_shortcut(coded([75, NONE] * 4))


@pytest.mark.parametrize("qualities", [[75] * 8, [NONE] * 8, [75, 75, 90, 90] * 2])
def test_a_quality_that_is_the_same_in_all_classes_is_none(qualities):
    assert coding_shortcut(coded(qualities)) == ""


def test_sixteen_bits_were_never_coded():
    images = coded([75, 90] * 4)
    deep = LabeledImages(images.pixels.astype(np.uint16) * 257, images.labels, images.class_names)
    assert coding_shortcut(deep) == ""


def test_sixteen_bits_cannot_be_coded():
    deep = LabeledImages(np.zeros((1, 1, 8, 8), np.uint16), np.zeros(1, np.int64), ("a",))
    with pytest.raises(DataError, match="found images of 16 bits"):
        recode(deep, [75])


def test_the_usual_quality_of_each_class_puts_its_coding_on_others():
    real = coded([75, 90] * 4)
    assert usual_qualities(real).tolist() == [75, 90]
    others = scans(8, seed=1)
    assert class_qualities(recode(others, usual_qualities(real)[others.labels])) == {
        "a": {75: 4},
        "b": {90: 4},
    }


def test_coding_again_leaves_coded_images_and_those_with_none_as_they_are():
    images = coded([75] * 4)
    again = recode(images, [75, NONE, 75, NONE])
    assert np.abs(again.pixels.astype(int) - images.pixels).max() <= 2
    assert np.array_equal(again.pixels[1], images.pixels[1])
