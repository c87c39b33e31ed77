"""What an experiment's arms ask of the training: mixup, class weights, a teacher; all off by default."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from classifier_fixtures import FABRIC, QUICK, TRAIN, VAL, bright_or_dark
from lightning_fabric import Fabric
from torch.nn import functional as F

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import classical_augmentation
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.batches import Batches, mix
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.targets import cross_entropy, inverse_frequency, targets_of
from synthaug.classifiers.training import ClassifierConfig, TrainedClassifier, train_classifier

HARD = np.eye(2)[TRAIN.labels]


def same(one: TrainedClassifier, other: TrainedClassifier) -> bool:
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    return one.history == other.history and all(torch.equal(ours[key], theirs[key]) for key in ours)


def blank(counts: list[int]) -> LabeledImages:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(f"class {k}" for k in range(len(counts)))
    return LabeledImages(np.zeros((len(labels), 1, 2, 2), np.uint8), labels, names)


def batches(**options) -> Batches:
    return Batches(TRAIN, torch.from_numpy(TRAIN.labels), size=8, seed=0, **options)


def test_with_everything_off_a_training_is_the_plain_loop():
    config = replace(QUICK, balanced=True, augment=True, steps=12, interval=6)
    trained = train_classifier(TRAIN, VAL, config, FABRIC)
    batch = batches(balanced=True, augment=classical_augmentation())
    losses, looks = [], {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_classifier(config.name, num_classes=2, channels=1, image_size=28)
        network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.lr, total_steps=12, pct_start=0.1, cycle_momentum=False
        )
        for step in range(1, 13):
            images, labels = batch(step)
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            looks[step] = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    assert [look["loss"] for look in trained.history] == [np.mean(losses[:6]), np.mean(losses[6:])]
    kept, plain = trained.network.state_dict(), looks[int(trained.best["step"])]
    assert all(torch.equal(kept[key], plain[key]) for key in plain)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mixup": -0.1}, "mixup -0.1"),
        ({"mixup": float("nan")}, "mixup nan"),
        ({"teacher_weight": 1.5}, "teacher weight 1.5"),
        ({"balanced": True, "class_weights": True}, "correct twice"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_any_training(values, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        ClassifierConfig(**values)
    assert "\n" not in str(caught.value)


class TestMixup:
    def test_blends_each_image_and_its_target_with_the_same_share_of_another(self):
        images, labels = batches()(5)
        assert len(labels.unique()) == 2
        share = torch.tensor([1.0, 0.25, 0.5, 0.0, 0.1, 0.9, 0.6, 0.3])
        mixed, targets = mix(images, labels, share, 2)
        for k in range(8):
            expected = share[k] * images[k] + (1 - share[k]) * images[k - 1]
            assert torch.allclose(mixed[k], expected)
            wanted = torch.zeros(2)
            wanted[labels[k]] += share[k]
            wanted[labels[k - 1]] += 1 - share[k]
            assert torch.allclose(targets[k], wanted)

    def test_draws_one_share_per_image_from_its_beta_distribution(self):
        train = blank([1, 1])
        batch = Batches(train, torch.from_numpy(train.labels), size=4000, seed=0, mixup=0.3)
        targets = batch(1)[1][:, 0].numpy()
        mixed = targets[(targets > 0) & (targets < 1)]
        assert len(np.unique(mixed)) > 1500  # half of the pairs are of two classes
        # a Beta(a, a) has the variance 1 / (4 (2 a + 1)), here 0.156
        assert np.var(mixed) == pytest.approx(1 / (4 * 1.6), abs=0.01)
        assert np.mean(mixed) == pytest.approx(0.5, abs=0.02)

    def test_depends_on_seed_and_step_only(self):
        batch = batches(mixup=0.2, augment=classical_augmentation())
        first, other, again = batch(3), batch(4), batch(3)
        torch.rand(2)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
        assert not torch.equal(first[1], other[1])

    def test_comes_after_the_draw_and_the_augmentation_which_stay_as_they_are(self):
        augment = classical_augmentation()
        plain, mixed = (batches(augment=augment, mixup=alpha)(2)[0] for alpha in (0.0, 1e-9))
        # at such an alpha every share is 0 or 1: an image of the plain batch, or the one before it
        kept = [torch.allclose(a, b) for a, b in zip(plain, mixed, strict=True)]
        moved = [torch.allclose(a, b) for a, b in zip(plain.roll(1, dims=0), mixed, strict=True)]
        assert all(k != m for k, m in zip(kept, moved, strict=True))
        assert any(kept)
        assert any(moved)

    def test_mixes_soft_targets_too(self):
        soft = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
        _, targets = mix(torch.zeros(2, 1, 2, 2), soft, torch.tensor([0.5, 1.0]), 2)
        assert torch.allclose(targets, torch.tensor([[0.55, 0.45], [0.2, 0.8]]))

    def test_changes_the_training_and_is_the_same_twice(self):
        plain = train_classifier(TRAIN, VAL, QUICK, FABRIC)
        config = replace(QUICK, mixup=0.2)
        mixed = train_classifier(TRAIN, VAL, config, FABRIC)
        assert not same(plain, mixed)
        assert same(mixed, train_classifier(TRAIN, VAL, config, FABRIC))


class TestClassWeights:
    def test_are_inverse_to_the_frequency_and_one_in_the_mean_over_images(self):
        labels = torch.from_numpy(blank([60, 30, 10]).labels)
        weights = inverse_frequency(labels, 3)
        assert weights[labels].mean().item() == pytest.approx(1)
        assert (weights * torch.tensor([60, 30, 10])).tolist() == pytest.approx([100 / 3] * 3)

    def test_are_none_for_a_class_that_has_no_image(self):
        labels = torch.from_numpy(blank([6, 0, 2]).labels)
        weights = inverse_frequency(labels, 3)
        assert weights.tolist() == pytest.approx([4 / 6, 0, 4 / 2])

    def test_count_soft_targets_by_their_shares(self):
        soft = torch.tensor([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
        weights = inverse_frequency(soft, 2)
        assert weights.tolist() == pytest.approx([5 / 2 / 4, 5 / 2 / 1])
        assert (soft @ weights).mean().item() == pytest.approx(1)
        trace = torch.tensor([[0.999, 0.001]]).repeat(10, 1)  # a hundredth of an image: as one image
        few = inverse_frequency(trace, 2)
        assert (few[1] / few[0]).item() == pytest.approx(9.99)

    def test_weigh_a_batch_by_its_images_whatever_its_classes(self):
        logits, labels = torch.randn(6, 2), torch.tensor([0, 0, 0, 0, 0, 1])
        weights = torch.tensor([0.5, 4.0])
        each = F.cross_entropy(logits, labels, reduction="none")
        found = cross_entropy(logits, labels, weights)
        assert found.item() == pytest.approx((each * weights[labels]).mean().item())
        assert cross_entropy(logits[:5], labels[:5], weights).item() == pytest.approx(
            0.5 * each[:5].mean().item()
        )
        one_hot = F.one_hot(labels, 2).float()
        assert cross_entropy(logits, one_hot, weights).item() == pytest.approx(found.item())

    def test_of_soft_targets_lead_to_the_teachers_answer_at_equal_frequencies(self):
        # two kinds of images, 3:1; the best answer of each is proportional to weight x teacher
        soft = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
        weights = inverse_frequency(soft.repeat_interleave(torch.tensor([3, 1]), dim=0), 2)
        logits = torch.zeros(2, 2, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=100)

        def closure():
            optimizer.zero_grad()
            loss = cross_entropy(logits, soft, weights)
            loss.backward()
            return loss

        optimizer.step(closure)
        shifted = soft * weights
        assert torch.allclose(logits.softmax(dim=1), shifted / shifted.sum(dim=1, keepdim=True), atol=1e-3)

    def test_move_answers_towards_the_rare_class(self):
        plain, weighted = (
            train_classifier(TRAIN, VAL, replace(QUICK, steps=10, interval=10, class_weights=on), FABRIC)
            for on in (False, True)
        )
        rare = [predict(t.network, VAL).probabilities[:, 1].mean() for t in (plain, weighted)]
        assert rare[1] > rare[0] + 0.02

    def test_change_nothing_where_classes_are_even(self):
        even = bright_or_dark(12, 12, seed=2)
        plain, weighted = (
            train_classifier(even, VAL, replace(QUICK, steps=1, class_weights=on), FABRIC)
            for on in (False, True)
        )
        assert weighted.best["loss"] == pytest.approx(plain.best["loss"], rel=1e-6)


class TestATeacher:
    def test_that_is_sure_of_the_labels_is_the_labels(self):
        plain, taught = (
            train_classifier(TRAIN, VAL, replace(QUICK, steps=2), FABRIC, teacher=teacher)
            for teacher in (None, HARD)
        )
        assert taught.best["loss"] == pytest.approx(plain.best["loss"], rel=1e-4)
        assert taught.best["val_loss"] == pytest.approx(plain.best["val_loss"], rel=1e-3)

    def test_takes_the_place_of_the_labels(self):
        # a teacher who says the opposite is followed
        config = replace(QUICK, steps=30, interval=30, lr=5e-3)
        trained = train_classifier(TRAIN, VAL, config, FABRIC, teacher=1 - HARD)
        straight = train_classifier(TRAIN, VAL, config, FABRIC)
        assert straight.best["val_auroc"] > 0.6
        assert trained.best["val_auroc"] < 0.4

    def test_shares_the_loss_with_the_labels(self):
        teacher = np.random.default_rng(0).dirichlet([1, 1], len(TRAIN))
        logits = torch.randn(len(TRAIN), 2)
        labels = torch.from_numpy(TRAIN.labels)
        parts = [F.cross_entropy(logits, t) for t in (torch.from_numpy(teacher).float(), labels)]
        for share in (0.0, 0.3, 1.0):
            found = cross_entropy(logits, targets_of(TRAIN, teacher, share))
            expected = share * parts[0] + (1 - share) * parts[1]
            assert found.item() == pytest.approx(expected.item(), rel=1e-5)

    def test_goes_with_mixup_and_class_weights(self):
        config = replace(QUICK, mixup=0.2, class_weights=True, teacher_weight=0.5)
        teacher = np.random.default_rng(0).dirichlet([1, 1], len(TRAIN))
        teacher.flags.writeable = False
        first, second, other = (
            train_classifier(TRAIN, VAL, config, FABRIC, teacher=t) for t in (teacher, teacher, teacher[::-1])
        )
        assert same(first, second)
        assert not same(first, other)

    @pytest.mark.parametrize(
        ("teacher", "reason"),
        [
            (HARD[:-1], r"shape \(39, 2\): expected \(40, 2\)"),
            (np.ones((40, 1)), r"shape \(40, 1\)"),
            (HARD * 2, "sum to 2..2"),
            (HARD * 3 - 1, "lowest entry is -1"),
            (HARD * np.nan, "nan"),
        ],
    )
    def test_that_is_no_distribution_per_image_is_refused_in_one_line(self, teacher, reason):
        with pytest.raises(DataError, match=reason) as caught:
            train_classifier(TRAIN, VAL, QUICK, FABRIC, teacher=teacher)
        assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*precision.*")
def test_every_arm_trains_in_mixed_precision():
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    config = replace(QUICK, steps=2, interval=2, mixup=0.2, class_weights=True, teacher_weight=0.5)
    start = train_classifier(TRAIN, VAL, replace(QUICK, steps=2), fabric).network.state_dict()
    trained = train_classifier(TRAIN, VAL, config, fabric, start=start, teacher=HARD)
    assert np.isfinite(trained.history[-1]["loss"])
