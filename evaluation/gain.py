"""The experiment: do synthetic images help this classifier on these data? Arms, pairs, verdict."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.balance import blend_plan
from synthaug.augment.blend import blend
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.splits import labelled_subset
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.classification import SCORES, at_threshold, tune_threshold
from synthaug.evaluation.statistics import Estimate, Probabilities, paired_gain

# (real images of one subset, images wanted per class, seed) -> at least that many synthetic images per class
Synthesize = Callable[[LabeledImages, list[int], int], LabeledImages]
Verdict = Literal["helps", "no evidence", "harms"]

CLASSICAL = "balanced + augmentation"
SYNTHETIC_ONLY = "synthetic only"


@dataclass(frozen=True)
class Arm:
    """One way to train: what is drawn how often, and how much of it is synthetic."""

    name: str
    classical: bool
    synthetic_ratio: float


def arms_of(ratios: tuple[float, ...]) -> list[Arm]:
    """Real, the classical arm, the classical arm + synthetic at each ratio, synthetic only."""
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


@dataclass(frozen=True)
class Gain:
    """AUROC of a synthetic arm minus that of the best classical arm, paired over seeds."""

    fraction: float
    arm: str
    reference: str
    auroc: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Experiment:
    """All cells, the gains, and the word on the whole."""

    cells: list[Cell]
    gains: list[Gain]
    verdict: Verdict
    sentence: str


def run_experiment(
    splits: Splits,
    synthesize: Synthesize,
    *,
    fractions: tuple[float, ...],
    ratios: tuple[float, ...],
    seeds: int,
    config: ClassifierConfig,
    fabric: Fabric,
    on_cell: Callable[[str], None] = lambda text: None,
) -> Experiment:
    """Train every arm on every (fraction, seed) and compare.

    All arms of one (fraction, seed) share the labelled subset, the initial weights, the step budget and the
    validation and test images. `synthesize` sees the subset only. The reference is the classical arm of the
    best mean *validation* AUROC; test images are scored once per trained network.

    Args:
        on_cell: told in words of every finished training.
    """
    cells: list[Cell] = []
    for fraction in fractions:
        for seed in range(seeds):
            subset = labelled_subset(splits.train, fraction, seed)
            counts = list(subset.counts().values())
            wanted = np.max([blend_plan(counts, ratio) for ratio in (*ratios, 1.0)], axis=0)
            pool = synthesize(subset, [int(n) for n in wanted], seed)
            for arm in arms_of(ratios):
                cell = _train_cell(splits, subset, pool, fraction, seed, arm, config, fabric)
                cells.append(cell)
                where = f"{fraction:.3g} of the labels, seed {seed}"
                on_cell(f"{where}, {arm.name}: validation AUROC {cell.val_auroc:.3f}")
    gains = compare(cells, splits.test, fractions, ratios)
    verdict, sentence = conclude(gains)
    return Experiment(cells, gains, verdict, sentence)


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
        counts={
            "real": train.take(~train.synthetic).counts(),
            "synthetic": train.take(train.synthetic).counts(),
        },
        val_auroc=trained.best["val_auroc"],
        threshold=tune_threshold(splits.val.labels, val) if val.shape[1] == 2 else None,
        test=predict(trained.network, splits.test).probabilities,
        history=trained.history,
    )


def cells_of(cells: list[Cell], fraction: float, arm: str) -> list[Cell]:
    """The cells of one arm at one fraction, by seed."""
    return sorted((c for c in cells if c.fraction == fraction and c.arm.name == arm), key=lambda c: c.seed)


def best_classical(cells: list[Cell], fraction: float) -> str:
    """The arm without synthetic images whose mean validation AUROC is highest."""
    names = dict.fromkeys(c.arm.name for c in cells if c.arm.synthetic_ratio == 0)
    return max(names, key=lambda name: float(np.mean([c.val_auroc for c in cells_of(cells, fraction, name)])))


def compare(
    cells: list[Cell], test: LabeledImages, fractions: tuple[float, ...], ratios: tuple[float, ...]
) -> list[Gain]:
    """Every synthetic arm against the best classical one; intervals widened for the number of comparisons.

    The level is 1 - 0.05 / (fractions × ratios) (Bonferroni), so that one false *helps* among all of them
    happens in at most one experiment of twenty. "Synthetic only" is shown at the same level, and never
    decides: nobody throws the real images away.
    """
    level = 1 - 0.05 / (len(fractions) * max(1, len(ratios)))
    gains = []
    for fraction in fractions:
        reference = best_classical(cells, fraction)
        baseline = [c.test for c in cells_of(cells, fraction, reference)]
        for arm in arms_of(ratios):
            if arm.synthetic_ratio > 0:
                probabilities = [c.test for c in cells_of(cells, fraction, arm.name)]
                gain = paired_gain(auroc, test.labels, probabilities, baseline, test.groups, level=level)
                gains.append(Gain(fraction, arm.name, reference, gain, _verdict(gain)))
    return gains


def _verdict(gain: Estimate) -> Verdict:
    return "helps" if gain.low > 0 else "harms" if gain.high < 0 else "no evidence"


def conclude(gains: list[Gain]) -> tuple[Verdict, str]:
    """The word on the whole, by the blended arms: helps if one does, harms if none helps and one harms."""
    deciding = [gain for gain in gains if gain.arm != SYNTHETIC_ONLY]
    verdict = next(v for v in ("helps", "harms", "no evidence") if any(g.verdict == v for g in deciding))
    shown = [gain for gain in deciding if gain.verdict == verdict]
    extreme = min if verdict == "harms" else max
    gain = extreme(shown, key=lambda gain: gain.auroc.value)
    words = {
        "helps": "Synthetic images help",
        "harms": "Synthetic images harm",
        "no evidence": "No evidence that synthetic images help",
    }
    auroc_gain = gain.auroc
    return gain.verdict, (
        f"{words[gain.verdict]}: {gain.arm} against {gain.reference}, "
        f"with {100 * gain.fraction:.3g} % of the labels, changes AUROC by {auroc_gain.value:+.4f} "
        f"[{auroc_gain.low:+.4f}, {auroc_gain.high:+.4f}] ({100 * auroc_gain.level:.4g} % interval)."
    )


def arm_table(experiment: Experiment, test: LabeledImages) -> list[dict[str, object]]:
    """Mean test scores of every arm over seeds; thresholds tuned on validation images."""
    rows: list[dict[str, object]] = []
    keys = dict.fromkeys((cell.fraction, cell.arm.name) for cell in experiment.cells)
    for fraction, name in keys:
        cells = cells_of(experiment.cells, fraction, name)
        row: dict[str, object] = {"fraction": fraction, "arm": name, "seeds": len(cells)}
        row["validation AUROC"] = float(np.mean([cell.val_auroc for cell in cells]))
        for score_name, score in SCORES.items():
            values = []
            for cell in cells:
                p = cell.test if cell.threshold is None else at_threshold(cell.test, cell.threshold)
                values.append(score(test.labels, p))
            row[score_name] = float(np.mean(values))
            if score_name == "AUROC":
                row["AUROC SD"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        row["images"] = cells[0].counts
        rows.append(row)
    return rows
