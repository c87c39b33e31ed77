"""Classifiers: four libraries by name, trained to the same bytes twice, chosen on validation images."""

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import classical_augmentation, to_unit_range
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.batches import Batches
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig, train_classifier

FABRIC = Fabric(accelerator="cpu", devices=1)
QUICK = ClassifierConfig(steps=6, batch_size=8, interval=2, augment=False)
FAMILIES = ["small-resnet", "timm/test_resnet", "torchvision/mobilenet_v3_small", "monai/DenseNet121"]


def bright_or_dark(dark: int, bright: int, *, seed: int = 0, contrast: float = 40) -> LabeledImages:
    """Noise about one of two grey levels, 28 px: a task that a few steps can learn."""
    labels = np.repeat([0, 1], [dark, bright])
    noise = np.random.default_rng(seed).normal(0, 25, (len(labels), 1, 28, 28))
    level = np.where(labels == 1, 128 + contrast, 128 - contrast)
    pixels = (noise + level[:, None, None, None]).clip(0, 255).astype(np.uint8)
    return LabeledImages(pixels, labels, ("dark", "bright"))


TRAIN, VAL = bright_or_dark(20, 20), bright_or_dark(10, 10, seed=1)


def batches(train: LabeledImages, *, size: int = 8, **options) -> Batches:
    return Batches(train, torch.from_numpy(train.labels), size=size, seed=0, **options)


class TestABuiltClassifier:
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("name", FAMILIES)
    def test_gives_one_logit_per_class_at_28_pixels(self, name, channels):
        network = build_classifier(name, num_classes=3, channels=channels, image_size=28)
        assert network.training
        assert network(torch.rand(2, channels, 28, 28)).shape == (2, 3)

    @pytest.mark.parametrize("size", [32, 33, 128])
    def test_of_the_default_kind_takes_any_size(self, size):
        network = build_classifier("small-resnet", num_classes=2, channels=1, image_size=size)
        assert network(torch.rand(2, 1, size, size)).shape == (2, 2)
        assert sum(p.numel() for p in network.parameters()) < 350_000

    def test_has_seen_no_image_yet(self):
        state = build_classifier("small-resnet", num_classes=2, channels=1, image_size=28).state_dict()
        assert all(not seen for name, seen in state.items() if name.endswith("num_batches_tracked"))

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("resnet18", "no classifier 'resnet18': expected small-resnet, timm/<model>"),
            ("timm/", "no classifier 'timm/'"),
            ("keras/resnet18", "no classifier 'keras/resnet18'"),
            ("timm/resnet19", "no timm model 'resnet19'"),
            ("torchvision/resnet19", "no torchvision model 'resnet19'"),
            ("monai/DenseNet122", "no MONAI network 'DenseNet122'"),
            ("monai/UNet", "classifier 'monai/UNet' at 28 px"),
            ("torchvision/alexnet", "classifier 'torchvision/alexnet' at 28 px"),  # wants 63 px
            ("torchvision/squeezenet1_1", "has no linear layer"),
        ],
    )
    def test_that_cannot_be_is_refused_in_one_line(self, name, reason):
        with pytest.raises(UsageError, match=reason) as caught:
            build_classifier(name, num_classes=2, channels=1, image_size=28)
        assert "\n" not in str(caught.value)


class TestTraining:
    def test_learns_an_easy_task_in_a_few_steps(self):
        assert train_classifier(TRAIN, VAL, replace(QUICK, steps=10), FABRIC).best["val_auroc"] > 0.95

    @pytest.mark.parametrize("steps", [1, 2, 10, 11])
    def test_takes_any_number_of_steps(self, steps):
        history = train_classifier(TRAIN, VAL, replace(QUICK, steps=steps, interval=100), FABRIC).history
        assert [look["step"] for look in history] == [steps]

    @pytest.mark.parametrize("name", ["small-resnet", "torchvision/mobilenet_v3_small"])  # which has dropout
    def test_gives_the_same_weights_twice_from_one_seed(self, name):
        config = replace(QUICK, name=name, steps=3, augment=True)
        first = train_classifier(TRAIN, VAL, config, FABRIC).network.state_dict()
        torch.rand(3)  # what happens elsewhere does not matter
        second = train_classifier(TRAIN, VAL, config, FABRIC).network.state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)
        other = train_classifier(TRAIN, VAL, replace(config, seed=1), FABRIC).network.state_dict()
        assert not all(torch.equal(first[key], other[key]) for key in first)

    def test_leaves_the_global_random_state_alone(self):
        before = torch.get_rng_state()
        train_classifier(TRAIN, VAL, replace(QUICK, augment=True, steps=2), FABRIC)
        assert torch.equal(torch.get_rng_state(), before)

    def test_keeps_the_weights_of_the_best_look_at_validation_images(self):
        # step sizes that wander, on a hard task: of some seeds one ends with a look that is not the best
        hard = bright_or_dark(20, 20, contrast=1), bright_or_dark(15, 15, seed=1, contrast=1)
        config = replace(QUICK, steps=12, interval=1, lr=0.05)
        for seed in range(8):
            trained = train_classifier(*hard, replace(config, seed=seed), FABRIC)
            areas = [look["val_auroc"] for look in trained.history]
            if max(areas) > areas[-1]:
                break
        assert len(areas) == 12
        assert trained.best["val_auroc"] == max(areas) > areas[-1]
        kept = predict(trained.network, hard[1]).probabilities
        assert auroc(hard[1].labels, kept) == pytest.approx(max(areas))
        assert not trained.network.training

    def test_prefers_the_better_calibrated_of_equal_looks(self):
        history = train_classifier(TRAIN, VAL, replace(QUICK, steps=20), FABRIC).history
        trained = train_classifier(TRAIN, VAL, replace(QUICK, steps=20), FABRIC)
        top = [look for look in history if look["val_auroc"] == trained.best["val_auroc"]]
        assert len(top) > 1
        assert trained.best["val_loss"] == min(look["val_loss"] for look in top)

    def test_has_no_place_for_test_images(self):
        parameters = list(inspect.signature(train_classifier).parameters)
        assert parameters == ["train", "val", "config", "fabric", "start", "teacher"]

    def test_wants_two_classes_to_learn_and_all_to_validate_on(self):
        with pytest.raises(DataError, match="expected two classes to learn"):
            train_classifier(TRAIN.of_class(0), VAL, QUICK, FABRIC)
        with pytest.raises(DataError, match="every class to validate on"):
            train_classifier(TRAIN, VAL.of_class(1), QUICK, FABRIC)


