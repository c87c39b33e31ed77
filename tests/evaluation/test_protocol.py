"""Which images are held against which."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.protocol import by_content, comparable_sets, left_out, parts_of


@pytest.fixture(scope="module")
def splits() -> Splits:
    train, val, test = (
        replace(phantom([n, n], size=28, seed=seed), groups=None) for seed, n in ((0, 30), (1, 15), (2, 10))
    )
    return Splits(train, val, test, name="phantom")


def made(normal: int, abnormal: int, seed: int = 9) -> LabeledImages:
    return phantom([normal, abnormal], size=28, seed=seed)


def sizes(splits: Splits, synthetic: LabeledImages) -> dict[str, tuple[int, int, int]]:
    parts = parts_of(comparable_sets(splits, synthetic))
    return {part.name: (len(part.reference), len(part.floor), len(part.synthetic)) for part in parts}


def test_the_test_split_takes_no_part(splits):
    shown = {
        pixels.tobytes() for _, s in comparable_sets(splits, made(20, 20)).items() for pixels in s.pixels
    }
    assert not shown & {pixels.tobytes() for pixels in splits.test.pixels}


def test_floor_and_synthetic_are_equally_many_in_every_part(splits):
    assert sizes(splits, made(40, 12)) == {
        "overall": (60, 24, 24),
        "normal": (30, 15, 15),
        "abnormal": (30, 12, 12),
    }


def test_overall_has_the_class_mix_of_the_held_out_images(splits):
    sets = comparable_sets(splits, made(12, 40))
    overall = parts_of(sets)[0]
    assert np.bincount(sets.synthetic.labels[overall.synthetic]).tolist() == [12, 12]
    assert np.bincount(sets.floor.labels[overall.floor]).tolist() == [12, 12]


def test_a_class_of_a_few_images_is_left_out_and_named(splits):
    sets = comparable_sets(splits, made(20, 9))
    parts = parts_of(sets)
    assert [part.name for part in parts] == ["normal"]
    assert left_out(sets, parts) == {"abnormal": 9}


def test_no_class_of_ten_images_is_refused(splits):
    with pytest.raises(DataError, match=r"'normal': 9, 'abnormal': 9.*expected 10 images of a class"):
        parts_of(comparable_sets(splits, made(9, 9)))


def test_images_that_are_not_square_are_refused(splits):
    wide = splits.map(lambda part: replace(part, pixels=part.pixels[:, :, :20]))
    with pytest.raises(DataError, match="images of 20×28 pixels: expected square ones, give --size"):
        comparable_sets(wide, made(20, 20))


def test_a_limit_keeps_the_shares_of_classes_and_up_to_fifty_of_a_rare_one(splits):
    images = made(400, 60)
    found = comparable_sets(splits, images, largest=200).synthetic.counts()
    assert found == {"normal": 400 * 200 // 460, "abnormal": 50}


def test_synthetic_images_come_to_the_bit_depth_of_the_real_ones(splits):
    images = made(20, 20)
    deep = replace(images, pixels=images.pixels.astype(np.uint16) * np.uint16(257))
    found = comparable_sets(splits, deep).synthetic.pixels
    assert found.dtype == np.uint8
    assert sorted(p.tobytes() for p in found) == sorted(p.tobytes() for p in images.pixels)


def test_too_few_images_are_refused(splits):
    with pytest.raises(DataError, match="9 synthetic images, 30 held-out real ones: expected at least 10"):
        comparable_sets(splits, made(5, 4))


def test_the_choice_of_images_does_not_depend_on_their_order(splits):
    images = made(40, 40)
    order = np.random.default_rng(0).permutation(len(images))
    first, second = (comparable_sets(splits, i, largest=20).synthetic for i in (images, images.take(order)))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.labels, second.labels)


def test_another_seed_chooses_other_images():
    images = made(40, 40)
    same, again, other = (by_content(images, 20, seed).pixels for seed in (0, 0, 1))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_synthetic_images_come_to_the_size_channels_and_classes_of_the_real_ones(splits):
    images = made(20, 20)
    large = replace(
        images,
        pixels=images.pixels.repeat(2, axis=2).repeat(2, axis=3).repeat(3, axis=1),
        labels=1 - images.labels,
        class_names=("Abnormal", "Normal"),
    )
    found = comparable_sets(splits, large).synthetic
    assert found.image_shape == splits.train.image_shape
    assert found.class_names == splits.class_names
    assert found.counts() == {"normal": 20, "abnormal": 20}
    means = {label: found.pixels[found.labels == label].mean() for label in (0, 1)}
    assert means[0] == pytest.approx(images.pixels[images.labels == 0].mean(), abs=1)
    assert means[1] == pytest.approx(images.pixels[images.labels == 1].mean(), abs=1)


def test_other_classes_are_refused(splits):
    cats = replace(splits.val, class_names=("cat", "dog"))
    with pytest.raises(DataError, match="synthetic classes cat, dog: expected names among normal, abnormal"):
        comparable_sets(splits, cats)
