"""Gains over nested trainings: intervals cover as often as they say, p and Holm agree with them."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from synthaug.augment.errors import DataError
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.hierarchy import (
    Difference,
    PairedTraining,
    holm,
    paired_difference,
)
from synthaug.evaluation.statistics import resample_groups

LABELS = np.repeat([0, 1], [60, 40])


def probabilities(of_one: np.ndarray) -> np.ndarray:
    """(N,) scores -> (N, 2), between 0 and 1."""
    one = 1 / (1 + np.exp(-of_one))
    return np.stack([1 - one, one], axis=1)


def trainings(
    rng: np.random.Generator,
    design: tuple[int, int, int],
    *,
    gain: float = 0.0,
    between: tuple[float, float, float] = (0.2, 0.2, 0.2),
    images: float = 0.5,
    patients: float = 0.5,
    labels: np.ndarray = LABELS,
    groups: np.ndarray | None = None,
) -> list[PairedTraining]:
    """Paired trainings whose arms separate the classes 1.5 ± half the gain apart.

    The arms' separations and noises are exchangeable at gain 0, so the true AUROC difference is 0 exactly.

    Args:
        design: generators, subsets of each, initialisations of each.
        between: standard deviations of the gain at these levels; a single generator has none to show.
        images: noise that each training has on each image for itself.
        patients: noise that an arm has on each patient in all its trainings.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    hard = rng.normal(size=len(labels))  # some images are hard for everyone
    of_arm = patients * rng.normal(size=(2, groups.max() + 1))[:, groups]
    pairs = []
    for generator in range(design[0]):
        of_generator = rng.normal(0, between[0]) if design[0] > 1 else 0
        for subset in range(design[1]):
            of_subset = rng.normal(0, between[1])
            for init in range(design[2]):
                half = (gain + of_generator + of_subset + rng.normal(0, between[2])) / 2
                noise = of_arm + images * rng.normal(size=(2, len(labels)))
                arm, reference = (
                    probabilities(hard + (1.5 + sign * half) * labels + own)
                    for sign, own in zip((1, -1), noise, strict=True)
                )
                pairs.append(PairedTraining(generator, subset, init, arm, reference))
    return pairs


def coverage(design: tuple[int, int, int], times: int, seed: int = 0, **spreads) -> float:
    """How often the interval holds the true difference, which is zero."""
    rng = np.random.default_rng(seed)
    labels, groups = spreads.get("labels", LABELS), spreads.get("groups")
    found = [
        paired_difference(auroc, labels, trainings(rng, design, **spreads), groups).interval()
        for k in range(times)
    ]
    return float(np.mean([e.low <= 0 <= e.high for e in found]))


