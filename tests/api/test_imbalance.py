"""`GANSampler` in imbalanced-learn's conventions."""

from collections import Counter

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from imblearn.utils import check_sampling_strategy
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from tiny_images import tiny_images

import synthaug as sa
from synthaug.augment.balance import sampling_plan
from synthaug.imbalance import GANSampler


@pytest.fixture
def arrays():
    """30 normal and 12 pneumonia images of noise, (N, 1, 28, 28)."""
    images = tiny_images((30, 12), side=28, class_names=("normal", "pneumonia"))
    return images.pixels, np.array(images.class_names)[images.labels]


class TestResampling:
    def test_fills_up_the_minority_with_images_behind_those_given(self, arrays):
        pixels, labels = arrays
        sampler = GANSampler(generator="pneumonia")
        more, all_labels = sampler.fit_resample(pixels, labels)
        assert np.array_equal(more[:42], pixels)
        assert Counter(all_labels.tolist()) == {"normal": 30, "pneumonia": 30}
        assert (all_labels[42:] == "pneumonia").all()
        made = sa.generate("pneumonia", 18, generator="pneumonia")
        assert np.array_equal(more[42:], made.pixels)
        assert sampler.sampling_strategy_ == {"normal": 0, "pneumonia": 18}

    @pytest.mark.parametrize(
        ("change", "shape"),
        [
            (lambda x: x.reshape(len(x), -1), (28, 28)),
            (lambda x: x.transpose(0, 2, 3, 1), None),
            (lambda x: x[:, 0], None),
            (lambda x: (x / 255).astype(np.float32), None),
            (lambda x: (x / 255).reshape(len(x), -1), (1, 28, 28)),
        ],
    )
    def test_keeps_layout_and_type(self, arrays, change, shape):
        pixels, labels = arrays
        given = change(pixels)
        more, _ = GANSampler(generator="pneumonia", shape=shape).fit_resample(given, labels)
        assert more.dtype == given.dtype
        assert more.shape == (60, *given.shape[1:])
        assert np.array_equal(more[:42], given)
        expected = change(sa.generate("pneumonia", 18, generator="pneumonia").pixels)
        assert np.allclose(more[42:], expected, atol=1e-6)

    def test_stands_in_a_pipeline_and_can_be_cloned(self, arrays):
        pixels, labels = arrays
        flat = pixels.reshape(len(pixels), -1)
        sampler = clone(GANSampler(generator="pneumonia", shape=(28, 28)))
        fitted = Pipeline([("gan", sampler), ("classifier", DummyClassifier())]).fit(flat, labels)
        assert fitted.predict(flat).shape == (42,)

    def test_whole_numbers_stand_for_the_generators_classes_in_order(self, arrays):
        pixels, labels = arrays
        numbers = (labels == "pneumonia").astype(int)
        _, after = GANSampler(generator="pneumonia").fit_resample(pixels, numbers)
        assert Counter(after.tolist()) == {0: 30, 1: 30}

    def test_classes_can_be_named(self, arrays):
        pixels, labels = arrays
        ours = np.where(labels == "pneumonia", "ill", "well")
        with pytest.raises(sa.UsageError, match="give class_names"):
            GANSampler(generator="pneumonia").fit_resample(pixels, ours)
        named = GANSampler(generator="pneumonia", class_names={"ill": "pneumonia", "well": "normal"})
        _, after = named.fit_resample(pixels, ours)
        assert Counter(after.tolist()) == {"ill": 30, "well": 30}

    @pytest.mark.slow
    def test_trains_a_generator_of_its_own(self):
        images = tiny_images((40, 12), side=16)
        sampler = GANSampler(preset="dcgan", steps=3)
        more, labels = sampler.fit_resample(images.pixels, images.labels)
        assert more.shape == (80, 1, 16, 16)
        assert Counter(labels.tolist()) == {0: 40, 1: 40}
        assert sampler.generator_.complete


class TestWhatIsRefused:
    def test_images_it_cannot_tell(self, arrays):
        pixels, labels = arrays
        for wrong, message in [
            (pixels.reshape(42, -1), "expected shape="),
            (pixels.astype(np.int64), "expected uint8"),
            (pixels / 100.0, "floats from 0 to 1"),
            (np.full((42, 28, 28), np.nan), "NaN or Inf"),
        ]:
            with pytest.raises(sa.DataError, match=message):
                GANSampler(generator="pneumonia").fit_resample(wrong, labels)

    def test_labels_of_one_class_or_too_few(self, arrays):
        pixels, _ = arrays
        for labels in (np.zeros(42), np.zeros((42, 1)), np.arange(10)):
            with pytest.raises(sa.DataError, match="expected one label"):
                GANSampler(generator="pneumonia").fit_resample(pixels, labels)

    @pytest.mark.parametrize("strategy", ["majority", {"cat": 3}, {"normal": 3}, ["cat"], 1.5, None])
    def test_a_strategy_that_is_none(self, arrays, strategy):
        with pytest.raises(sa.UsageError):
            GANSampler(generator="pneumonia", sampling_strategy=strategy).fit_resample(*arrays)


@pytest.mark.parametrize("counts", [(30, 12), (5, 5), (7, 30, 12), (4, 9, 9)])
@pytest.mark.parametrize("strategy", ["minority", "not minority", "not majority", "all", "auto"])
def test_the_words_mean_what_they_mean_in_imbalanced_learn(counts, strategy):
    labels = np.repeat(np.arange(len(counts)), counts)
    theirs = check_sampling_strategy(strategy, labels, "over-sampling")
    assert sampling_plan(labels, len(counts), strategy) == [theirs.get(k, 0) for k in range(len(counts))]


@pytest.mark.parametrize("strategy", [0.5, 0.8, 1.0, {0: 40, 1: 20}, {1: 13}])
def test_numbers_and_totals_too(strategy):
    labels = np.repeat([0, 1], (30, 12))
    theirs = check_sampling_strategy(strategy, labels, "over-sampling")
    assert sampling_plan(labels, 2, strategy) == [theirs.get(k, 0) for k in range(2)]
