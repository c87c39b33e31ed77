"""Rare classes: by labelled training images alone, and their AUROC against the rest."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, known_arms
from sklearn.metrics import roc_auc_score

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.evaluation.classification import AurocOver
from synthaug.evaluation.experiment.design import ALL, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.comparison import compare
from synthaug.evaluation.gain.rare_classes import rare_classes
from synthaug.evaluation.reports.arm_table import RARE, arm_table

LABELS = np.repeat(np.arange(4), [60, 30, 20, 15])
TEST = LabeledImages(np.zeros((125, 1, 2, 2), np.uint8), LABELS, tuple("abcd"))
BLEND = f"{AUGMENTED} + synthetic 0.5"


def cells(counts: list[int], lift: int | None = None, subsets: int = 4) -> list[TrainingResult]:
    """The reference and a blend that knows class `lift` better; so many labelled images of each class."""
    found = []
    for subset in range(subsets):
        shared = np.random.default_rng(subset).normal(size=(125, 4)) + np.eye(4)[LABELS]
        for name in (AUGMENTED, BLEND):
            logits = shared + 0.1 * np.random.default_rng([subset, len(name)]).normal(size=(125, 4))
            if name == BLEND and lift is not None:
                logits[:, lift] += 2.0 * (lift == LABELS)
            said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            seen = {"real": dict(zip("abcd", counts, strict=True)), "synthetic": dict.fromkeys("abcd", 90)}
            found.append(
                TrainingResult(Unit(0, ALL, subset, 0), known_arms()[name], seen, 0.5, None, said, said, [])
            )
    return found


class TestRareClasses:
    def test_have_fewer_labelled_images_than_half_of_an_even_share(self):
        assert rare_classes(cells([70, 14, 10, 6])) == (2, 3)  # an even share is 25
        assert rare_classes(cells([49, 26, 13, 12])) == (3,)

    def test_are_none_where_labels_are_about_even(self):
        assert rare_classes(cells([25, 25, 25, 25])) == ()
        assert rare_classes(cells([27, 23, 26, 24])) == ()

    def test_are_the_same_for_all_subsets(self):
        mixed = cells([70, 14, 10, 6])
        short = replace(mixed[0], counts={"real": {"a": 72, "b": 9, "c": 13, "d": 6}, "synthetic": {}})
        assert rare_classes([short]) == (1, 3)
        assert rare_classes([short, *mixed[1:]]) == (2, 3)

    def test_are_none_of_two_classes(self):
        two = [replace(c, counts={"real": {"a": 90, "b": 10}, "synthetic": {}}) for c in cells([1, 1, 1, 1])]
        assert rare_classes(two) == ()

    def test_do_not_depend_on_test_images_or_synthetic_ones(self):
        # class d is the rarest of the test images, and synthetic images are many
        assert rare_classes(cells([10, 30, 30, 30])) == (0,)


class TestTheirAUROC:
    def test_is_the_mean_of_those_against_the_rest(self):
        rng = np.random.default_rng(0)
        said = rng.dirichlet(np.ones(4), len(LABELS)).round(1)  # with ties
        expected = np.mean([roc_auc_score(k == LABELS, said[:, k]) for k in (1, 3)])
        assert AurocOver((1, 3))(LABELS, said) == pytest.approx(expected)

    def test_over_a_class_that_is_not_there_says_so(self):
        with pytest.raises(DataError, match="0 positive images"):
            AurocOver((4,))(LABELS, np.full((125, 5), 0.2))


class TestAGainOverThem:
    def test_stands_beside_the_gain_over_all_and_does_not_decide(self):
        (gain,) = compare(cells([70, 14, 10, 6], lift=3), TEST, {ALL: AUGMENTED})
        assert gain.rare_auroc.low > gain.auroc.value > 0
        assert gain.rare_auroc.level == 0.95
        common, rare = (compare(cells([10, 30, 30, 30], lift=k), TEST, {ALL: AUGMENTED})[0] for k in (3, 0))
        assert common.verdict == rare.verdict == "helps"
        assert common.rare_auroc.value < 0.5 * rare.rare_auroc.value

    def test_is_none_where_no_class_is_rare(self):
        assert compare(cells([25, 25, 25, 25]), TEST, {ALL: AUGMENTED})[0].rare_auroc is None

    def test_has_a_column_in_the_table_of_arms(self):
        found = cells([70, 14, 10, 6], lift=3)
        rows = arm_table(found, TEST, TEST)
        means = [np.mean([AurocOver((2, 3))(LABELS, c.test) for c in found[k::2]]) for k in (0, 1)]
        assert [row[RARE] for row in rows] == pytest.approx(means)
        assert RARE not in arm_table(cells([25, 25, 25, 25]), TEST, TEST)[0]
