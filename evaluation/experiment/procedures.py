"""Training procedures: from a unit and an arm to a training result."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from safetensors.torch import load_file, save_file

from synthaug.augment.blend import add_synthetic, blend
from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig, TrainedClassifier, train_classifier
from synthaug.evaluation.classification import tune_threshold
from synthaug.evaluation.experiment.arms import Arm
from synthaug.evaluation.experiment.data import ExperimentData, plan_of
from synthaug.evaluation.experiment.design import Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.experiment.unlabelled import pseudo_labelled
from synthaug.evaluation.statistics import Probabilities

GENTLE = 0.1  # of the learning rate, in fine-tuning
SECOND = 1_000_003  # added to the seed of an ensemble's second network

# images per class that the networks saw, by origin, and the networks whose probabilities are averaged
Outcome = tuple[dict[str, dict[str, int]], list[TrainedClassifier]]


def train_cell(data: ExperimentData, unit: Unit, arm: Arm) -> TrainingResult:
    """Train an arm on a unit; score it once on the test images.

    Raises:
        DataError: too few images or patients of a class.
    """
    unit = unit.of_donor if arm.by_donor else unit
    seen, trained = PROCEDURES[arm.procedure](data, unit, arm)
    val, test = (_mean_probabilities(trained, part) for part in (data.splits.val, data.splits.test))
    return TrainingResult(
        unit=unit,
        arm=arm,
        counts=seen,
        val_auroc=auroc(data.splits.val.labels, val),
        threshold=tune_threshold(data.splits.val.labels, val) if val.shape[1] == 2 else None,
        val=val,
        test=test,
        history=trained[-1].history,
        trts_auroc=_trts_auroc(data, unit, trained) if arm.role == "classical" else None,
    )


def config_of(data: ExperimentData, unit: Unit, arm: Arm) -> ClassifierConfig:
    """The experiment's configuration with the arm's recipe and the unit's seed."""
    recipe = arm.recipe
    return replace(
        data.config,
        balanced=recipe.balanced,
        augment=recipe.augment,
        mixup=recipe.mixup,
        class_weights=recipe.class_weights,
        seed=unit.seed,
    )


def _on(data: ExperimentData, unit: Unit, arm: Arm, train: LabeledImages) -> Outcome:
    config = config_of(data, unit, arm)
    return train.counts_by_origin(), [train_classifier(train, data.splits.val, config, data.make_fabric())]


def _real(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    return _on(data, unit, arm, data.labelled(unit))


def _with_synthetic(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """The labelled subset and, beside it, what the arm's plan asks for."""
    real = data.labelled(unit)
    return _on(data, unit, arm, add_synthetic(real, data.pool(unit), plan_of(real, arm), unit.seed))


def _synthetic_only(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    return _on(data, unit, arm, blend(data.labelled(unit), data.pool(unit), 1.0, unit.seed))


def _pretrained(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """Half of the steps on synthetic images, half on real ones."""
    real, fabric = data.labelled(unit), data.make_fabric()
    synthetic = blend(real, data.pool(unit), 1.0, unit.seed)
    config = replace(config_of(data, unit, arm), steps=max(1, data.config.steps // 2))
    before = train_classifier(synthetic, data.splits.val, config, fabric)
    after = train_classifier(real, data.splits.val, config, fabric, start=before.network.state_dict())
    seen = add_synthetic(real, synthetic, list(synthetic.counts().values()), 0)
    return seen.counts_by_origin(), [after]


def _all_labels(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    return _on(data, unit, arm, data.labelled(unit.of_donor))


def _ensemble(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """The same training twice, from other initial weights and batches."""
    real, config, fabric = data.labelled(unit), config_of(data, unit, arm), data.make_fabric()
    seeds = unit.seed, unit.seed + SECOND
    trained = [train_classifier(real, data.splits.val, replace(config, seed=s), fabric) for s in seeds]
    return real.counts_by_origin(), trained


def _pseudo_labelled(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """The reference's classifier labels the unlabelled images, and a new one learns from them too (Lee 2013).

    The classifier that labels is the reference's own, trained once more: the same seed and images give the
    same weights, and nobody keeps them.
    """
    real, more, config = data.labelled(unit), data.unlabelled_images(unit), config_of(data, unit, arm)
    teacher = train_classifier(real, data.splits.val, config, data.make_fabric())
    pseudo = pseudo_labelled(more, predict(teacher.network, more).probabilities)
    _, trained = _on(data, unit, arm, concatenate([real, pseudo]))
    return {**real.counts_by_origin(), "pseudo-labelled": pseudo.counts()}, trained


def _donor(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """What the donor would share instead of a generator; its weights are kept for the next two."""
    seen, (trained,) = _on(data, unit, arm, data.donor_images(unit))
    with replacing(data.weights_path(unit)) as fresh:
        save_file(trained.weights, fresh)
    return seen, [trained]


def _fine_tuned(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """With a tenth of the learning rate: the full one undoes what the donor's images taught."""
    real, config = data.labelled(unit), config_of(data, unit, arm)
    config = replace(config, lr=GENTLE * config.lr)
    start = load_file(data.weights_path(unit))
    trained = train_classifier(real, data.splits.val, config, data.make_fabric(), start=start)
    return real.counts_by_origin(), [trained]


def _distilled(data: ExperimentData, unit: Unit, arm: Arm) -> Outcome:
    """Half of the loss by the labels, half by what the donor's classifier says of the same images."""
    real, fabric = data.labelled(unit), data.make_fabric()
    channels, side, _ = real.image_shape
    donor = build_classifier(
        data.config.name, num_classes=len(real.class_names), channels=channels, image_size=side
    )
    donor.load_state_dict(load_file(data.weights_path(unit)))
    teacher = predict(donor.to(fabric.device), real).probabilities
    config = replace(config_of(data, unit, arm), teacher_weight=0.5)
    trained = train_classifier(real, data.splits.val, config, fabric, teacher=teacher)
    return real.counts_by_origin(), [trained]


def _mean_probabilities(trained: list[TrainedClassifier], images: LabeledImages) -> Probabilities:
    mean: Probabilities = np.mean([predict(each.network, images).probabilities for each in trained], axis=0)
    return mean


def _trts_auroc(data: ExperimentData, unit: Unit, trained: list[TrainedClassifier]) -> float | None:
    """AUROC on the synthetic images; None where they lack a class."""
    pool = data.pool(unit)
    return auroc(pool.labels, _mean_probabilities(trained, pool)) if all(pool.counts().values()) else None


PROCEDURES: dict[str, Callable[[ExperimentData, Unit, Arm], Outcome]] = {
    "real": _real,
    "blend": _with_synthetic,
    "rare": _with_synthetic,
    "pretrained": _pretrained,
    "synthetic": _synthetic_only,
    "all labels": _all_labels,
    "ensemble": _ensemble,
    "pseudo-labelled": _pseudo_labelled,
    "donor": _donor,
    "fine-tuned": _fine_tuned,
    "distilled": _distilled,
}