class TestCoverage:
    """Three clusters cover more than they say, as Howe's interval does, and nothing covers less."""

    designs = pytest.mark.parametrize(
        ("design", "most"),
        [((3, 4, 1), 0.99), ((1, 8, 2), 0.975), ((8, 1, 1), 0.975), ((10, 1, 2), 0.975)],
        ids=str,
    )

    @designs
    def test_of_nested_trainings_and_patients(self, design, most):
        # 400 intervals: a standard error of 1 %
        assert 0.93 <= coverage(design, times=400) <= most + 0.01

    @pytest.mark.slow
    @designs
    @pytest.mark.parametrize(
        "spreads",
        [
            {},
            {"between": (0.4, 0.0, 0.0)},
            {"between": (0.0, 0.4, 0.4)},
            {"between": (0.0, 0.0, 0.0), "images": 1.0, "patients": 0.0},
            {"between": (0.0, 0.0, 0.0), "images": 0.0, "patients": 1.0},
            {"patients": 1.0, "groups": np.arange(100) // 2},
            {"labels": np.repeat([0, 1], [150, 15])},
        ],
        ids=["all", "generators", "inner", "images", "patients", "grouped", "rare"],
    )
    def test_whichever_spread_is_the_largest(self, design, most, spreads):
        assert 0.94 <= coverage(design, times=2000, **spreads) <= most

    def test_of_three_generators_fails_where_their_trainings_count_as_independent(self):
        rng = np.random.default_rng(0)
        found = []
        for _ in range(150):
            pairs = trainings(rng, (3, 4, 1), between=(0.5, 0.0, 0.0), images=0.1, patients=0.1)
            flat = [replace(pair, generator=0, subset=i) for i, pair in enumerate(pairs)]
            interval = paired_difference(auroc, LABELS, flat).interval()
            found.append(interval.low <= 0 <= interval.high)
        assert np.mean(found) < 0.9


class TestPairedDifference:
    @pytest.mark.parametrize(
        ("design", "outer", "clusters"),
        [
            ((3, 4, 2), "generator", 3),
            ((1, 5, 2), "subset", 5),
            ((1, 1, 4), "initialisation", 4),
            ((1, 1, 1), "initialisation", 1),
        ],
    )
    def test_takes_its_freedom_from_the_outermost_level_with_more_than_one_member(
        self, design, outer, clusters
    ):
        found = paired_difference(auroc, LABELS, trainings(np.random.default_rng(0), design))
        assert (found.outer, found.clusters) == (outer, clusters)

    def test_error_over_trainings_is_that_of_a_hierarchical_bootstrap_without_its_bias(self):
        pairs = trainings(np.random.default_rng(0), (4, 3, 2))
        found = paired_difference(auroc, LABELS, pairs)
        values = np.array([auroc(LABELS, p.arm) - auroc(LABELS, p.reference) for p in pairs]).reshape(4, 3, 2)
        rng = np.random.default_rng(0)
        # G - 1 of G generators remove the bias (McCarthy & Snowden 1985); each brings all it holds
        drawn = values.mean((1, 2))[rng.integers(4, size=(20_000, 3))].mean(1)
        assert found.over_trainings == pytest.approx(drawn.std(), rel=0.03)
        assert found.value == pytest.approx(values.mean())

    def test_weighs_generators_alike_however_many_trainings_each_has(self):
        pairs = trainings(np.random.default_rng(0), (3, 2, 2))[:-1]  # one initialisation is missing
        gains = [auroc(LABELS, p.arm) - auroc(LABELS, p.reference) for p in pairs]
        found = paired_difference(auroc, LABELS, pairs)
        means = [np.mean(gains[:4]), np.mean(gains[4:8]), np.mean([np.mean(gains[8:10]), gains[10]])]
        assert found.value == pytest.approx(np.mean(means))
        assert found.over_trainings == pytest.approx(np.std(means, ddof=1) / 3**0.5)

    def test_does_not_depend_on_the_order_of_the_trainings(self):
        pairs = trainings(np.random.default_rng(0), (3, 2, 2))
        there, back = (paired_difference(auroc, LABELS, order) for order in (pairs, pairs[::-1]))
        assert there.interval().low == pytest.approx(back.interval().low, abs=1e-12)

    def test_counts_noise_of_each_training_once(self):
        rng = np.random.default_rng(0)
        drawn = [trainings(rng, (1, 12, 1), between=(0, 0, 0), images=1, patients=0) for _ in range(5)]
        found = [paired_difference(auroc, LABELS, pairs) for pairs in drawn]
        # the spread between trainings holds it; the plain variance over images would hold as much again
        assert np.mean([d.over_patients for d in found]) < 0.5 * np.mean([d.over_trainings for d in found])

    def test_keeps_the_patients_error_where_all_trainings_agree(self):
        (one,) = trainings(np.random.default_rng(0), (1, 1, 1), patients=1)
        pairs = [PairedTraining(0, subset, 0, one.arm, one.reference) for subset in range(5)]
        found = paired_difference(auroc, LABELS, pairs)
        resampled = [
            auroc(LABELS[rows], one.arm[rows]) - auroc(LABELS[rows], one.reference[rows])
            for rows in resample_groups(LABELS, None, 300, seed=0)
        ]
        assert found.over_trainings == pytest.approx(0, abs=1e-12)
        assert found.over_patients == pytest.approx(np.std(resampled), rel=0.06)

    def test_of_patients_with_many_images_is_wider_than_of_as_many_patients(self):
        groups = np.arange(100) // 4
        rng = np.random.default_rng(0)
        pairs = trainings(rng, (1, 6, 1), between=(0, 0, 0), images=0.1, patients=1, groups=groups)
        whole, apart = (paired_difference(auroc, LABELS, pairs, g) for g in (groups, None))
        assert whole.over_patients > 1.3 * apart.over_patients

    def test_finds_a_planted_difference(self):
        rng = np.random.default_rng(0)
        spreads = {"between": (0.1, 0.1, 0.1), "images": 0.3, "patients": 0.1, "gain": 1.0}
        found = [paired_difference(auroc, LABELS, trainings(rng, (8, 1, 1), **spreads)) for _ in range(20)]
        assert np.mean([d.interval().low > 0 for d in found]) > 0.9

    def test_of_one_training_is_infinite_and_no_evidence(self):
        found = paired_difference(auroc, LABELS, trainings(np.random.default_rng(0), (1, 1, 1), gain=2))
        assert found.value > 0
        assert (found.interval().low, found.interval().high, found.p_value) == (-np.inf, np.inf, 1)

    def test_of_identical_arms_is_zero(self):
        pairs = [replace(p, reference=p.arm) for p in trainings(np.random.default_rng(0), (3, 2, 1))]
        found = paired_difference(auroc, LABELS, pairs)
        assert (found.interval().low, found.interval().high, found.p_value) == (0, 0, 1)

    def test_of_no_training_or_one_patient_of_a_class_says_what_lacks(self):
        pairs = trainings(np.random.default_rng(0), (1, 2, 1))
        with pytest.raises(DataError, match="no paired trainings"):
            paired_difference(auroc, LABELS, [])
        with pytest.raises(DataError, match="one test patient"):
            paired_difference(auroc, LABELS, pairs, np.where(LABELS == 1, 0, np.arange(100)))


class TestNewTrainingPatients:
    """Nadeau & Bengio: subsets of the same patients agree more than subsets of others would."""

    @pytest.mark.parametrize("drawn", [0.1, 0.5])
    def test_are_covered_where_subsets_overlap(self, drawn):
        rng, covered, naive = np.random.default_rng(0), [], []
        for _ in range(600):
            worth = rng.normal(size=60)  # what each training patient adds to the difference
            chosen = [rng.permutation(60)[: round(drawn * 60)] for _ in range(8)]
            values = np.array([worth[rows].mean() for rows in chosen])
            found = Difference(values.mean(), values.std(ddof=1) / 8**0.5, 0.0, "subset", 8)
            wide, plain = found.for_new_patients(drawn), found.interval()
            covered.append(wide.low <= 0 <= wide.high)
            naive.append(plain.low <= 0 <= plain.high)
        assert np.mean(covered) >= 0.93
        assert np.mean(naive) < (0.95 if drawn == 0.1 else 0.75)

    def test_cannot_be_told_of_where_all_subsets_are_all_patients(self):
        found = Difference(0.1, 0.01, 0.0, "subset", 8).for_new_patients(1.0)
        assert (found.low, found.high) == (-np.inf, np.inf)

    def test_of_subsets_that_share_nobody_are_those_of_the_interval(self):
        found = Difference(0.1, 0.01, 0.02, "subset", 8, 30.0)
        assert found.for_new_patients(0.0) == found.interval()


class TestPValue:
    @pytest.mark.parametrize(
        "difference",
        [
            Difference(0.03, 0.01, 0.008, "generator", 3, 50.0),
            Difference(-0.02, 0.004, 0.0, "subset", 8),
            Difference(0.001, 0.01, 0.02, "subset", 12),
            Difference(0.4, 0.01, 0.01, "subset", 10),
        ],
        ids=["few", "negative", "nothing", "plain"],
    )
    def test_is_where_the_interval_touches_zero(self, difference):
        touching = difference.interval(1 - difference.p_value)
        nearest = min(abs(touching.low), abs(touching.high))
        assert nearest == pytest.approx(0, abs=1e-4)

    def test_of_a_difference_without_any_error_is_zero(self):
        assert Difference(0.1, 0, 0, "subset", 5).p_value == 0


class TestHolm:
    @pytest.fixture
    def differences(self) -> dict[str, Difference]:
        values = (0.05, 0.028, -0.024, 0.004, 0.03)
        return {f"arm {k}": Difference(v, 0.008, 0.006, "subset", 12) for k, v in enumerate(values)}

    def test_agrees_with_statsmodels(self, differences):
        steps = holm(differences)
        p_values = [d.p_value for d in differences.values()]
        rejected, adjusted, *_ = multipletests(p_values, 0.05, method="holm")
        assert list(steps) == list(differences)
        assert [s.rejected for s in steps.values()] == list(rejected)
        assert [s.p_adjusted for s in steps.values()] == pytest.approx(adjusted)
        assert 0 < sum(rejected) < len(rejected)

    def test_gives_each_interval_the_level_of_its_step(self, differences):
        steps = sorted(holm(differences).values(), key=lambda step: step.p_adjusted)
        assert [s.estimate.level for s in steps] == pytest.approx([1 - 0.05 / k for k in (5, 4, 3, 2, 1)])
        for step in steps[: sum(s.rejected for s in steps)]:
            assert step.estimate.low > 0 or step.estimate.high < 0

    def test_stops_at_the_first_that_fails(self):
        # the second is at p = .03 against .05, but the first failed at p = .03 against .025
        alike = {name: Difference(0.0217, 0.01, 0, "subset", 10_000) for name in "ab"}
        first, second = sorted(holm(alike).values(), key=lambda step: -step.estimate.level)
        assert second.estimate.low > 0
        assert not first.rejected
        assert not second.rejected
        assert first.p_adjusted == second.p_adjusted == pytest.approx(2 * 0.030, abs=0.001)

    def test_of_null_comparisons_rejects_any_in_five_per_cent_of_the_families(self):
        rng = np.random.default_rng(0)
        families = 0
        for _ in range(200):
            drawn = rng.normal(0, 0.01, size=(3, 8))
            found = {
                k: Difference(d.mean(), d.std(ddof=1) / 8**0.5, 0, "subset", 8)
                for k, d in zip("abc", drawn, strict=True)
            }
            families += any(step.rejected for step in holm(found).values())
        assert 0.02 <= families / 200 <= 0.08
