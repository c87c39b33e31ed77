"""A classifier that begins from given weights: looked at first, kept where training makes it worse."""

from dataclasses import replace

import pytest
import torch
from classifier_fixtures import FABRIC, QUICK, TRAIN, VAL, bright_or_dark

from synthaug.augment.errors import DataError
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.training import TrainedClassifier, train_classifier


@pytest.fixture(scope="module")
def donor() -> TrainedClassifier:
    """Trained on many images of its own."""
    config = replace(QUICK, steps=40, batch_size=16, interval=10)
    return train_classifier(bright_or_dark(60, 60, seed=5), VAL, config, FABRIC)


class TestAStart:
    def test_is_looked_at_before_the_first_step(self, donor):
        start = donor.network.state_dict()
        trained = train_classifier(TRAIN, VAL, QUICK, FABRIC, start=start)
        assert [look["step"] for look in trained.history] == [0, 3, 6]
        first = trained.history[0]
        assert first == {"step": 0.0} | {key: donor.best[key] for key in ("val_auroc", "val_loss")}
        assert all("loss" in look for look in trained.history[1:])

    def test_is_kept_where_training_makes_it_worse(self, donor):
        config = replace(QUICK, steps=3, interval=1, lr=0.5)  # which breaks anything
        start = {key: tensor.clone() for key, tensor in donor.network.state_dict().items()}
        trained = train_classifier(TRAIN, VAL, config, FABRIC, start=start)
        assert all(look["val_auroc"] < donor.best["val_auroc"] for look in trained.history[1:])
        assert trained.best["step"] == 0
        kept = trained.network.state_dict()
        assert all(torch.equal(kept[key], start[key]) for key in start)

    def test_that_can_be_made_better_is(self):
        weak = train_classifier(TRAIN, VAL, replace(QUICK, steps=1), FABRIC).network.state_dict()
        trained = train_classifier(TRAIN, VAL, replace(QUICK, steps=40, interval=10), FABRIC, start=weak)
        assert trained.best["step"] > 0
        assert trained.best["val_auroc"] > trained.history[0]["val_auroc"]

    def test_has_a_learning_rate_schedule_of_its_own(self):
        # the initial weights of the seed, given, are the training without them: nothing else is carried over
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(QUICK.seed)
            fresh = build_classifier(QUICK.name, num_classes=2, channels=1, image_size=28).state_dict()
        scratch = train_classifier(TRAIN, VAL, QUICK, FABRIC)
        given = train_classifier(TRAIN, VAL, QUICK, FABRIC, start=fresh)
        assert given.history[1:] == scratch.history

    def test_keeps_its_own_weights(self, donor):
        before = {key: tensor.clone() for key, tensor in donor.network.state_dict().items()}
        train_classifier(TRAIN, VAL, QUICK, FABRIC, start=donor.network.state_dict())
        after = donor.network.state_dict()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert not donor.network.training

    @pytest.mark.parametrize(
        ("classes", "channels", "name"), [(3, 1, QUICK.name), (2, 3, QUICK.name), (2, 1, "timm/test_resnet")]
    )
    def test_of_another_classifier_is_refused_in_one_line(self, classes, channels, name):
        other = build_classifier(name, num_classes=classes, channels=channels, image_size=28).state_dict()
        with pytest.raises(DataError, match=r"small-resnet of 2 classes and 1 channels at 28 px") as caught:
            train_classifier(TRAIN, VAL, QUICK, FABRIC, start=other)
        assert "\n" not in str(caught.value)

    def test_with_a_tensor_too_many_is_refused(self, donor):
        more = donor.network.state_dict() | {"head.weight": torch.zeros(2)}
        with pytest.raises(DataError, match=r"head.weight is .*no such tensor"):
            train_classifier(TRAIN, VAL, QUICK, FABRIC, start=more)
