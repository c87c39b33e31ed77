"""`train_classifier` on images in memory, and what its classifier will score."""

import numpy as np
import pytest
from tiny_images import tiny_images

import synthaug as sa


@pytest.fixture(scope="module")
def classifier():
    return sa.train_classifier(tiny_images((12, 12)), tiny_images((6, 6), seed=1), steps=1, device="cpu")


def test_probabilities_of_a_row_sum_to_one(classifier):
    probabilities = classifier.predict(tiny_images((3, 2), seed=2))
    assert probabilities.shape == (5, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_it_scores_images_that_it_has_not_seen(classifier):
    scores = classifier.score(tiny_images((10, 10), seed=3))
    assert 0 <= scores["AUROC"].low <= scores["AUROC"].value <= scores["AUROC"].high <= 1


def test_it_does_not_score_its_own_training_images(classifier):
    test = sa.LabeledImages(
        np.concatenate([tiny_images((12, 12)).pixels[:1], tiny_images((2, 2), seed=3).pixels]),
        np.array([0, 0, 0, 1, 1]),
        classifier.class_names,
    )
    with pytest.raises(sa.GateError, match="1 of 5 test images are training images of this classifier"):
        classifier.score(test)


def test_images_that_only_resemble_training_images_are_scored(classifier):
    """Radiographs resemble each other: only equal pixels are the same image."""
    pixels = tiny_images((12, 12)).pixels.copy()
    pixels[..., 3, 3] ^= 8
    almost = sa.LabeledImages(pixels, tiny_images((12, 12)).labels, classifier.class_names)
    assert classifier.score(almost)["AUROC"].value >= 0


def test_it_is_shown_by_its_name_and_validation_auroc(classifier):
    assert repr(classifier).startswith("Classifier('small-resnet', step 1, validation AUROC ")
