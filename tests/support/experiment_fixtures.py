"""A tiny phantom, synthetic images that are real ones in another light, trainings of two steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from synthaug._api.runtime import make_fabric
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig
from synthaug.evaluation.experiment.arms import CEILING, SYNTHETIC_ONLY, Arm, classical_arms, synthetic_arms
from synthaug.evaluation.experiment.data import ExperimentData
from synthaug.evaluation.experiment.design import ALL, Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult

CONFIG = ClassifierConfig(steps=2, batch_size=8)


def tiny_splits(groups: bool = False) -> Splits:
    parts = [phantom(n, size=28, seed=seed) for seed, n in enumerate([(24, 8), (8, 8), (8, 8)])]
    return Splits(*(part if groups else replace(part, groups=None) for part in parts), name="phantom")


@dataclass(frozen=True)
class Resampler:
    """Gives real images again, a little brighter, as synthetic ones; writes down what it was asked.

    Its choice depends on the labels of unlabelled images: it would look at them if it could.
    """

    notes: Path
    classes: tuple[int, ...] = (0, 1)

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        self.notes.mkdir(parents=True, exist_ok=True)
        more, peeked = (real.pixels[:0], []) if unlabelled is None else (unlabelled.pixels, unlabelled.labels)
        np.savez(
            self.notes / f"{real.digest()[:8]}-{seed}.npz",
            pixels=real.pixels,
            wanted=wanted,
            seed=seed,
            unlabelled=more,
        )
        rng = np.random.default_rng([seed, *peeked])
        rows = [rng.choice(np.flatnonzero(real.labels == k), wanted[k]) for k in self.classes]
        made = real.take(np.concatenate(rows))
        return replace(made, pixels=made.pixels // 2 + 99, synthetic=np.ones(len(made), dtype=bool))

    def asked(self) -> list[tuple[np.ndarray, list[int], int]]:
        """(images given, images wanted, seed) of every call."""
        files = [np.load(path) for path in sorted(self.notes.glob("*.npz"))]
        return [(file["pixels"], file["wanted"].tolist(), int(file["seed"])) for file in files]

    def given(self) -> list[np.ndarray]:
        """Unlabelled images of every call."""
        return [np.load(path)["unlabelled"] for path in sorted(self.notes.glob("*.npz"))]


def laboratory(folder: Path, splits: Splits | None = None, **more: Any) -> ExperimentData:
    lab = ExperimentData(
        splits or tiny_splits(),
        Resampler(folder / "notes"),
        CONFIG,
        partial(make_fabric, "cpu", "32-true"),
        folder,
    )
    return replace(lab, **more)


LABELS = np.repeat([0, 1], [300, 100])
TEST = LabeledImages(np.zeros((400, 1, 2, 2), np.uint8), LABELS, ("normal", "abnormal"))
SPLITS = Splits(TEST, TEST, TEST)
REAL, AUGMENTED = (arm.name for arm in classical_arms("core"))
BLEND, LESS = f"{AUGMENTED} + synthetic 0.5", f"{AUGMENTED} + synthetic 0.25"


def known_arms() -> dict[str, Arm]:
    """By name: those that made-up trainings may be of."""
    base = classical_arms("core")[1].recipe
    others = [
        Arm(CEILING, "ceiling", "all labels", base, by_donor=True),
        Arm("ensemble", "competitor", "ensemble", base),
    ]
    arms = [*classical_arms("core"), *synthetic_arms(base, (0.25, 0.5), "full"), *others]
    return {arm.name: arm for arm in arms}


def made_up(
    effects: dict[str, float],
    *,
    shift: float = 0.0,
    amount: Amount = ALL,
    subsets: int = 4,
    donors: int = 1,
    inits: int = 1,
    val: dict[str, float] | None = None,
) -> list[TrainingResult]:
    """Trainings that never were: `effects` moves abnormal from normal, `shift` what synthetic arms answer.

    On validation images `val` moves them, where it is given: the same images otherwise.
    """
    found = []
    for donor, subset, init in np.ndindex(donors, subsets, inits):
        unit = Unit(donor, amount, subset, init)
        shared = np.random.default_rng([donor, subset, init]).normal(size=400) + LABELS
        for name in effects:
            arm = known_arms()[name]
            own = 0.1 * np.random.default_rng([donor, subset, init, len(name)]).normal(size=400)
            blended = arm.role == "synthetic" or arm.name == SYNTHETIC_ONLY
            answers = []
            for moved in (effects if val is None else val, effects):
                logits = shared + own + moved[name] * LABELS + shift * blended - 1
                p = 1 / (1 + np.exp(-logits))
                answers.append(np.stack([1 - p, p], axis=1))
            at = unit.of_donor if arm.by_donor else unit
            found.append(TrainingResult(at, arm, {}, auroc(LABELS, answers[0]), 0.5, *answers, []))
    return found


def names(cells: Sequence[TrainingResult]) -> set[str]:
    return {cell.arm.name for cell in cells}
