"""The trainings of an experiment: every arm on every labelled subset, with everything else held equal."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.balance import blend_plan
from synthaug.augment.blend import blend, match_classes
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.splits import labelled_subset
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.classification import tune_threshold
from synthaug.evaluation.statistics import Probabilities

# (real images of one subset, images wanted per class, seed) -> at least that many synthetic images per class
Synthesize = Callable[[LabeledImages, list[int], int], LabeledImages]

CLASSICAL = "balanced + augmentation"
SYNTHETIC_ONLY = "synthetic only"


@dataclass(frozen=True)
class Arm:
    """One way to train: what is drawn how often, and how much of it is synthetic."""

    name: str
    classical: bool
    synthetic_ratio: float


def arms_of(ratios: tuple[float, ...]) -> list[Arm]:
    """Real, the classical arm, the classical arm + synthetic at each ratio, synthetic only.

    Raises:
        UsageError: no ratio, one given twice, or one that is not a blend.
    """
    if not ratios or len(set(ratios)) < len(ratios) or not all(0 < ratio < 1 for ratio in ratios):
        raise UsageError(f"synthetic ratios {ratios}: expected numbers between 0 and 1, each once")
    return [
        Arm("real", False, 0.0),
        Arm(CLASSICAL, True, 0.0),
        *(Arm(f"{CLASSICAL} + synthetic {ratio:g}", True, ratio) for ratio in ratios),
        Arm(SYNTHETIC_ONLY, True, 1.0),
    ]


@dataclass(frozen=True)
class Cell:
    """One training of one arm and what came of it.

    Attributes:
        counts: images per class, real and synthetic.
        threshold: of class 1, tuned on validation images (None with more than two classes).
        test: (N, K) probabilities of the test images.
    """

    fraction: float
    seed: int
    arm: Arm
    counts: dict[str, dict[str, int]]
    val_auroc: float
    threshold: float | None
    test: Probabilities
    history: list[dict[str, float]]


def train_arms(
    splits: Splits,
    synthesize: Synthesize,
    *,
    fractions: tuple[float, ...],
    ratios: tuple[float, ...],
    seeds: int,
    config: ClassifierConfig,
    fabric: Fabric,
    on_cell: Callable[[str], None] = lambda text: None,
) -> list[Cell]:
    """Train every arm on every (fraction, seed).

    All arms of one (fraction, seed) share the labelled subset, the initial weights, the step budget and the
    validation and test images. `synthesize` sees the subset only. Test images are scored once per network.
    "Synthetic only" is left out where the synthetic images cannot stand alone: one class, say.

    Args:
        on_cell: told in words of every finished training.

    Raises:
        UsageError: fractions or ratios that are none.
        DataError: too few synthetic images of a class, before the first training of their subset.
    """
    arms = arms_of(ratios)
    if not fractions or len(set(fractions)) < len(fractions) or not all(0 < f <= 1 for f in fractions):
        raise UsageError(f"label fractions {fractions}: expected numbers above 0 and up to 1, each once")
    if not all(splits.test.counts().values()):
        raise DataError(f"test images {splits.test.counts()}: expected some of every class")
    cells: list[Cell] = []
    for fraction in fractions:
        for seed in range(seeds):
            where = f"{share_of_labels(fraction)}, seed {seed}"
            subset = labelled_subset(splits.train, fraction, seed)
            wanted = np.max([_plan(subset, arm) for arm in arms], axis=0)
            pool = match_classes(synthesize(subset, wanted.tolist(), seed), splits.class_names)
            possible = _possible(arms, subset, pool)
            if len(possible) < len(arms):
                on_cell(f"{where}: no {SYNTHETIC_ONLY}, as {pool.counts()} images cannot stand alone")
            for arm in possible:
                cell = _train_cell(splits, subset, pool, fraction, seed, arm, config, fabric)
                cells.append(cell)
                on_cell(f"{where}, {arm.name}: validation AUROC {cell.val_auroc:.3f}")
    return cells


def _plan(subset: LabeledImages, arm: Arm) -> list[int]:
    return blend_plan(list(subset.counts().values()), arm.synthetic_ratio)


def _possible(arms: list[Arm], subset: LabeledImages, pool: LabeledImages) -> list[Arm]:
    """The arms that the pool has enough images for: all but perhaps "synthetic only"."""
    have = pool.counts()
    possible = []
    for arm in arms:
        wanted = dict(zip(have, _plan(subset, arm), strict=True))
        if all(have[name] >= n for name, n in wanted.items()):
            possible.append(arm)
        elif arm.name != SYNTHETIC_ONLY:
            raise DataError(f"synthetic images {have}: {arm.name!r} needs {wanted}, make more of them")
    return possible


def _train_cell(
    splits: Splits,
    subset: LabeledImages,
    pool: LabeledImages,
    fraction: float,
    seed: int,
    arm: Arm,
    config: ClassifierConfig,
    fabric: Fabric,
) -> Cell:
    train = blend(subset, pool, arm.synthetic_ratio, seed)
    config = replace(config, balanced=arm.classical, augment=arm.classical, seed=seed)
    trained = train_classifier(train, splits.val, config, fabric)
    val = predict(trained.network, splits.val).probabilities
    return Cell(
        fraction=fraction,
        seed=seed,
        arm=arm,
        counts=train.counts_by_origin(),
        val_auroc=trained.best["val_auroc"],
        threshold=tune_threshold(splits.val.labels, val) if val.shape[1] == 2 else None,
        test=predict(trained.network, splits.test).probabilities,
        history=trained.history,
    )


def cells_of(cells: list[Cell], fraction: float, arm: str) -> list[Cell]:
    """The cells of one arm at one fraction, by seed."""
    return sorted((c for c in cells if c.fraction == fraction and c.arm.name == arm), key=lambda c: c.seed)


def arm_names(cells: list[Cell], fraction: float) -> list[str]:
    """The arms trained at one fraction, in order."""
    return list(dict.fromkeys(cell.arm.name for cell in cells if cell.fraction == fraction))


def share_of_labels(fraction: float) -> str:
    """In words: 0.1 is "10 % of the training labels"."""
    return f"{100 * fraction:.3g} % of the training labels"
