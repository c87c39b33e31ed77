"""A report of trainings that never were, whose skill goes by the role of their arm."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.experiment.arms import (
    AUGMENTED,
    Arm,
    classical_arms,
    competing_arms,
    donor_arms,
    synthetic_arms,
)
from synthaug.evaluation.experiment.design import Amount, Design, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.verdict import compare_arms
from synthaug.evaluation.reports.report import Report

AMOUNTS = (Amount(0.05), Amount(10, per_class=True))
SKILL = {"classical": 0.2, "synthetic": 0.7, "shown": 0.1, "competitor": 0.6, "ceiling": 0.9}
RATIOS = (0.1, 0.25, 0.5, 0.75)


def images(n: int, classes: int, seed: int) -> LabeledImages:
    if classes == 2:
        return replace(phantom([n, n // 2], size=28, seed=seed), groups=None)
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, 16, 16)).astype(np.uint8)
    return LabeledImages(pixels, np.arange(n) % classes, tuple(f"lesion {k}" for k in range(classes)))


def made_up_cell(unit: Unit, arm: Arm, splits: Splits, labelled: int, rare: int = 0) -> TrainingResult:
    """Of a training that never was: it knows the truth as far as the skill of its role."""
    rng = np.random.default_rng([unit.seed, unit.subset_seed, *arm.slug.encode()])
    skill = SKILL[arm.role] + 0.3 * (arm.recipe == AUGMENTED) + 0.005 * labelled
    names = splits.class_names

    def probabilities(of: LabeledImages) -> np.ndarray:
        shape = (len(of), len(names))
        hardness = np.random.default_rng(5).normal(size=shape)  # of an image, whoever looks at it
        logits = 2 * skill * np.eye(len(names))[of.labels] + hardness + 0.5 * rng.normal(size=shape)
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    counts = {
        "real": {name: labelled // (5 if k >= len(names) - rare else 1) for k, name in enumerate(names)},
        "synthetic": {name: 10 * k for k, name in enumerate(names)},
    }
    history = [{"step": s, "loss": 0.7, "val_auroc": 0.7 + s / 100, "val_loss": 0.7} for s in (5.0, 10.0)]
    return TrainingResult(
        unit=unit,
        arm=arm,
        counts=counts,
        val_auroc=0.7 + 0.1 * skill + 0.01 * rng.random(),
        threshold=0.5 if len(names) == 2 else None,
        val=probabilities(splits.val),
        test=probabilities(splits.test),
        history=history,
        trts_auroc=0.75 if arm.role == "classical" else None,
    )


def report(
    *,
    subsets: int = 2,
    donors: int = 2,
    amounts: tuple[Amount, ...] = AMOUNTS,
    choice: str = "full",
    classes: int = 2,
    test: int = 30,
    rare: int = 0,
) -> Report:
    """Of trainings that never were."""
    parts = [images(n, classes, seed) for seed, n in enumerate((14, 28, test))]
    splits = Splits(*parts, name="phantom & co")
    design = Design(amounts, subsets, 1, donors)
    arms = [
        *classical_arms(choice),
        *donor_arms(donor=True, choice=choice),
        *synthetic_arms(AUGMENTED, RATIOS, choice),
        *competing_arms(AUGMENTED, donor=True, choice=choice),
    ]
    cells = {}
    for unit in design.units():
        for arm in arms:
            where = unit.of_donor if arm.by_donor else unit
            labelled = 40 if arm.by_donor else 5 * (1 + amounts.index(unit.amount))
            cells[where, arm] = made_up_cell(where, arm, splits, labelled, rare)
    log = [{"step": k, "discriminator": 1.0, "generator": 2.0} for k in (1, 2)]
    config = {"dataset": "phantom", "synthetic": Path("made.h5")}
    return Report(splits, compare_arms(list(cells.values()), splits), None, config, log)
