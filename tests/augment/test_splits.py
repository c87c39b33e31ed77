"""Drawn splits: stratified, group-wise, reproducible, and without one image in two parts."""

import logging
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.fingerprint import image_fingerprints
from synthaug.augment.images import concatenate
from synthaug.augment.splits import (
    carve_validation,
    draw_splits,
    labelled_subset,
    official_splits,
    recorded_splits,
    whole_groups,
    with_rare_class,
)


def parts(splits):
    return splits.train, splits.val, splits.test


def test_a_drawn_split_holds_every_image_once_and_each_class_in_proportion(tiny):
    splits = draw_splits(tiny((80, 40)), "x", val=0.1, test=0.2)
    assert [list(part.counts().values()) for part in parts(splits)] == [[56, 28], [8, 4], [16, 8]]
    together = image_fingerprints(concatenate(parts(splits)))
    assert sorted(together) == sorted(image_fingerprints(tiny((80, 40))))
    assert not splits.official


def test_the_same_seed_gives_the_same_split_and_another_seed_another(tiny):
    images = tiny((30, 30))
    digests = [draw_splits(images, "x", seed=seed).test.digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_split_of_images_without_patients_is_what_it_has_always_been(tiny):
    """Generators and published results rest on which images land in which part."""
    images = replace(tiny((30, 30)), pixels=np.arange(60 * 64, dtype=np.uint16).reshape(60, 1, 8, 8))
    test = draw_splits(images, "x").test
    assert (test.pixels[:, 0, 0, 0] // 64).tolist() == [0, 13, 15, 18, 19, 22, 37, 48, 50, 51, 52, 57]


def test_patients_stay_whole(tiny):
    images = tiny((60, 60), patients=3)
    splits = draw_splits(images, "x")
    who = [set(part.groups.tolist()) for part in parts(splits)]
    assert all(one.isdisjoint(other) for one, other in combinations(who, 2))
    assert sum(len(part) for part in parts(splits)) == 120


def test_exact_duplicates_stay_together(tiny):
    images = tiny((30, 30))
    twice = images.take(np.repeat(np.arange(60), 2))
    prints = [set(image_fingerprints(part).tolist()) for part in parts(draw_splits(twice, "x"))]
    assert all(one.isdisjoint(other) for one, other in combinations(prints, 2))


def test_exact_duplicates_stay_together_where_some_patients_are_known(tiny):
    images = tiny((30, 30))
    twice = images.take(np.repeat(np.arange(60), 2))
    named = replace(twice, groups=np.array([f"file {k}" if k else "P1" for k in range(120)]))
    prints = [set(image_fingerprints(part).tolist()) for part in parts(draw_splits(named, "x"))]
    assert all(one.isdisjoint(other) for one, other in combinations(prints, 2))


def test_black_images_do_not_make_all_patients_one(tiny):
    images = tiny((20, 20), patients=2)
    images.pixels[::2] = 0
    assert len(np.unique(whole_groups(images))) == 20


def test_synthetic_images_only_ever_train(tiny):
    real, made = tiny((20, 20)), tiny((10, 10), synthetic=True)
    splits = draw_splits(concatenate([made, real]), "x")
    assert [int(part.synthetic.sum()) for part in parts(splits)] == [20, 0, 0]
    assert splits.test.digest() == draw_splits(real, "x").test.digest()


def test_synthetic_images_alone_are_no_data_set(tiny):
    with pytest.raises(DataError, match="x: found synthetic images only"):
        draw_splits(tiny((20, 20), synthetic=True), "x")


@pytest.mark.parametrize("counts", [(20, 1), (20, 2), (2, 2)])
def test_a_class_too_small_for_three_parts_is_an_error_with_its_count(tiny, counts):
    with pytest.raises(DataError, match=rf"too few .*abnormal {counts[1]}"):
        draw_splits(tiny(counts), "x")


def test_many_images_of_one_patient_are_too_few_patients(tiny):
    with pytest.raises(DataError, match="patients per class"):
        draw_splits(tiny((40, 40), patients=40), "x")


def test_official_splits_leave_copies_in_the_part_that_is_touched_last(tiny, caplog):
    images = tiny((10, 10))
    train, val, test = images.take(range(12)), images.take(range(10, 16)), images.take([0, 1, 15, 16, 17])
    with caplog.at_level(logging.WARNING, logger="synthaug"):
        splits = official_splits(train, val, test, "atlas")
    assert splits.official
    assert splits.test.digest() == test.digest()
    assert splits.val.digest() == images.take(range(10, 15)).digest()
    assert splits.train.digest() == images.take(range(2, 10)).digest()
    said = " | ".join(record.getMessage() for record in caplog.records)
    assert "atlas: left 1 images out of val" in said
    assert "atlas: left 4 images out of train" in said


def test_official_splits_without_copies_stay_as_they_are(tiny, caplog):
    images = tiny((10, 10))
    splits = official_splits(images.take(range(12)), images.take([12, 13]), images.take(range(14, 20)), "x")
    assert [len(part) for part in parts(splits)] == [12, 2, 6]
    assert not caplog.records


def test_a_labelled_subset_is_a_stratified_part_of_whole_patients(tiny):
    images = tiny((80, 40), patients=2)
    subset = labelled_subset(images, 0.25, seed=0)
    assert list(subset.counts().values()) == [20, 10]
    rest = set(images.groups.tolist()) - set(subset.groups.tolist())
    assert len(rest) == 60 - 15


def test_labelled_subsets_depend_on_the_seed_only(tiny):
    images = tiny((40, 40))
    digests = [labelled_subset(images, 0.2, seed).digest() for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]


def test_all_labels_are_all_images(tiny):
    images = tiny((4, 4))
    assert labelled_subset(images, 1.0, seed=0) is images


def test_a_subset_without_room_for_every_class_is_an_error(tiny):
    with pytest.raises(DataError, match="too few images or patients per class"):
        labelled_subset(tiny((10, 10)), 0.01, seed=0)


def test_a_carved_validation_part_is_no_longer_in_train(tiny):
    images = tiny((20, 20))
    train, val = carve_validation(images, 0.1, seed=0)
    assert (len(train), len(val)) == (36, 4)
    assert not np.isin(image_fingerprints(val), image_fingerprints(train)).any()


class TestARareClass:
    def test_one_class_loses_images_and_the_others_none(self, tiny):
        images = tiny((40, 40))
        name = images.class_names[1]
        rare = with_rare_class(images, name, 0.1)
        assert list(rare.counts().values()) == [40, 4]
        assert set(image_fingerprints(rare).tolist()) <= set(image_fingerprints(images).tolist())

    def test_whole_patients_go(self, tiny):
        images = tiny((60, 60), patients=3)
        rare = with_rare_class(images, images.class_names[0], 0.3)
        of_class = images.labels == 0
        kept = set(rare.groups[rare.labels == 0].tolist())
        assert sum(np.isin(images.groups[of_class], list(kept))) == rare.counts()[images.class_names[0]]

    def test_the_same_seed_keeps_the_same_images_and_another_others(self, tiny):
        images = tiny((40, 40))
        name = images.class_names[1]
        digests = [with_rare_class(images, name, 0.2, seed).digest() for seed in (0, 0, 1)]
        assert digests[0] == digests[1] != digests[2]

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_a_share_that_is_none_is_refused(self, tiny, share):
        images = tiny((4, 4))
        with pytest.raises(UsageError, match="expected a class among"):
            with_rare_class(images, images.class_names[0], share)

    def test_a_class_that_is_not_there_is_refused(self, tiny):
        with pytest.raises(UsageError, match="expected a class among"):
            with_rare_class(tiny((4, 4)), "unheard of", 0.5)

    def test_too_few_images_are_said(self, tiny):
        images = tiny((40, 1))
        with pytest.raises(DataError, match="too few images or patients"):
            with_rare_class(images, images.class_names[1], 0.05)


class TestRecordedSplits:
    """What the images say of themselves."""

    @pytest.fixture
    def divided(self, tiny):
        images = tiny((30, 30))
        return lambda *parts: replace(images, split=np.resize(np.repeat(parts, 2), len(images)))

    def test_are_kept(self, divided):
        images = divided("train", "val", "test")
        splits = recorded_splits(images, "x")
        assert splits.official
        assert [part.split[0] for part in parts(splits)] == ["train", "val", "test"]
        assert sum(map(len, parts(splits))) == len(images)

    def test_never_lend_test_images_to_training(self, divided):
        for held_out in (["test"], ["val", "test"]):
            with pytest.raises(DataError, match=r"images only, expected some of train"):
                recorded_splits(divided(*held_out), "x")

    def test_are_drawn_anew_with_a_word_where_nothing_is_in_test(self, divided, caplog):
        splits = recorded_splits(divided("train", "val"), "x")
        assert not splits.official
        assert "no image of it is in test" in caplog.text

    def test_are_drawn_where_all_is_train(self, divided, caplog):
        assert not recorded_splits(divided("train"), "x").official
        assert not caplog.text

    def test_put_synthetic_images_into_train(self, divided, tiny):
        images = concatenate([divided("train", "test"), tiny((3, 3), synthetic=True, seed=4)])
        splits = recorded_splits(images, "x")
        assert splits.train.synthetic.sum() == 6
        assert not splits.test.synthetic.any()
