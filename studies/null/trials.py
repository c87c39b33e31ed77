"""The intervals that synthaug prints, each in the design that it is used in, as trials that hold or miss."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from fast_simulation import CHOSEN, Experiment
from scipy import stats
from simulated import Simulation

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.classification import balanced_accuracy, decide, tune_threshold
from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.jackknife import estimate
from synthaug.evaluation.fidelity.metrics import score_all
from synthaug.evaluation.fidelity.pairs import score_of_pairs
from synthaug.evaluation.gain.closure import gap_closure
from synthaug.evaluation.gain.delong import delong
from synthaug.evaluation.hierarchy import Difference, PairedTraining, paired_difference
from synthaug.evaluation.memorization.nearness import membership_auroc, proportion
from synthaug.evaluation.protocol import Part
from synthaug.evaluation.score import Protocol
from synthaug.evaluation.statistics import Estimate, bootstrap

Values = npt.NDArray[np.float64]
Row = tuple[str, str, Callable[[np.random.Generator], bool]]  # interval, design, whether it held the truth

NAMES = ("normal", "abnormal")
# a thousand resamples each, or tens of subsets: a quarter as many intervals
RESAMPLED = ("AUROC of", "balanced accuracy", "the same, for other val", "KID", "FID", "recall", "membership")
SEPARATION = 1.5
AREA = float(stats.norm.cdf(SEPARATION / 2**0.5))


def rows() -> Iterator[Row]:
    """Every interval, by where it is printed."""
    for subsets, donors, what in (
        (4, 1, "4 subsets"),
        (8, 1, "8 subsets"),
        (1, 3, "3 donors"),
        (1, 8, "8 donors"),
    ):
        kind = Simulation(subsets, 3, donors, val=500, gain=0.02, of_generator=0.01 * (donors > 1))
        yield "gain in AUROC, fixed ratio", f"{what}, 200 test images", gain_of(kind, "0.5", 0.02)
    null = Simulation(8, 3, choice="full", val=500)
    yield "gain in AUROC, ratio chosen on validation", "8 subsets, all arms alike", gain_of(null, CHOSEN, 0.0)
    for drawn, words in ((0.1, "a tenth"), (0.25, "a quarter"), (0.5, "half")):
        design = f"8 subsets of {words} of 80 patients"
        yield "gain, for other training patients", design, new_patients(drawn, widened=True)
        yield "the same, as if subsets shared nobody", design, new_patients(drawn, widened=False)
    yield "gain in accuracy or balanced accuracy", "6 subsets, fixed thresholds", balanced_gain
    yield "share of the gap to all labels", "8 subsets", closure
    yield "one training against one (DeLong)", "60 test images", one_pair
    for n in (60, 500):
        yield "AUROC of a classifier", f"{n} test images", classifier_area(n)
    yield "AUROC of a classifier", "60 patients of 3 images", classifier_area(180, 3)
    for n in (60, 500):
        yield "balanced accuracy, this threshold", f"tuned on {n} validation images", threshold(n, fixed=True)
        yield (
            "the same, for other validation images",
            f"tuned on {n} validation images",
            threshold(n, fixed=False),
        )
    yield "KID beside its floor (gap)", "100 images, 8 dimensions", fidelity("KID", 1)
    yield "KID beside its floor (gap)", "40 patients of 3 images in both sets", fidelity("KID", 3)
    yield "FID beside its floor (gap)", "100 images, 8 dimensions", fidelity("FID", 1)
    yield "recall beside its floor (gap)", "100 images, 8 dimensions", fidelity("recall", 1)
    yield "nearest-real PSNR and the like (gap)", "60 images a set", pairs(1)
    yield "nearest-real PSNR and the like (gap)", "20 patients of 5 images in both sets", pairs(5)
    yield "share of near copies", "300 images, 2 % near copies", near_copies
    yield "membership attack, AUROC", "50 members, 50 others", membership


def gain_of(simulation: Simulation, arm: str, truth: float) -> Callable[[np.random.Generator], bool]:
    def covers(rng: np.random.Generator) -> bool:
        experiment = Experiment(simulation, int(rng.integers(2**31)))
        return holds(experiment.outcome().differences[arm].interval(), truth)

    return covers


def new_patients(drawn: float, *, widened: bool) -> Callable[[np.random.Generator], bool]:
    """Each training patient is worth something for the difference, each training has luck of its own."""

    def covers(rng: np.random.Generator) -> bool:
        worth = rng.normal(size=80)
        values = np.array(
            [worth[rng.permutation(80)[: round(80 * drawn)]].mean() + 0.05 * rng.normal() for _ in range(8)]
        )
        found = Difference(float(values.mean()), float(values.std(ddof=1)) / 8**0.5, 0.0, "subset", 8)
        return holds(found.for_new_patients(drawn if widened else 0.0), 0.0)

    return covers


def trainings(rng: np.random.Generator, labels: npt.NDArray[np.int64], subsets: int) -> list[PairedTraining]:
    """Of two arms that are alike."""
    hard = rng.normal(size=len(labels))
    return [
        PairedTraining(
            0,
            k,
            0,
            *(probabilities(hard + SEPARATION * labels + 0.5 * rng.normal(size=len(labels))) for _ in "ab"),
        )
        for k in range(subsets)
    ]


def balanced_gain(rng: np.random.Generator) -> bool:
    labels = np.arange(200) % 2
    decided = [
        PairedTraining(0, p.subset, 0, decide(p.arm, 0.6), decide(p.reference, 0.6))
        for p in trainings(rng, labels, 6)
    ]
    return holds(paired_difference(balanced_accuracy, labels, decided).interval(), 0.0)


def closure(rng: np.random.Generator) -> bool:
    """Arm and ceiling are better by known amounts; the truth is their quotient."""
    labels = np.arange(200) % 2
    hard = rng.normal(size=200)
    skills = np.array([1.0, 1.6, 2.4])
    areas = stats.norm.cdf(skills / (2 * 1.25) ** 0.5)
    answers = [
        [probabilities(hard + skill * labels + 0.5 * rng.normal(size=200)) for skill in skills]
        for _ in range(8)
    ]

    def difference(a: int, b: int) -> Difference:
        return paired_difference(
            auroc, labels, [PairedTraining(0, k, 0, one[a], one[b]) for k, one in enumerate(answers)]
        )

    found = gap_closure(difference(1, 0), difference(2, 0), difference(1, 2))
    truth = float((areas[1] - areas[0]) / (areas[2] - areas[0]))
    return found is not None and holds(found, truth)


def one_pair(rng: np.random.Generator) -> bool:
    labels = np.arange(60) % 2
    (pair,) = trainings(rng, labels, 1)
    return holds(delong(labels, pair.arm, pair.reference).interval(), 0.0)


def classifier_area(n: int, images: int = 1) -> Callable[[np.random.Generator], bool]:
    def covers(rng: np.random.Generator) -> bool:
        test, answers = classified(rng, n, images)
        return holds(bootstrap(auroc, test.labels, answers, test.groups), AREA)

    return covers


def threshold(val: int, *, fixed: bool) -> Callable[[np.random.Generator], bool]:
    """Balanced accuracy at a tuned threshold: this one, or those that validation images give on average."""
    best = mean_balanced_accuracy(val)

    def covers(rng: np.random.Generator) -> bool:
        held_out, answers = classified(rng, val)
        at = tune_threshold(held_out.labels, answers)
        test, predicted = classified(rng, 200)
        truth = true_balanced_accuracy(at) if fixed else best
        return holds(bootstrap(balanced_accuracy, test.labels, decide(predicted, at)), truth)

    return covers


def mean_balanced_accuracy(val: int) -> float:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        held_out, answers = classified(rng, val)
        found.append(true_balanced_accuracy(tune_threshold(held_out.labels, answers)))
    return float(np.mean(found))


def true_balanced_accuracy(at: float) -> float:
    """Of `classified` images at a threshold."""
    logit = np.log(at / (1 - at)) if 0 < at < 1 else np.sign(at - 0.5) * 50
    cut = logit + SEPARATION / 2
    return float((stats.norm.cdf(cut) + stats.norm.sf(cut - SEPARATION)) / 2)


def fidelity(metric: str, images: int) -> Callable[[np.random.Generator], bool]:
    """Of sets of one distribution: the true gap is none."""

    def covers(rng: np.random.Generator) -> bool:
        n = 100 if images == 1 else 40 * images
        reference, floor, other = (features(rng, size, images) for size in (3 * n, n, n))
        found = estimate(
            score_all, reference, floor, other, [metric], rounds=30, seed=int(rng.integers(2**31))
        )
        return holds(found[metric][2], 0.0)

    return covers


def features(rng: np.random.Generator, n: int, images: int) -> Features:
    of_patient = rng.normal(size=(n // images, 8)).repeat(images, axis=0)
    vectors = (of_patient + 0.5 * rng.normal(size=(n, 8))).astype(np.float32)
    return Features(
        vectors, groups=None if images == 1 else np.arange(n // images).repeat(images).astype(str)
    )


def pairs(images: int) -> Callable[[np.random.Generator], bool]:
    def covers(rng: np.random.Generator) -> bool:
        n = 60 if images == 1 else 20 * images
        sides = [rng.normal(size=n // images).repeat(images) + 0.5 * rng.normal(size=n) for _ in range(2)]
        patients = None if images == 1 else np.arange(n // images).repeat(images).astype(str)
        rows = np.arange(n)
        score = score_of_pairs(
            "PSNR",
            Part("overall", rows, rows, rows),
            Protocol("pairs", "PSNR", "28 px"),
            *sides,
            n_reference=n,
            patients=patients,
            made_patients=patients,
        )
        return holds(score.gap, 0.0)

    return covers


def near_copies(rng: np.random.Generator) -> bool:
    return holds(proportion(rng.random(300) < 0.02), 0.02)


def membership(rng: np.random.Generator) -> bool:
    return holds(membership_auroc(rng.random(50), rng.random(50), seed=int(rng.integers(2**31))), 0.5)


def classified(rng: np.random.Generator, n: int, images: int = 1) -> tuple[LabeledImages, Values]:
    """Test images of patients, and what a classifier of known AUROC predicts."""
    labels = (np.arange(n // images) % 2).repeat(images)
    shared = rng.normal(size=n // images).repeat(images)
    noise = shared if images == 1 else (shared + rng.normal(size=n)) / 2**0.5
    groups = None if images == 1 else np.arange(n // images).repeat(images).astype(str)
    test = LabeledImages(np.zeros((n, 1, 1, 1), np.uint8), labels, NAMES, groups=groups)
    return test, probabilities(noise + SEPARATION * (labels - 0.5))


def probabilities(logits: Values) -> Values:
    abnormal = 1 / (1 + np.exp(-logits))
    return np.stack([1 - abnormal, abnormal], axis=1)


def holds(interval: Estimate, truth: float) -> bool:
    return bool(interval.low - 1e-12 <= truth <= interval.high + 1e-12)
