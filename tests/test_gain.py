"""The experiment: fair arms, no look at test images, and a verdict that only a true gain can move."""

from dataclasses import replace

import numpy as np
import pytest
from lightning_fabric import Fabric

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.phantom import phantom
from synthaug.classifiers.training import ClassifierConfig, TrainedClassifier, train_classifier
from synthaug.evaluation.arms import CLASSICAL, SYNTHETIC_ONLY, Arm, Cell, arms_of, cells_of, train_arms
from synthaug.evaluation.gain import best_classical, compare, conclude, run_experiment

FABRIC = Fabric(accelerator="cpu", devices=1)
CONFIG = ClassifierConfig(steps=2, batch_size=8)
BLEND = f"{CLASSICAL} + synthetic 0.5"


@pytest.fixture(scope="module")
def splits() -> Splits:
    parts = [
        replace(phantom(n, size=28, seed=seed), groups=None)
        for seed, n in enumerate([(24, 8), (8, 8), (8, 8)])
    ]
    return Splits(*parts, name="phantom")


class Resampler:
    """Gives real images again, a little brighter, as synthetic ones; remembers what it was asked."""

    def __init__(self, classes: tuple[int, ...] = (0, 1)):
        self.asked: list[tuple[LabeledImages, list[int], int]] = []
        self.classes = classes

    def __call__(self, real: LabeledImages, wanted: list[int], seed: int) -> LabeledImages:
        self.asked.append((real, wanted, seed))
        rng = np.random.default_rng(seed)
        rows = [rng.choice(np.flatnonzero(real.labels == k), wanted[k]) for k in self.classes]
        made = real.take(np.concatenate(rows))
        return replace(made, pixels=made.pixels // 2 + 99, synthetic=np.ones(len(made), dtype=bool))


class TestTheTrainings:
    @pytest.fixture
    def trained(self, splits, monkeypatch) -> tuple[list[Cell], Resampler, list[tuple]]:
        runs = []

        def watched(
            train: LabeledImages, val: LabeledImages, config: ClassifierConfig, fabric: Fabric
        ) -> TrainedClassifier:
            runs.append((train, val, config))
            return train_classifier(train, val, config, fabric)

        monkeypatch.setattr("synthaug.evaluation.arms.train_classifier", watched)
        synthesize = Resampler()
        options = {
            "fractions": (0.5, 1.0),
            "ratios": (0.25, 0.5),
            "seeds": 2,
            "config": CONFIG,
            "fabric": FABRIC,
        }
        return train_arms(splits, synthesize, **options), synthesize, runs

    def test_are_fair_and_complete(self, trained, splits):
        cells, synthesize, runs = trained
        arms = arms_of((0.25, 0.5))
        assert [(c.fraction, c.seed, c.arm) for c in cells] == [
            (fraction, seed, arm) for fraction in (0.5, 1.0) for seed in (0, 1) for arm in arms
        ]
        # one step budget, one seed per column, the same validation images
        for cell, (train, val, config) in zip(cells, runs, strict=True):
            assert cell.history[-1]["step"] == CONFIG.steps == config.steps
            assert config == replace(
                CONFIG, seed=cell.seed, balanced=cell.arm.classical, augment=cell.arm.classical
            )
            assert val is splits.val
            assert cell.counts["synthetic"] == train.take(train.synthetic).counts()
            assert train.synthetic.mean() == pytest.approx(cell.arm.synthetic_ratio, abs=0.02)
            assert cell.test.shape == (16, 2)
        # one labelled subset for all arms of a (fraction, seed), as large as said, and drawn anew per seed
        subsets = [real for real, _, _ in synthesize.asked]
        assert [len(subset) for subset in subsets] == [16, 16, 32, 32]
        assert subsets[0].digest() != subsets[1].digest()
        for number, (train, _, _) in enumerate(runs):
            subset = subsets[number // len(arms)]
            kept = train.take(~train.synthetic)
            assert len(kept) == 0 or kept.digest() == subset.digest()

    def test_hand_the_subset_and_nothing_else_to_the_generator(self, trained, splits):
        _, synthesize, _ = trained
        known = {image.tobytes() for image in splits.train.pixels}
        assert [seed for _, _, seed in synthesize.asked] == [0, 1, 0, 1]
        for real, wanted, _ in synthesize.asked:
            assert {image.tobytes() for image in real.pixels} <= known
            # enough for the largest need: the balanced synthetic set, and the blend's minority
            assert wanted == [len(real) // 2, max(len(real) // 2, 3 * len(real) // 4)]

    def test_are_the_same_twice(self, splits):
        options = {"fractions": (1.0,), "ratios": (0.5,), "seeds": 1, "config": CONFIG, "fabric": FABRIC}
        first, second = (train_arms(splits, Resampler(), **options) for _ in range(2))
        assert all(np.array_equal(a.test, b.test) for a, b in zip(first, second, strict=True))

    def test_go_without_synthetic_only_where_a_class_is_missing(self, splits):
        told: list[str] = []
        options = {"fractions": (1.0,), "ratios": (0.25,), "seeds": 2, "config": CONFIG, "fabric": FABRIC}
        found = run_experiment(splits, Resampler(classes=(1,)), on_cell=told.append, **options)
        assert SYNTHETIC_ONLY not in {cell.arm.name for cell in found.cells}
        assert told[0].startswith("100 % of the training labels, seed 0: no synthetic only")
        assert [gain.arm for gain in found.gains] == [f"{CLASSICAL} + synthetic 0.25"]

    def test_do_not_begin_with_too_few_synthetic_images(self, splits):
        told: list[str] = []
        options = {"fractions": (1.0,), "ratios": (0.5,), "seeds": 1, "config": CONFIG, "fabric": FABRIC}
        with pytest.raises(
            DataError, match=r"synthetic 0.5' needs \{'normal': 8, 'abnormal': 24\}, make more"
        ):
            train_arms(splits, lambda real, wanted, seed: real, on_cell=told.append, **options)
        assert told == []

    @pytest.mark.parametrize("ratios", [(), (0.0,), (1.0,), (0.5, 0.5)])
    def test_want_ratios_that_are_blends(self, ratios):
        with pytest.raises(UsageError, match="expected numbers between 0 and 1, each once"):
            arms_of(ratios)

    @pytest.mark.parametrize("fractions", [(), (0.0,), (1.5,), (1.0, 1.0)])
    def test_want_fractions_that_are_some(self, fractions, splits):
        with pytest.raises(UsageError, match="expected numbers above 0 and up to 1, each once"):
            train_arms(
                splits, Resampler(), fractions=fractions, ratios=(0.5,), seeds=1, config=CONFIG, fabric=FABRIC
            )

    def test_want_every_class_among_the_test_images(self, splits):
        lacking = replace(splits, test=splits.test.of_class(0))
        options = {"fractions": (1.0,), "ratios": (0.5,), "seeds": 1, "config": CONFIG, "fabric": FABRIC}
        with pytest.raises(DataError, match=r"test images .*'abnormal': 0.*: expected some of every class"):
            run_experiment(lacking, Resampler(), **options)


LABELS = np.repeat([0, 1], [300, 100])
TEST = LabeledImages(np.zeros((400, 1, 2, 2), np.uint8), LABELS, ("normal", "abnormal"))


def cells(
    effects: dict[str, float],
    *,
    shift: float = 0.0,
    fraction: float = 1.0,
    seeds: int = 3,
    val_auroc: dict[str, float] | None = None,
) -> list[Cell]:
    """Made-up trainings: `effects` moves abnormal from normal, `shift` all answers of synthetic arms."""
    known = {arm.name: arm for arm in arms_of((0.25, 0.5))}
    found = []
    for seed in range(seeds):
        shared = np.random.default_rng(seed).normal(size=400) + LABELS
        for name, effect in effects.items():
            arm: Arm = known[name]
            own = 0.1 * np.random.default_rng([seed, len(name)]).normal(size=400)
            logit = shared + own + effect * LABELS + (shift if arm.synthetic_ratio else 0) - 1
            p = 1 / (1 + np.exp(-logit))
            area = (val_auroc or {}).get(name, 0.5)
            probabilities = np.stack([1 - p, p], axis=1)
            found.append(Cell(fraction, seed, arm, {}, area, 0.5, probabilities, []))
    return found


def judged(made: list[Cell]) -> tuple[str, str]:
    return conclude(compare(made, TEST))


class TestTheVerdict:
    def test_is_helps_for_a_true_gain(self):
        verdict, sentence = judged(cells({"real": 0, CLASSICAL: 0, BLEND: 0.5}))
        assert verdict == "helps"
        assert sentence.startswith(f"Synthetic images help: {BLEND} against ")
        assert "with 100 % of the training labels, changes AUROC by +0." in sentence

    def test_is_harms_for_a_true_loss(self):
        verdict, sentence = judged(cells({"real": 0, CLASSICAL: 0, BLEND: -0.5}))
        assert verdict == "harms"
        assert "changes AUROC by -0." in sentence

    def test_is_no_evidence_where_nothing_changed(self):
        assert judged(cells({"real": 0, CLASSICAL: 0, BLEND: 0}))[0] == "no evidence"

    def test_is_no_evidence_where_the_operating_point_moved_only(self):
        made = cells({"real": 0, CLASSICAL: 0, BLEND: 0}, shift=1.0)
        sensitive = {
            name: np.mean([c.test[LABELS == 1, 1] >= 0.5 for c in cells_of(made, 1.0, name)])
            for name in (CLASSICAL, BLEND)
        }
        assert sensitive[BLEND] > sensitive[CLASSICAL] + 0.2  # what looks like a gain
        assert judged(made)[0] == "no evidence"

    def test_is_no_evidence_from_a_single_training(self):
        verdict, sentence = judged(cells({"real": 0, CLASSICAL: 0, BLEND: 2}, seeds=1))
        assert verdict == "no evidence"
        assert sentence.endswith("with one seed, which has no interval: run at least three.")

    @pytest.mark.parametrize("effect", [-2, 2])
    def test_is_never_decided_by_synthetic_images_alone(self, effect):
        gains = compare(cells({"real": 0, CLASSICAL: 0, BLEND: 0, SYNTHETIC_ONLY: effect}), TEST)
        assert {gain.arm: gain.verdict for gain in gains} == {
            BLEND: "no evidence",
            SYNTHETIC_ONLY: "helps" if effect > 0 else "harms",
        }
        assert conclude(gains)[0] == "no evidence"

    def test_is_against_the_classical_arm_of_the_best_validation(self):
        # the classical arm is better, validation says so, and synthetic images beat the plain one only
        effects = {"real": 0, CLASSICAL: 0.5, BLEND: 0.5}
        fair = compare(cells(effects, val_auroc={CLASSICAL: 0.8, "real": 0.7, BLEND: 0.9}), TEST)[0]
        assert (fair.reference, fair.verdict) == (CLASSICAL, "no evidence")
        # test images have no say in the choice
        blind = compare(cells(effects, val_auroc={CLASSICAL: 0.7, "real": 0.8}), TEST)[0]
        assert (blind.reference, blind.verdict) == ("real", "helps")

    def test_chooses_the_reference_at_each_fraction(self):
        made = cells({"real": 0, CLASSICAL: 0}, val_auroc={"real": 0.9}, fraction=0.1)
        made += cells({"real": 0, CLASSICAL: 0}, val_auroc={CLASSICAL: 0.9})
        assert [best_classical(made, fraction) for fraction in (0.1, 1.0)] == ["real", CLASSICAL]

    def test_is_held_to_a_higher_level_the_more_is_compared(self):
        effects = {"real": 0, CLASSICAL: 0, f"{CLASSICAL} + synthetic 0.25": 0, BLEND: 0, SYNTHETIC_ONLY: 0}
        one = compare(cells({"real": 0, CLASSICAL: 0, BLEND: 0, SYNTHETIC_ONLY: 0}), TEST)
        four = compare(cells(effects, fraction=0.1) + cells(effects), TEST)
        assert {gain.auroc.level for gain in one} == {0.95}
        assert len(four) == 6
        assert {gain.auroc.level for gain in four} == {0.9875}

    def test_names_the_comparison_that_decided(self):
        made = cells({"real": 0, CLASSICAL: 0, BLEND: 0.5}, fraction=0.1)
        made += cells({"real": 0, CLASSICAL: 0, BLEND: -0.5})
        verdict, sentence = judged(made)
        assert verdict == "helps"
        assert "10 % of the training labels" in sentence
