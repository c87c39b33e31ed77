"""One training against one: each pair is told of by itself, at its own thresholds."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, BLEND, LABELS, REAL, made_up

from synthaug.evaluation.classification import decide
from synthaug.evaluation.experiment.arms import CEILING
from synthaug.evaluation.experiment.design import ALL, Amount
from synthaug.evaluation.gain.comparison import of_arm, paired_cells
from synthaug.evaluation.gain.delong import delong, mcnemar
from synthaug.evaluation.gain.single_pairs import single_pairs

EFFECTS = {REAL: 0.0, AUGMENTED: 0.0, BLEND: 0.5, CEILING: 1.0}


def test_each_unit_is_tested_by_itself():
    cells = made_up(EFFECTS)
    ours, theirs = of_arm(cells, ALL, BLEND), of_arm(cells, ALL, AUGMENTED)
    found = single_pairs(paired_cells(ours, theirs), LABELS)
    assert [pair.unit.subset for pair in found] == [0, 1, 2, 3]
    for pair, arm, reference in zip(found, ours, theirs, strict=True):
        expected = delong(LABELS, arm.test, reference.test)
        assert pair.delong == expected
        assert pair.value == pytest.approx(expected.value)
        assert (pair.arm, pair.reference) == (BLEND, AUGMENTED)


def test_decisions_are_taken_at_the_threshold_of_each_training():
    ours, theirs = (of_arm(made_up(EFFECTS, subsets=1), ALL, name)[0] for name in (BLEND, AUGMENTED))
    moved = replace(ours, threshold=0.8)
    (pair,) = single_pairs(paired_cells([moved], [theirs]), LABELS)
    assert pair.mcnemar == mcnemar(LABELS, decide(ours.test, 0.8), decide(theirs.test, 0.5))
    assert pair.mcnemar != mcnemar(LABELS, decide(ours.test, 0.5), decide(theirs.test, 0.5))


def test_the_ceiling_stands_beside_every_subset_of_its_donor():
    cells = made_up(EFFECTS, amount=Amount(0.1), donors=2, subsets=2)
    pairs = paired_cells(*(of_arm(cells, Amount(0.1), name) for name in (CEILING, AUGMENTED)))
    assert len(pairs) == 4
    assert {(unit.donor, arm.unit.donor) for unit, (arm, _) in pairs.items()} == {(0, 0), (1, 1)}


def test_more_than_two_classes_have_no_interval_of_delong():
    three = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    cells = [replace(c, test=three, threshold=None) for c in made_up(EFFECTS, subsets=1)]
    labels = np.arange(400) % 3
    (pair,) = single_pairs(paired_cells(cells[:1], cells[1:2]), labels)
    assert pair.delong is None
    assert (pair.value, pair.mcnemar.p_value) == (0, 1)


def test_a_class_of_one_test_image_has_none_either():
    labels = (np.arange(400) == 0).astype(np.int64)
    cells = made_up(EFFECTS, subsets=1)
    assert single_pairs(paired_cells(cells[:1], cells[1:2]), labels)[0].delong is None
