"""Training a classifier for a fixed number of steps; the best checkpoint by validation AUROC is kept."""

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import LabeledImages
from synthaug.augment.progress import progress_bar
from synthaug.augment.transforms import classical_augmentation
from synthaug.classifiers.architectures import DEFAULT, build_classifier
from synthaug.classifiers.batches import Batches
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.targets import cross_entropy, inverse_frequency, targets_of


@dataclass(frozen=True)
class ClassifierConfig:
    """Everything that a training depends on besides the images.

    Attributes:
        name: see `architectures.build_classifier`.
        steps: optimiser updates; the same budget for every arm of an experiment.
        batch_size: images per update.
        lr: AdamW's largest learning rate, reached after a tenth of the steps, then a cosine to zero.
        weight_decay: AdamW's.
        balanced: draw every class equally often instead of as often as it occurs.
        augment: classical augmentation of the training images (`transforms.classical_augmentation`).
        interval: steps between looks at the validation set.
        seed: initial weights and dropout, and with the step number every batch.
        mixup: alpha of mixup's Beta(alpha, alpha), 0 for none (Zhang et al. 2018, who found 0.1 to 0.4 best).
        class_weights: weigh the loss by inverse class frequency; instead of `balanced`, not with it.
        teacher_weight: weight of a teacher's probabilities in the targets, the labels have the rest; unused
            without a teacher.

    Raises:
        UsageError: a value that no training can have.
    """

    name: str = DEFAULT
    steps: int = 500
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-2
    balanced: bool = False
    augment: bool = True
    interval: int = 50
    seed: int = 0
    mixup: float = 0.0
    class_weights: bool = False
    teacher_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.mixup < math.inf:
            raise UsageError(f"mixup {self.mixup}: expected Beta's alpha above 0, such as 0.2, or 0 for none")
        if not 0 <= self.teacher_weight <= 1:
            raise UsageError(f"teacher weight {self.teacher_weight}: expected a weight from 0 to 1")
        if self.balanced and self.class_weights:
            raise UsageError("class-balanced sampling and class weights correct twice: expected one of them")


@dataclass(frozen=True)
class TrainedClassifier:
    """The network of the best validation AUROC, and how it got there.

    Attributes:
        history: one entry per look: step, loss (mean over the interval), val_auroc, val_loss. A training that
            began from given weights looks at them first, at step 0, which has no loss.
        best: the entry of the look whose weights were kept.
    """

    network: nn.Module
    history: list[dict[str, float]]
    best: dict[str, float]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Every tensor of the network by its name, as a file or another training takes it."""
        return {name: t.contiguous().cpu() for name, t in self.network.state_dict().items()}

    def save(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Write classifier.safetensors and report.json (facts and history) as one folder."""
        with replacing(folder) as fresh:
            fresh.mkdir()
            save_file(self.weights, fresh / "classifier.safetensors")
            (fresh / "report.json").write_text(json.dumps({**facts, "history": self.history}, indent=1))


def train_classifier(
    train: LabeledImages,
    val: LabeledImages,
    config: ClassifierConfig,
    fabric: Fabric,
    *,
    start: Mapping[str, Tensor] | None = None,
    teacher: npt.NDArray[np.float64] | None = None,
) -> TrainedClassifier:
    """Train on `train`, choose on `val`; the test set is not an argument.

    Args:
        start: weights of such a classifier to begin from instead of random ones. Optimiser and learning rate
            begin anew, and the weights as they came may be the best: validation never ends below them.
        teacher: (N, K) probabilities, a row per training image, in place of its label or beside it
            (`config.teacher_weight`): distillation (Hinton et al. 2015), pseudo-labels. Balanced sampling
            still goes by the labels.

    Raises:
        DataError: `train` has fewer than two classes with images, or `val` lacks a class; `start` is of
            another classifier; `teacher` is not one distribution per image.
        UsageError: the classifier's name is unknown or it cannot take images of this size.
    """
    if sum(n > 0 for n in train.counts().values()) < 2 or not all(val.counts().values()):
        raise DataError(
            f"training images {train.counts()}, validation images {val.counts()}: "
            "expected two classes to learn and every class to validate on"
        )
    targets = targets_of(train, teacher, config.teacher_weight)
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # initial weights and dropout draw from torch's global state
        torch.manual_seed(config.seed)
        return _train(train, targets, val, config, fabric, start)


def _train(
    train: LabeledImages,
    targets: Tensor,
    val: LabeledImages,
    config: ClassifierConfig,
    fabric: Fabric,
    start: Mapping[str, Tensor] | None,
) -> TrainedClassifier:
    channels, side, _ = train.image_shape
    classes = len(train.class_names)
    network = build_classifier(config.name, num_classes=classes, channels=channels, image_size=side)
    if start is not None:
        _begin_from(
            start, network, f"{config.name} of {classes} classes and {channels} channels at {side} px"
        )
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        config.lr,
        total_steps=config.steps,
        pct_start=0.1 if config.steps > 10 else 0.3,  # a rise of a single step divides by zero
        cycle_momentum=False,
    )
    model, optimizer = fabric.setup(network, optimizer)
    batch = Batches(
        train,
        targets,
        size=config.batch_size,
        seed=config.seed,
        balanced=config.balanced,
        augment=classical_augmentation() if config.augment else None,
        mixup=config.mixup,
    )
    class_weights = inverse_frequency(targets, classes).to(fabric.device) if config.class_weights else None
    history: list[dict[str, float]] = []
    best: dict[str, float] = {}
    weights: dict[str, Tensor] = {}
    losses: list[float] = []

    def look_at(step: int) -> None:
        nonlocal best, weights
        mean_loss = {"loss": float(np.mean(losses))} if losses else {}
        look = {"step": float(step)} | mean_loss | _validate(network, val)
        history.append(look)
        losses.clear()
        if not best or _rank(look) > _rank(best):
            best, weights = look, copy.deepcopy(network.state_dict())

    if start is not None:
        look_at(0)
    with progress_bar("classifier", config.steps, per_step=config.batch_size) as advance:
        for step in range(1, config.steps + 1):
            images, wanted = batch(step)
            answers = model(images.to(fabric.device))
            loss = cross_entropy(answers, wanted.to(fabric.device), class_weights)
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise UsageError(f"the loss is {losses[-1]} at step {step}: lower the learning rate")
            advance(1)
            if step % config.interval == 0 or step == config.steps:
                look_at(step)
    network.load_state_dict(weights)
    return TrainedClassifier(network.eval(), history, best)


def _begin_from(start: Mapping[str, Tensor], network: nn.Module, what: str) -> None:
    """Load `start`, whose every tensor must have its place; the network keeps none of them."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in [*shapes, *start]:
        found = tuple(start[name].shape) if name in start else "missing"
        expected = shapes.get(name, "no such tensor")
        if found != expected:
            raise DataError(
                f"starting weights: {name} is {found}, {what} has {expected}: "
                "start from the same classifier with the same classes and channels"
            )
    network.load_state_dict(start)


def _rank(look: dict[str, float]) -> tuple[float, float]:
    """By AUROC; where it is equal (a saturated data set) the better calibrated look counts more."""
    return look["val_auroc"], -look["val_loss"]


def _validate(network: nn.Module, val: LabeledImages) -> dict[str, float]:
    probabilities = predict(network, val).probabilities
    likelihood = probabilities[np.arange(len(val)), val.labels]
    return {
        "val_auroc": auroc(val.labels, probabilities),
        "val_loss": float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
    }
