"""Features: streamed, kept by content, never computed twice for the same images."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.fidelity.features import BATCH, Extractor, Features
from synthaug.evaluation.score import Protocol


def means(images: LabeledImages) -> Features:
    flat = images.pixels.reshape(len(images), -1).astype(np.float32)
    return Features(np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1))


class Counting:
    """An extractor's function that remembers how many images it was shown."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, images: LabeledImages) -> Features:
        self.seen.append(len(images))
        return means(images)


@pytest.fixture
def counting(monkeypatch, tmp_path) -> Counting:
    monkeypatch.setenv("SYNTHAUG_CACHE", str(tmp_path))
    return Counting()


def extractor(function, name: str = "means") -> Extractor:
    return Extractor(Protocol(name, "mean and deviation", "as they are", "", 2), function)


def test_images_are_put_through_the_network_once(counting, tiny):
    images = tiny((20, 20))
    first = extractor(counting).extract(images)
    again = extractor(counting).extract(images.take(np.arange(40)))
    assert counting.seen == [40]
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.vectors, means(images).vectors)


def test_other_images_or_another_protocol_are_computed_anew(counting, tiny):
    images = tiny((20, 20))
    extractor(counting).extract(images)
    extractor(counting, "other means").extract(images)
    extractor(counting).extract(images.take(np.arange(39, -1, -1)))
    extractor(counting).extract(replace(images, pixels=images.pixels ^ 1))
    assert counting.seen == [40] * 4


def test_features_do_not_depend_on_labels(counting, tiny):
    images = tiny((20, 20))
    extractor(counting).extract(images)
    extractor(counting).extract(replace(images, labels=1 - images.labels))
    assert counting.seen == [40]


def test_images_pass_by_in_batches_of_one_size(counting, tiny):
    images = tiny((BATCH, 10))
    found = extractor(counting).extract(images)
    assert counting.seen == [BATCH, 10]
    assert found.vectors.shape == (BATCH + 10, 2)
    assert isinstance(found.vectors, np.memmap)


def test_a_crash_on_the_way_leaves_nothing_that_could_be_taken_for_features(counting, tiny):
    images = tiny((BATCH, 10))

    def fails(batch: LabeledImages) -> Features:
        if len(batch) < BATCH:
            raise KeyboardInterrupt
        return means(batch)

    with pytest.raises(KeyboardInterrupt):
        extractor(fails).extract(images)
    assert np.array_equal(extractor(counting).extract(images).vectors, means(images).vectors)
    assert counting.seen == [BATCH, 10]


def test_some_rows_of_features_keep_their_logits():
    features = Features(np.arange(6.0).reshape(3, 2), np.arange(3.0)[:, None])
    taken = features.take(np.array([2, 0]))
    assert taken.vectors.tolist() == [[4, 5], [0, 1]]
    assert taken.logits is not None
    assert taken.logits.tolist() == [[2], [0]]