class TestABatch:
    def labels_drawn(self, balanced: bool) -> list[int]:
        uneven = bright_or_dark(45, 5)
        batch = batches(uneven, size=20, balanced=balanced)
        return np.bincount(np.concatenate([batch(step)[1].numpy() for step in range(50)])).tolist()

    def test_holds_as_many_of_each_class_when_balanced(self):
        assert self.labels_drawn(balanced=True) == [500, 500]

    def test_holds_classes_as_they_occur_otherwise(self):
        dark, bright = self.labels_drawn(balanced=False)
        assert 850 < dark < 950
        assert dark + bright == 1000

    def test_depends_on_seed_and_step_only(self):
        batch = batches(TRAIN, augment=classical_augmentation())
        first, other, again = (batch(step)[0] for step in (3, 4, 3))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_stays_between_black_and_white_when_augmented(self):
        extreme = replace(TRAIN, pixels=np.where(TRAIN.pixels > 128, 255, 0).astype(np.uint8))
        for step in range(10):
            images, _ = batches(extreme, augment=classical_augmentation())(step)
            assert 0 <= images.min() <= images.max() <= 1

    def test_shows_the_images_themselves_without_augmentation(self):
        images, _ = batches(TRAIN)(1)
        known = {image.numpy().tobytes() for image in to_unit_range(TRAIN.pixels)}
        assert all(image.contiguous().numpy().tobytes() in known for image in images)

    def test_is_the_only_thing_that_augmentation_touches(self):
        # without learning, validation sees the same images whatever the training batches were
        looks = [
            train_classifier(TRAIN, VAL, replace(QUICK, steps=1, lr=0.0, augment=a), FABRIC)
            for a in (True, False)
        ]
        assert looks[0].best["loss"] != looks[1].best["loss"]
        frozen = [look.network.eval() for look in looks]
        frozen[0].load_state_dict(frozen[1].state_dict())
        said = [predict(network, VAL).probabilities for network in frozen]
        assert np.array_equal(*said)


class TestPrediction:
    @pytest.mark.parametrize("training", [True, False])
    def test_keeps_the_order_of_images_and_the_mode_of_the_network(self, training, monkeypatch):
        network = build_classifier("small-resnet", num_classes=2, channels=1, image_size=28).train(training)
        order = np.random.default_rng(0).permutation(len(TRAIN))
        said, shuffled = predict(network, TRAIN), predict(network, TRAIN.take(order))
        assert np.allclose(said.probabilities[order], shuffled.probabilities, atol=1e-6)
        assert network.training is training
        monkeypatch.setattr("synthaug.classifiers.prediction.BATCH", 7)
        assert np.allclose(predict(network, TRAIN).features, said.features, atol=1e-5)

    def test_gives_the_probabilities_that_its_features_decide(self):
        network = build_classifier("small-resnet", num_classes=3, channels=1, image_size=28)
        said = predict(network, TRAIN)
        assert said.features.shape == (40, 128)
        logits = network.fc(torch.from_numpy(said.features)).detach().double()
        assert np.allclose(logits.softmax(dim=1), said.probabilities, atol=1e-6)
        assert np.allclose(said.probabilities.sum(axis=1), 1)


class TestAUROC:
    def test_is_what_scikit_learn_says(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(2, size=80)
        p = rng.integers(10, size=80) / 10  # with ties
        assert auroc(labels, np.stack([1 - p, p], axis=1)) == pytest.approx(roc_auc_score(labels, p))
        labels, p = rng.integers(3, size=80), rng.dirichlet([1, 1, 1], 80)
        macro = roc_auc_score(labels, p, multi_class="ovr", average="macro")
        assert auroc(labels, p) == pytest.approx(macro)

    def test_of_one_class_is_an_error_and_no_nan(self):
        with pytest.raises(DataError, match="expected some of each"):
            auroc(np.zeros(5, dtype=np.int64), np.full((5, 2), 0.5))


def test_a_saved_classifier_is_its_weights_and_a_report(tmp_path):
    trained = train_classifier(TRAIN, VAL, QUICK, FABRIC)
    trained.save(tmp_path / "run", {"dataset": "bright or dark"})
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "classifier.safetensors",
        "report.json",
    ]
    again = build_classifier("small-resnet", num_classes=2, channels=1, image_size=28)
    again.load_state_dict(load_file(tmp_path / "run" / "classifier.safetensors"))
    said = [predict(network, VAL).probabilities for network in (again, trained.network)]
    assert np.allclose(*said, atol=1e-6)  # the last bits depend on the weights' memory layout
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["dataset"] == "bright or dark"
    assert report["history"] == trained.history
