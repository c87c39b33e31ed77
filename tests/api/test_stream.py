"""A stream of synthetic batches: the same images in the same order, however many workers make them."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import synthaug as sa


def batches(workers: int, **more: object) -> list[tuple[torch.Tensor, torch.Tensor]]:
    stream = sa.SyntheticStream("pneumonia", n_per_class=150, allow_near_copies=True, device="cpu", **more)
    return list(DataLoader(stream, batch_size=None, num_workers=workers))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")
def test_any_number_of_workers_gives_the_same_batches_in_the_same_order():
    alone = batches(0)
    assert [len(labels) for _, labels in alone] == [128, 128, 44]
    for workers in (1, 2, 3):
        others = batches(workers)
        assert len(others) == len(alone)
        for (images, labels), (theirs, their_labels) in zip(alone, others, strict=True):
            assert torch.equal(images, theirs)
            assert torch.equal(labels, their_labels)


def test_its_images_are_those_of_generate():
    stream = sa.SyntheticStream("pneumonia", ["pneumonia"], n_per_class=70, allow_near_copies=True, seed=3)
    made = sa.generate("pneumonia", 70, generator="pneumonia", seed=3, allow_near_copies=True)
    pixels = np.concatenate([stream.batch(number).pixels for number in range(len(stream))])
    assert np.array_equal(pixels, made.pixels)
    assert stream.class_names == ("pneumonia",)


def test_classes_take_turns_and_are_labelled_as_they_were_asked_for():
    stream = sa.SyntheticStream("pneumonia", ["pneumonia", "normal"], n_per_class=64, allow_near_copies=True)
    ((_, labels),) = list(stream)
    assert labels.tolist() == [0, 1] * 64


def test_without_an_end_it_goes_on_and_has_no_length():
    stream = sa.SyntheticStream("pneumonia", allow_near_copies=True)
    assert len(list(itertools.islice(stream, 2))) == 2
    with pytest.raises(TypeError, match="give n_per_class"):
        len(stream)


def test_near_copies_are_left_out_and_the_rest_stays_in_its_place(monkeypatch):
    """The generator's images themselves, taken for training images: every one is a copy of itself."""
    made = sa.generate(per_class=64, generator="pneumonia", allow_near_copies=True)
    known = made.take(np.flatnonzero(made.provenance["index"] < 10))
    plain = known.take(np.arange(len(known)))
    real = sa.LabeledImages(plain.pixels, plain.labels, plain.class_names)
    splits = sa.Splits(real, real.take(np.arange(4)), real.take([]), "known images")
    batch = sa.SyntheticStream("pneumonia", n_per_class=64, training_images=splits).batch(0)
    assert sorted(set(batch.provenance["index"].tolist())) == list(range(10, 64))


def test_a_wrong_number_or_class_is_refused():
    with pytest.raises(sa.UsageError, match="at least 1"):
        sa.SyntheticStream("pneumonia", n_per_class=0)
    with pytest.raises(sa.UsageError, match="no class 'cat'"):
        sa.SyntheticStream("pneumonia", ["cat"])
