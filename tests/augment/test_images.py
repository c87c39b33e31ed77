"""LabeledImages and Splits: what they refuse, what survives taking and joining."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Splits, concatenate

NAMES = ("normal", "abnormal")


@pytest.mark.parametrize(
    ("pixels", "labels", "says"),
    [
        (np.zeros((2, 8, 8), np.uint8), [0, 1], r"expected \(N, 1 or 3, H, W\)"),
        (np.zeros((2, 4, 8, 8), np.uint8), [0, 1], r"expected \(N, 1 or 3, H, W\)"),
        (np.zeros((2, 1, 8, 8), np.float32), [0, 1], "float32: expected uint8 or uint16"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0, 1, 1], r"2 images, labels \(3,\)"),
        (np.zeros((2, 1, 8, 8), np.uint8), [[0], [1]], r"2 images, labels \(2, 1\)"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0, 2], r"labels 0\.\.2: expected 0\.\.1"),
        (np.zeros((2, 1, 8, 8), np.uint8), [-1, 1], r"labels -1\.\.1: expected 0\.\.1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(pixels, labels, says):
    with pytest.raises(DataError, match=says) as error:
        LabeledImages(pixels, np.array(labels), NAMES)
    assert error.value.exit_status == 4


@pytest.mark.parametrize("column", ["synthetic", "groups", "provenance"])
def test_a_column_of_another_length_is_refused(tiny, column):
    images = tiny((2, 2), synthetic=True, patients=1)
    with pytest.raises(DataError, match=rf"4 images, {column} \(3,\)"):
        replace(images, **{column: getattr(images, column)[:3]})


def test_images_are_real_unless_said_otherwise():
    images = LabeledImages(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), NAMES)
    assert images.synthetic.tolist() == [False, False]


def test_images_and_splits_are_shown_by_their_counts(tiny):
    real, made = tiny((3, 2)), tiny((1, 0), synthetic=True)
    assert repr(real) == "LabeledImages(5 of 1×8×8 uint8; real: {'normal': 3, 'abnormal': 2})"
    both = concatenate([real, made])
    assert repr(both).endswith("real: {'normal': 3, 'abnormal': 2}; synthetic: {'normal': 1, 'abnormal': 0})")
    nothing = real.take([])
    assert repr(Splits(real, nothing, nothing, "few")).startswith("Splits('few', train=LabeledImages(5 of")


def test_taking_keeps_every_column_in_the_order_asked_for(tiny):
    images = tiny((3, 3), synthetic=True, patients=1)
    taken = images.take([4, 0])
    assert (taken.pixels == images.pixels[[4, 0]]).all()
    assert taken.labels.tolist() == images.labels[[4, 0]].tolist()
    assert taken.groups.tolist() == images.groups[[4, 0]].tolist()
    assert taken.provenance["index"].tolist() == [4, 0]


def test_taking_by_a_mask_is_taking_where_it_is_true(tiny):
    images = tiny((3, 2))
    assert images.take(images.labels == 1).digest() == images.of_class(1).digest()


@pytest.mark.parametrize("nothing", [[], np.zeros(6, bool)])
def test_taking_nothing_is_an_empty_set_of_the_same_kind(tiny, nothing):
    empty = tiny((3, 3), patients=1).take(nothing)
    assert len(empty) == 0
    assert empty.pixels.shape == (0, 1, 8, 8)
    assert empty.counts() == {"normal": 0, "abnormal": 0}
    assert list(empty.batches(4)) == []


def test_batches_cover_all_images_in_order(tiny):
    images = tiny((4, 3))
    batches = list(images.batches(3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert concatenate(batches).digest() == images.digest()


def test_digest_depends_on_content_and_on_nothing_else(tiny):
    images = tiny((3, 3))
    assert images.digest() == tiny((3, 3)).digest()
    assert images.digest() == replace(images, groups=np.arange(6).astype(str)).digest()
    brighter = images.pixels.copy()
    brighter[5, 0, 7, 7] ^= 1
    changed = [
        replace(images, pixels=brighter),
        replace(images, labels=1 - images.labels),
        replace(images, class_names=("a", "b")),
        images.take([1, 0, 2, 3, 4, 5]),
    ]
    assert len({images.digest(), *(other.digest() for other in changed)}) == 5


def test_joining_real_and_synthetic_images_keeps_patients_and_origins(tiny):
    real, made = tiny((2, 2), patients=2), tiny((1, 1), synthetic=True)
    joined = concatenate([real, made])
    assert joined.groups.tolist() == [*real.groups.tolist(), "synthetic", "synthetic"]
    assert joined.synthetic.tolist() == [False] * 4 + [True] * 2
    assert joined.provenance["generator"].tolist() == [b""] * 4 + made.provenance["generator"].tolist()


def test_joining_drops_patients_where_they_are_unknown_for_some_real_images(tiny):
    assert concatenate([tiny((2, 2), patients=1), tiny((2, 2), seed=1)]).groups is None


def test_joining_images_without_patients_or_origins_invents_none(tiny):
    joined = concatenate([tiny((2, 2)), tiny((2, 2), seed=1)])
    assert joined.groups is None
    assert joined.provenance is None


def test_joining_refuses_what_differs(tiny):
    images = tiny((2, 2))
    with pytest.raises(DataError, match="expected the same names"):
        concatenate([images, replace(images, class_names=("a", "b"))])
    for other in (tiny((2, 2), side=9), tiny((2, 2), channels=3), tiny((2, 2), dtype=np.uint16)):
        with pytest.raises(DataError, match="expected one shape and depth"):
            concatenate([images, other])


def test_splits_refuse_a_patient_who_is_in_two_of_them(tiny):
    images = tiny((3, 3), patients=1)
    with pytest.raises(DataError, match="clinic: 1 groups in both train and test, the first is anon-"):
        Splits(images.take([0, 1, 2]), images.take([3]), images.take([4, 5, 0]), name="clinic")


def test_splits_may_share_the_group_of_synthetic_images(tiny):
    blended = concatenate([tiny((2, 2), patients=1), tiny((2, 2), synthetic=True)])
    Splits(blended.take([0, 4]), blended.take([1, 5]), blended.take([2, 6]))


def test_splits_change_every_part_alike(tiny):
    images = tiny((2, 2))
    splits = Splits(images, images, images, "x", official=True).map(lambda part: part.of_class(1))
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [2, 2, 2]
    assert (splits.name, splits.official, splits.class_names) == ("x", True, NAMES)
