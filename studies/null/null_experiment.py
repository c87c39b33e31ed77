"""One experiment with a known truth, from its data to the verdict, by the real parts."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from null_kinds import EFFECT, KINDS, Kind, Synthesizer
from scipy import stats
from truth import CLASSIFIER, Truth

from synthaug._api.runtime import make_fabric
from synthaug.augment import progress
from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.training import ClassifierConfig
from synthaug.evaluation.experiment.data import ExperimentData
from synthaug.evaluation.experiment.design import Design
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.experiment.schedule import conduct
from synthaug.evaluation.gain.comparison import Gain, of_arm
from synthaug.evaluation.gain.planning import pilot_sd, subsets_needed
from synthaug.evaluation.gain.verdict import Experiment, compare_arms

Record = dict[str, Any]

CONFIG = ClassifierConfig(CLASSIFIER, steps=24, batch_size=32, lr=1e-2, interval=8)
VAL, TEST = [60, 60], [400, 400]
MOST_SUBSETS = 60  # of one planted experiment, whatever the planner says


def run_experiment(name: str, number: int, work: Path) -> Record:
    """Everything anew: the disease, its patients, labelled subsets, synthetic images, trainings, verdict."""
    progress.silence()
    start = time.process_time()
    kind = KINDS[name]
    seed = int(np.random.SeedSequence([kind.code, number]).generate_state(1)[0])
    with tempfile.TemporaryDirectory(dir=work) as folder:
        lab = laboratory(kind, Truth(seed), Path(folder))
        found, facts = conducted(kind, lab, kind.subsets), Record()
        if kind.part == "planted":
            facts = planned(found, kind)
            found = conducted(kind, lab, facts["subsets"])
    record: Record = {"kind": name, "number": number, "seed": seed, "verdict": found.verdict}
    record["choices"] = "by the other subsets"
    record |= {"subsets": kind.subsets} | facts | {"reference": found.gains[0].reference}
    record["gains"] = {gain.arm: said(gain) for gain in found.gains if gain.role in ("synthetic", "shown")}
    if kind.part == "threshold":
        record["at 0.5"] = at_one_half(found, lab.splits.test)
    return record | {"cpu_seconds": time.process_time() - start}


def laboratory(kind: Kind, truth: Truth, folder: Path) -> ExperimentData:
    """Validation and test images have the classes in equal numbers, whatever the training images have."""
    splits = Splits(truth.draw([*kind.train], 0), truth.draw(VAL, 1), truth.draw(TEST, 2), name=kind.name)
    return ExperimentData(splits, Synthesizer(kind.fake, truth), CONFIG, fabric, folder)


@cache
def fabric() -> Fabric:
    """One for all trainings of a process: making one takes a tenth of such a small training."""
    return make_fabric("cpu", "32-true")


def conducted(kind: Kind, lab: ExperimentData, subsets: int) -> Experiment:
    """All trainings, those that are not there yet, and the judgement."""
    design = Design((kind.amount,), subsets=subsets)
    return compare_arms(conduct(lab, design, ratios=kind.ratios, choice="core"), lab.splits)


def planned(pilot: Experiment, kind: Kind) -> Record:
    """How many subsets the planner wants, from the spread of the arm with the most synthetic images."""
    deciding = [gain for gain in pilot.gains if gain.verdict is not None]
    found = deciding[len(kind.ratios) - 1].difference
    sd = pilot_sd(found)
    needed = subsets_needed(EFFECT, sd, over_patients=found.over_patients, comparisons=len(deciding))
    facts: Record = {"pilot_subsets": kind.subsets, "pilot_sd": sd, "over_patients": found.over_patients}
    return facts | {"needed": needed, "subsets": min(max(needed, kind.subsets), MOST_SUBSETS)}


def said(gain: Gain) -> Record:
    """What is kept of a gain; the interval is the one of 95 %, before Holm."""
    plain = gain.difference.interval(0.95)
    known: Record = {"auroc": gain.auroc.value, "low": plain.low, "high": plain.high}
    return known | {"p_holm": gain.p_value, "verdict": gain.verdict}


def at_one_half(found: Experiment, test: LabeledImages) -> Record:
    """What a reader who thresholds at 0.5 sees: by arm the mean differences, and a paired t test."""
    gains, amount = found.gains, found.cells[0].unit.amount
    reference = of_arm(found.cells, amount, gains[0].reference)
    said: Record = {}
    for gain in gains:
        if gain.verdict is None:
            continue
        pairs = zip(of_arm(found.cells, amount, gain.arm), reference, strict=True)
        rates = [(*recalls(arm, test), *recalls(ours, test)) for arm, ours in pairs]
        specificity, sensitivity, *theirs = np.array(rates).T
        balanced = (specificity + sensitivity - theirs[0] - theirs[1]) / 2
        said[gain.arm] = {
            "sensitivity": float(np.mean(sensitivity - theirs[1])),
            "balanced_accuracy": float(balanced.mean()),
            "p": paired_p(balanced),
            "tuned_balanced_accuracy": gain.balanced_accuracy.value,
            "tuned_low": gain.balanced_accuracy.low,
        }
    return said


def recalls(cell: TrainingResult, test: LabeledImages) -> tuple[float, float]:
    """(specificity, sensitivity) at 0.5."""
    positive = cell.test[:, 1] > 0.5
    return float(np.mean(~positive[test.labels == 0])), float(np.mean(positive[test.labels == 1]))


def paired_p(differences: Sequence[float]) -> float:
    """One-sided, of a rise; 1 where nothing differs."""
    if not np.ptp(differences):
        return 1.0
    return float(stats.ttest_1samp(differences, 0, alternative="greater").pvalue)


def commit() -> str:
    """Of the code that runs here."""
    run = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(run, capture_output=True, text=True).stdout.strip() or "unknown"
