"""Near copies of training images: planted ones are found, new images and empty ones are not taken for any."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.memorization.near_copies import CopyDetector


def people(n: int, seed: int, size: int = 28) -> LabeledImages:
    return replace(phantom([n, n], size=size, seed=seed), groups=None)


def with_pixels(images: LabeledImages, pixels: Pixels) -> LabeledImages:
    return replace(images, pixels=pixels)


@pytest.fixture(scope="module")
def train() -> LabeledImages:
    return people(60, seed=0)


@pytest.fixture(scope="module")
def detector(train) -> CopyDetector:
    return CopyDetector.fit(train, people(30, seed=1))


def shifted(pixels: Pixels, down: int, right: int, border: str) -> Pixels:
    height, width = pixels.shape[2:]
    wide = np.pad(pixels, ((0, 0), (0, 0), (2, 2), (2, 2)), mode=border)
    return wide[:, :, 2 - down : 2 - down + height, 2 - right : 2 - right + width]


def in_range(values) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, sigma: float = 0.02) -> Pixels:
    return in_range(pixels + np.random.default_rng(0).normal(0, 255 * sigma, pixels.shape))


def everything(pixels: Pixels) -> Pixels:
    return noisy(1.1 * shifted(pixels[..., ::-1], -2, 1, "constant"))


PLANTED = {
    "exact": lambda pixels: pixels,
    "shifted, black border": lambda pixels: shifted(pixels, 2, -2, "constant"),
    "shifted, repeated edge": lambda pixels: shifted(pixels, -1, 2, "edge"),
    "mirrored left-right": lambda pixels: pixels[..., ::-1],
    "mirrored up-down": lambda pixels: pixels[:, :, ::-1],
    "turned by half": lambda pixels: pixels[:, :, ::-1, ::-1],
    "10 % brighter": lambda pixels: in_range(pixels * 1.1),
    "10 % darker": lambda pixels: in_range(pixels * 0.9),
    "lifted by a tenth": lambda pixels: in_range(pixels + 25.5),
    "lowered by a tenth": lambda pixels: in_range(pixels - 25.5),
    "noisy": noisy,
    "all at once": everything,
}


class TestPlantedCopies:
    @pytest.mark.parametrize("kind", PLANTED)
    def test_are_found_with_the_image_they_copy(self, detector, train, kind):
        found = detector.search(with_pixels(train, PLANTED[kind](train.pixels)))
        assert (found.distances < detector.threshold).mean() >= 0.98  # of 120: noise lets one or two escape
        assert (found.rows == np.arange(len(train))).all()

    def test_are_found_among_honest_images(self, detector, train):
        honest = people(50, seed=2)
        mixed = honest.pixels.copy()
        mixed[[7, 70]] = everything(train.pixels[[3, 90]])
        assert np.flatnonzero(detector.near_copies(with_pixels(honest, mixed))).tolist() == [7, 70]

    def test_are_found_at_another_size_and_number_of_channels(self, detector, train):
        sharp = with_channels(people(60, seed=0, size=64), 3)  # the same patients, drawn larger
        small = CopyDetector.fit(resize(sharp, 28), people(30, seed=1))
        assert small.near_copies(sharp).all()
        assert detector.near_copies(with_channels(train, 3)).all()

    def test_are_found_in_colour(self, train):
        colour = replace(
            train, pixels=np.concatenate([train.pixels, train.pixels // 2, train.pixels // 3], 1)
        )
        new = people(30, seed=1)
        new = replace(new, pixels=np.concatenate([new.pixels, new.pixels // 2, new.pixels // 3], axis=1))
        detector = CopyDetector.fit(colour, new)
        assert detector.near_copies(with_pixels(colour, everything(colour.pixels))).mean() >= 0.99
        assert detector.false_alarms == 0

    def test_are_found_where_twelve_bits_lie_in_sixteen(self, train):
        def deep(images: LabeledImages) -> LabeledImages:
            return replace(images, pixels=images.pixels.astype(np.uint16) * 16)

        detector = CopyDetector.fit(deep(train), deep(people(30, seed=1)))
        assert detector.near_copies(deep(with_pixels(train, everything(train.pixels)))).mean() >= 0.99
        assert not detector.near_copies(deep(people(30, seed=2))).any()


class TestHonestImages:
    def test_raise_no_alarm(self, detector):
        assert detector.false_alarms == 0
        assert not detector.near_copies(people(60, seed=2)).any()

    def test_are_no_copies_after_a_larger_shift(self, detector, train):
        away = np.roll(train.pixels, 6, axis=3)
        assert detector.near_copies(with_pixels(train, away)).mean() < 0.05

    def test_are_no_copies_where_a_faint_cloud_differs(self, detector, train):
        down, right = np.mgrid[-14:14, -14:14]
        cloud = (
            0.08 * 255 * np.exp(-(down**2 + right**2) / 18)
        )  # each pixel within a copy's noise, not their mean
        clouded = with_pixels(train, in_range(train.pixels * 0.9 + 5 + cloud))
        assert detector.near_copies(clouded).mean() < 0.05

    @pytest.mark.parametrize("grey", [0, 5, 128, 255])
    def test_are_no_copies_where_flat_images_meet(self, train, grey):
        some = train.pixels.copy()
        some[:3] = np.array([0, grey, 255], np.uint8)[:, None, None, None]
        detector = CopyDetector.fit(with_pixels(train, some), people(30, seed=1))
        flat = np.full((4, 1, 28, 28), grey, np.uint8)
        flat[2:] = in_range(flat[2:] + np.random.default_rng(0).normal(0, 1, flat[2:].shape))
        found = detector.search(with_pixels(train.take(range(4)), flat))
        assert (found.distances == 1).all()

    def test_are_no_copies_where_faint_images_meet(self, train):
        faint = 100 + train.pixels // 32  # differences of eight grey levels, within the noise of a copy
        detector = CopyDetector.fit(with_pixels(train, faint), people(30, seed=1))
        noise = np.random.default_rng(0).normal(100, 3, faint.shape)
        assert not detector.near_copies(with_pixels(train, in_range(noise))).any()


class TestTheThreshold:
    def test_is_the_noise_that_a_copy_may_carry(self, detector):
        assert detector.threshold == 0.0205
        assert detector.note.startswith("60 held-out images are too few")

    def test_gives_way_to_held_out_images_that_lie_near(self, train):
        alike = with_pixels(train, noisy(train.pixels, sigma=0.015))
        detector = CopyDetector.fit(train, alike)
        assert 0.008 < detector.threshold < 0.0125
        assert detector.false_alarms <= 0.01
        assert "may be missed" in detector.note

    def test_still_finds_exact_copies_where_the_held_out_images_hold_some(self, train):
        detector = CopyDetector.fit(train, train)
        assert detector.threshold == 0.005
        assert detector.near_copies(train).all()
        assert "do the splits share images?" in detector.note

    def test_does_not_depend_on_the_order_of_images(self, train, detector):
        held_out = people(30, seed=1)
        again = CopyDetector.fit(train, held_out.take(np.arange(len(held_out))[::-1]))
        assert np.array_equal(again.held_out.distances, detector.held_out.distances)


class TestAVerdict:
    def test_does_not_depend_on_the_other_images(self, detector, train):
        some = with_pixels(train, noisy(train.pixels, sigma=0.025))
        together = detector.search(some)
        for row in (0, 17, 119):
            alone = detector.search(some.take([row]))
            assert alone.distances[0] == together.distances[row]
            assert alone.second[0] == together.second[row]
            assert alone.rows[0] == together.rows[row]

    def test_names_the_second_nearest_training_image_apart(self, detector, train):
        found = detector.search(train)
        assert (found.distances < 1e-4).all()
        assert (found.second > detector.threshold).all()

    def test_of_no_images_is_empty(self, detector, train):
        assert detector.near_copies(train.take([])).shape == (0,)


class TestWhatCannotBeCompared:
    def test_is_refused(self, tiny):
        with pytest.raises(DataError, match="1 training and 6 held-out images: expected at least 2 and 1"):
            CopyDetector.fit(tiny().take([0]), tiny())
        with pytest.raises(DataError, match="at least 8"):
            CopyDetector.fit(tiny(side=6), tiny(side=6))

    def test_starts_at_eight_pixels(self, tiny):
        detector = CopyDetector.fit(tiny((20, 20)), tiny((20, 20), seed=1))
        assert detector.near_copies(tiny((20, 20))).all()


def test_planted_copies_of_real_radiographs_are_found_at_few_false_alarms(data_root: Path):
    splits = load_dataset("pneumoniamnist", ReadOptions(root=data_root))
    detector = CopyDetector.fit(splits.train, splits.val)
    assert detector.near_copies(splits.test).mean() <= 0.01
    rows = np.random.default_rng(0).choice(len(splits.train), 100, replace=False)
    chosen = splits.train.take(rows)
    for kind in ("exact", "shifted, black border", "mirrored left-right", "10 % brighter", "all at once"):
        assert detector.near_copies(with_pixels(chosen, PLANTED[kind](chosen.pixels))).mean() >= 0.99, kind
