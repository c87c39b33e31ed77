"""The built-in phantom: counts and bytes as promised, anatomy in its place, a task that is not trivial."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from synthaug.augment.datasets.phantom import CLASS_NAMES, phantom
from synthaug.augment.errors import UsageError


@pytest.fixture(scope="module")
def population():
    return phantom((150, 150), size=32, seed=3)


def mean_normal(population):
    return population.of_class(0).pixels[:, 0].mean(axis=0)


def test_counts_per_class_are_exact():
    images = phantom({"normal": 5, "abnormal": 2}, size=16)
    assert images.counts() == {"normal": 5, "abnormal": 2}
    assert images.labels.tolist() == [0] * 5 + [1] * 2


def test_a_sequence_counts_in_the_order_of_the_class_names():
    assert phantom([1, 3], size=16).counts() == {"normal": 1, "abnormal": 3}


def test_a_class_left_out_has_no_images_but_keeps_its_name():
    images = phantom({"abnormal": 2}, size=16)
    assert images.counts() == {"normal": 0, "abnormal": 2}
    assert images.class_names == CLASS_NAMES


@pytest.mark.parametrize("counts", [(0, 0), {}])
def test_nothing_asked_for_is_an_empty_set_of_the_right_shape(counts):
    assert phantom(counts, size=20).pixels.shape == (0, 1, 20, 20)


def test_asking_for_more_images_keeps_the_first_ones():
    few, many = phantom((2, 3), size=28, seed=4), phantom((6, 5), size=28, seed=4)
    for label in range(2):
        few_pixels, many_pixels = few.of_class(label).pixels, many.of_class(label).pixels
        assert np.array_equal(few_pixels, many_pixels[: len(few_pixels)])


def test_the_same_call_gives_the_same_bytes():
    assert phantom((2, 2), size=28, seed=1).digest() == phantom((2, 2), size=28, seed=1).digest()


def test_another_seed_gives_other_patients():
    first, second = phantom((4, 4), size=16, seed=0), phantom((4, 4), size=16, seed=1)
    assert not set(first.groups) & set(second.groups)
    assert not any(np.array_equal(a, b) for a in first.pixels for b in second.pixels)


def test_every_image_is_another_patient(population):
    assert len(set(population.groups)) == len(population)
    assert len(np.unique(population.pixels.reshape(len(population), -1), axis=0)) == len(population)


def test_no_image_claims_to_come_from_a_generator(population):
    assert not population.synthetic.any()


@pytest.mark.parametrize("size", [16, 28, 33, 64, 128])
def test_any_size_is_drawn_in_full_contrast(size):
    pixels = phantom((1, 1), size=size).pixels
    assert pixels.shape == (2, 1, size, size)
    assert pixels.dtype == np.uint8
    assert np.ptp(pixels, axis=(1, 2, 3)).min() > 120


def test_another_size_shows_the_same_patients():
    large, small = phantom((3, 3), size=64).pixels, phantom((3, 3), size=32).pixels
    reduced = large.reshape(6, 1, 32, 2, 32, 2).mean(axis=(3, 5))
    likeness = np.corrcoef(reduced.reshape(6, -1), small.reshape(6, -1))[:6, 6:]
    assert likeness.argmax(axis=1).tolist() == list(range(6))
    assert np.diag(likeness).min() > 0.97


def test_lungs_are_darker_than_mediastinum(population):
    normal = population.of_class(0).pixels[:, 0].astype(float)
    right, middle, left = normal[:, 10:18, 7:11], normal[:, 10:18, 14:18], normal[:, 10:18, 21:25]
    assert (right.mean(axis=(1, 2)) + 30 < middle.mean(axis=(1, 2))).all()
    assert (left.mean(axis=(1, 2)) + 30 < middle.mean(axis=(1, 2))).all()


def test_the_heart_lies_to_the_right_of_the_image(population):
    chest = mean_normal(population)
    assert chest[18:23, 18:22].mean() > chest[18:23, 10:14].mean() + 30


def test_the_diaphragm_is_higher_on_the_left_of_the_image(population):
    chest = mean_normal(population)
    assert chest[24:26, 8:12].mean() > chest[24:26, 22:26].mean() + 5


def test_the_corners_beside_the_neck_are_air(population):
    chest = mean_normal(population)
    assert max(chest[0, 0], chest[0, -1]) < 40


def test_abnormal_lungs_are_whiter_on_average_and_more_varied(population):
    lungs = np.s_[:, 0, 8:24, [7, 8, 9, 10, 21, 22, 23, 24]]
    normal, abnormal = population.of_class(0).pixels[lungs], population.of_class(1).pixels[lungs]
    assert abnormal.mean() > normal.mean() + 5
    assert abnormal.std(axis=0).mean() > normal.std(axis=0).mean()


def test_classes_are_not_separated_by_brightness_alone(population):
    brightness = population.pixels.mean(axis=(1, 2, 3))
    assert 0.35 < roc_auc_score(population.labels, brightness) < 0.65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_per_class": (3, -1)}, "-1 abnormal images: expected 0 or more, .*ask for"),
        ({"n_per_class": (3, 1.5)}, "1.5 abnormal images: expected .*whole number"),
        ({"n_per_class": (3,)}, "1 counts: expected one for each of .*give both"),
        ({"n_per_class": {"sick": 3}}, "class 'sick': expected one of .*normal.*use"),
        ({"n_per_class": (1, 1), "size": 8}, "size 8: expected .*at least 16.*choose"),
        ({"n_per_class": (1, 1), "seed": -1}, "seed -1: expected 0 or more, choose"),
    ],
)
def test_a_wrong_argument_names_what_was_found_and_the_fix(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        phantom(**arguments)
    assert "\n" not in str(caught.value)
