"""Fingerprints: equal images are seen, and a generator that saw the test images is stopped."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import GateError
from synthaug.augment.fingerprint import SeenImages, canonical_fingerprints, image_fingerprints, refuse_leak
from synthaug.augment.images import concatenate
from synthaug.augment.transforms import resize, with_bits


def test_equal_images_and_only_these_have_equal_fingerprints(tiny):
    images = tiny((50, 50))
    prints = image_fingerprints(images.take([*range(100), 7]))
    assert prints.dtype == np.uint64
    assert prints[100] == prints[7]
    assert len(np.unique(prints)) == 100


def test_fingerprints_do_not_change_between_versions(tiny):
    images = tiny((1,))
    images.pixels[:] = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert image_fingerprints(images).tolist() == [8615415456995061732]


def test_no_image_has_no_fingerprint(tiny):
    assert image_fingerprints(tiny((2, 2)).take([])).shape == (0,)


def test_an_image_and_its_28_pixel_version_are_one_to_the_canonical_fingerprint(tiny):
    large = tiny((3, 3), side=64)
    assert (canonical_fingerprints(large) == canonical_fingerprints(resize(large, 28))).all()


def test_an_image_and_its_8_bit_version_are_one_to_the_canonical_fingerprint(tiny):
    deep = tiny((3, 3), dtype=np.uint16, side=32)
    assert (canonical_fingerprints(deep) == canonical_fingerprints(with_bits(deep, 8))).all()


def test_a_generator_that_saw_test_images_is_refused(tiny):
    train, test = tiny((4, 4), side=32), tiny((4, 4), side=32, seed=1)
    refuse_leak(test, SeenImages.of(train), "G")
    with pytest.raises(GateError, match="1 of 8 test images were in the training set of G") as error:
        refuse_leak(test, SeenImages.of(resize(test.take([3]), 28)), "G")
    assert error.value.exit_status == 3


@pytest.mark.parametrize("size", [28, 32, 96, 128])
def test_a_leak_is_seen_at_another_size_and_other_patients_are_none(size):
    train, test = phantom([40, 0], 64, seed=1), phantom([40, 0], 64, seed=2)
    seen = SeenImages.of(resize(concatenate([train, test.take(range(30))]), size))
    with pytest.raises(GateError, match="of 40 test images"):
        refuse_leak(test, seen, "G")
    refuse_leak(test, SeenImages.of(resize(train, size)), "G")


class TestLookAlikes:
    @pytest.fixture
    def seen(self):
        return SeenImages.of(phantom([60, 0], 64, seed=1))

    def test_copies_are_found_at_every_size_and_mirrored(self, seen):
        copies = phantom([60, 0], 64, seed=1).take(range(10))
        mirrored = replace(copies, pixels=copies.pixels[..., ::-1])
        for images in (copies, resize(copies, 28), resize(copies, 96), mirrored):
            assert seen.look_alikes(images).mean() >= 0.9
        assert seen.look_alikes(copies).all()

    def test_other_images_are_none(self, seen):
        assert not seen.look_alikes(phantom([60, 0], 64, seed=2)).any()

    def test_images_without_structure_are_recognised_by_equal_pixels_only(self, tiny):
        black, dark = tiny((1,), side=64), tiny((1,), side=64)
        black.pixels[:], dark.pixels[:] = 0, 1
        assert SeenImages.of(black).look_alikes(black).all()
        assert not SeenImages.of(black).look_alikes(dark).any()

    def test_where_images_resemble_each_other_only_equal_sketches_count(self):
        base = phantom([1, 0], 64, seed=1)
        draw = np.random.default_rng(0)
        series = np.stack([base.pixels[0] + draw.integers(0, 3, (1, 64, 64), np.uint8) for _ in range(50)])
        seen = SeenImages.of(replace(base.take([0] * 50), pixels=series))
        assert seen.usual_bits == 0

    def test_no_image_is_like_one_of_none(self, tiny):
        assert not SeenImages.none().look_alikes(tiny((3, 3))).any()
