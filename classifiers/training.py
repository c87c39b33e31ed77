"""Training a classifier for a fixed number of steps; the best checkpoint by validation AUROC is kept."""

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from synthaug.augment.atomic import replacing
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import Indices, LabeledImages
from synthaug.augment.progress import progress_bar
from synthaug.augment.transforms import classical_augmentation, to_unit_range
from synthaug.classifiers.architectures import DEFAULT, build_classifier
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc

# torchvision draws one set of random parameters per call; this many images share a draw, which costs a
# quarter of the time, and every step mixes 16 draws.
SHARED_DRAW = 4


@dataclass(frozen=True)
class ClassifierConfig:
    """Everything that a training depends on besides the images.

    Attributes:
        name: see `architectures.build_classifier`.
        steps: optimiser updates; the same budget for every arm of an experiment.
        batch_size: images per update.
        lr: AdamW's largest step size, reached after a tenth of the steps, then a cosine to zero.
        weight_decay: AdamW's.
        balanced: draw every class equally often instead of as often as it occurs.
        augment: classical augmentation of the training images (`transforms.classical_augmentation`).
        interval: steps between looks at the validation set.
        seed: initial weights and dropout, and with the step number every batch.
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


@dataclass(frozen=True)
class TrainedClassifier:
    """The network of the best validation AUROC, and how it got there.

    Attributes:
        history: one entry per look: step, loss (mean over the interval), val_auroc, val_loss.
    """

    network: nn.Module
    history: list[dict[str, float]]
    best: dict[str, float]

    def save(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Write classifier.safetensors and report.json (facts and history) as one folder."""
        weights = {name: t.contiguous().cpu() for name, t in self.network.state_dict().items()}
        with replacing(folder) as fresh:
            fresh.mkdir()
            save_file(weights, fresh / "classifier.safetensors")
            (fresh / "report.json").write_text(json.dumps({**facts, "history": self.history}, indent=1))


def train_classifier(
    train: LabeledImages, val: LabeledImages, config: ClassifierConfig, fabric: Fabric
) -> TrainedClassifier:
    """Train on `train`, choose on `val`; the test set is not an argument.

    Raises:
        DataError: `train` has fewer than two classes with images, or `val` lacks a class.
        UsageError: the classifier's name is unknown or it cannot take images of this size.
    """
    if sum(n > 0 for n in train.counts().values()) < 2 or not all(val.counts().values()):
        raise DataError(
            f"training images {train.counts()}, validation images {val.counts()}: "
            "expected two classes to learn and every class to validate on"
        )
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # initial weights and dropout draw from torch's global state
        torch.manual_seed(config.seed)
        return _train(train, val, config, fabric)


def _train(
    train: LabeledImages, val: LabeledImages, config: ClassifierConfig, fabric: Fabric
) -> TrainedClassifier:
    channels, side, _ = train.image_shape
    network = build_classifier(
        config.name, num_classes=len(train.class_names), channels=channels, image_size=side
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
    augment = classical_augmentation() if config.augment else None
    history: list[dict[str, float]] = []
    best: dict[str, float] = {}
    weights: dict[str, Tensor] = {}
    losses: list[float] = []
    with progress_bar("classifier", config.steps, per_step=config.batch_size) as advance:
        for step in range(1, config.steps + 1):
            images, labels = _batch(train, config, step, augment)
            loss = F.cross_entropy(model(images.to(fabric.device)), labels.to(fabric.device))
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise UsageError(f"the loss is {losses[-1]} at step {step}: lower the learning rate")
            advance(1)
            if step % config.interval == 0 or step == config.steps:
                look = {"step": float(step), "loss": float(np.mean(losses))} | _validate(network, val)
                history.append(look)
                losses = []
                if not best or _rank(look) > _rank(best):
                    best, weights = look, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return TrainedClassifier(network.eval(), history, best)


def _rank(look: dict[str, float]) -> tuple[float, float]:
    """By AUROC; where it is equal (a saturated data set) the better calibrated look counts more."""
    return look["val_auroc"], -look["val_loss"]


def _batch(
    train: LabeledImages, config: ClassifierConfig, step: int, augment: Callable[[Tensor], Tensor] | None
) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) float in [0, 1] and (N,) labels; depends on (seed, step) only."""
    rng = np.random.default_rng([config.seed, step])
    rows = _draw(train.labels, config, rng)
    images = to_unit_range(train.pixels[rows])
    if augment is not None:
        with torch.random.fork_rng(devices=[]):  # torchvision's transforms draw from torch's global state
            torch.manual_seed(int(rng.integers(2**62)))
            images = torch.cat([augment(part) for part in torch.split(images, SHARED_DRAW)])
    images = images.clamp(0, 1).contiguous(memory_format=torch.channels_last)
    return images, torch.from_numpy(train.labels[rows])


def _draw(labels: Indices, config: ClassifierConfig, rng: np.random.Generator) -> Indices:
    if not config.balanced:
        return rng.integers(len(labels), size=config.batch_size)
    present = np.unique(labels)
    wanted = rng.permutation(np.resize(rng.permutation(present), config.batch_size))
    rows = np.empty(config.batch_size, dtype=np.int64)
    for label in present:
        members = np.flatnonzero(labels == label)
        rows[wanted == label] = rng.choice(members, (wanted == label).sum())
    return rows


def _validate(network: nn.Module, val: LabeledImages) -> dict[str, float]:
    probabilities = predict(network, val).probabilities
    likelihood = probabilities[np.arange(len(val)), val.labels]
    return {
        "val_auroc": auroc(val.labels, probabilities),
        "val_loss": float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
    }
