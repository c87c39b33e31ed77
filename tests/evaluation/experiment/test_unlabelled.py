"""Unlabelled images: whose they may not be, labels that nobody looks at, and pseudo-labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from experiment_fixtures import laboratory, names, tiny_splits

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.fingerprint import canonical_fingerprints
from synthaug.augment.images import LabeledImages, Splits, concatenate
from synthaug.augment.pseudonym import without_names
from synthaug.evaluation.experiment.arms import AUGMENTED, REAL, Arm, competing_arms
from synthaug.evaluation.experiment.data import ExperimentData
from synthaug.evaluation.experiment.design import ALL, Amount, Design, Unit
from synthaug.evaluation.experiment.procedures import train_cell
from synthaug.evaluation.experiment.results import cell_path, read_result, write_cell
from synthaug.evaluation.experiment.schedule import conduct
from synthaug.evaluation.experiment.unlabelled import pseudo_labelled, unlabelled

HALF = Amount(0.5)
UNIT = Unit(0, HALF, 0, 0)
FULL = {"ratios": (0.5,), "choice": "full"}
PSEUDO = Arm(f"pseudo-labels, {AUGMENTED.name}", "competitor", "pseudo-labelled", AUGMENTED)


def others(n: int = 20) -> LabeledImages:
    """Images that stand in no split of `tiny_splits`."""
    return phantom([n // 2, n // 2], size=28, seed=9)


def shared(one: LabeledImages, other: LabeledImages) -> int:
    return int(np.isin(canonical_fingerprints(one), canonical_fingerprints(other)).sum())


def with_patients(images: LabeledImages, groups: np.ndarray) -> LabeledImages:
    return replace(images, groups=groups.astype(str))


def cell_bytes(folder: Path) -> dict[str, bytes]:
    paths = sorted((folder / "cells").rglob("*.npz"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class TestHeldOutImages:
    @pytest.mark.parametrize("part", ["val", "test"])
    def test_are_left_out_by_content(self, part):
        splits = tiny_splits()
        found = unlabelled(concatenate([replace(others(), groups=None), getattr(splits, part)]), splits)
        assert len(found) == 20
        assert not shared(found, getattr(splits, part))

    @pytest.mark.parametrize("part", ["val", "test"])
    def test_are_left_out_in_another_light(self, part):
        splits = tiny_splits()
        held_out = getattr(splits, part)
        found = unlabelled(replace(held_out, pixels=held_out.pixels[..., ::-1] // 4 * 4), splits)
        assert not len(found)

    @pytest.mark.parametrize("name", [lambda images: images, without_names])
    @pytest.mark.parametrize("part", ["val", "test"])
    def test_are_left_out_with_every_other_image_of_their_patients(self, part, name):
        splits = tiny_splits(groups=True)
        theirs = name(with_patients(others(16), getattr(splits, part).groups))
        assert len(unlabelled(with_patients(others(16), np.arange(16)), splits)) == 16
        assert not len(unlabelled(theirs, splits))


class TestTheRest:
    def test_is_all_that_the_subset_is_not(self, tmp_path):
        splits = tiny_splits()
        lab = laboratory(tmp_path, splits, unlabelled=unlabelled(splits.train, splits))
        rest, labelled = lab.unlabelled_images(UNIT), lab.labelled(UNIT)
        assert len(rest) + len(labelled) == len(splits.train)
        assert not shared(rest, labelled)
        assert lab.lent(UNIT) is rest

    def test_has_no_patient_of_the_donor_and_the_donor_gets_none_of_it(self, tmp_path):
        splits = two_of_each_patient()
        lab = laboratory(tmp_path, splits, donor_share=0.5, unlabelled=unlabelled(splits.train, splits))
        for donor in (0, 1):
            unit = replace(UNIT, donor=donor)
            rest, theirs = lab.unlabelled_images(unit), lab.donor_images(unit)
            assert len(rest)
            assert not set(rest.groups) & (set(theirs.groups) | set(lab.labelled(unit).groups))
            assert not shared(rest, theirs)
            assert lab.lent(lab.source(unit)) is None

    def test_knows_the_donor_by_content_where_no_patient_is_known(self, tmp_path):
        splits = tiny_splits()
        lab = laboratory(tmp_path, splits, donor_share=0.5, unlabelled=unlabelled(splits.train, splits))
        assert len(lab.unlabelled_images(UNIT))
        assert not shared(lab.unlabelled_images(UNIT), lab.donor_images(UNIT))

    def test_of_all_labels_is_none(self, tmp_path):
        splits = tiny_splits()
        lab = laboratory(tmp_path, splits, unlabelled=unlabelled(splits.train, splits))
        with pytest.raises(DataError, match=r"with 100 % of the training labels all are labelled"):
            conduct(lab, Design((HALF, ALL), subsets=1), **FULL)
        assert not list(tmp_path.iterdir())


def two_of_each_patient() -> Splits:
    splits = tiny_splits(groups=True)
    pairs = np.repeat(splits.train.groups[::2], 2)  # neighbours are of one class
    return replace(splits, train=with_patients(splits.train, pairs))


def test_a_donors_generator_learns_from_no_patient_of_the_recipients(tmp_path):
    splits = two_of_each_patient()
    more = concatenate([splits.train, with_patients(others(), np.array([f"new{k}" for k in range(20)]))])
    lab = laboratory(tmp_path, splits, donor_share=0.5, unlabelled=unlabelled(more, splits))
    lent = lab.lent(lab.source(UNIT))
    assert sorted(lent.groups) == sorted(f"new{k}" for k in range(20))


class TestPseudoLabels:
    def test_are_what_the_classifier_is_sure_of(self, monkeypatch):
        monkeypatch.setattr("synthaug.evaluation.experiment.unlabelled.CONFIDENT", 0.95)
        said = np.array([[0.01, 0.99], [0.98, 0.02], [0.9, 0.1], [0.03, 0.97]])
        found = pseudo_labelled(others(4), said)
        assert found.labels.tolist() == [1, 0, 1]
        assert np.array_equal(found.pixels, others(4).pixels[[0, 1, 3]])

    def test_are_given_to_every_image(self):
        assert len(pseudo_labelled(others(4), np.full((4, 2), 0.5))) == 4


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> ExperimentData:
    return with_rest(tmp_path_factory.mktemp("rest"), tiny_splits())


@pytest.fixture(scope="module")
def cells(lab):
    return conduct(lab, Design((HALF,), subsets=1), **FULL)


def with_rest(folder: Path, splits: Splits) -> ExperimentData:
    return laboratory(folder, splits, unlabelled=unlabelled(splits.train, splits))


class TestAnExperiment:
    def test_has_a_competitor_that_learns_from_the_unlabelled_images(self, cells, lab):
        (arm,) = {cell.arm for cell in cells if cell.arm.procedure == "pseudo-labelled"}
        assert arm.role == "competitor"
        assert arm.name.startswith("pseudo-labels, ")

    def test_gives_the_generator_the_unlabelled_images(self, cells, lab):
        (given,) = lab.synthesize.given()
        assert np.array_equal(given, lab.unlabelled_images(UNIT).pixels)

    def test_looks_at_no_label_of_them(self, cells, lab, tmp_path):
        splits = tiny_splits()
        turned = replace(splits.train, labels=splits.train.labels[::-1].copy())
        other = laboratory(tmp_path, splits, unlabelled=unlabelled(turned, splits))
        conduct(other, Design((HALF,), subsets=1), **FULL)
        assert cell_bytes(tmp_path) == cell_bytes(lab.folder)

    @pytest.mark.slow
    def test_is_the_same_side_by_side(self, cells, lab, tmp_path):
        conduct(with_rest(tmp_path, tiny_splits()), Design((HALF,), subsets=1), jobs=2, **FULL)
        assert cell_bytes(tmp_path) == cell_bytes(lab.folder)


def test_the_classifier_learns_from_its_own_answers(tmp_path):
    lab = with_rest(tmp_path, tiny_splits())
    cell = train_cell(lab, UNIT, PSEUDO)
    assert cell.counts["real"] == lab.labelled(UNIT).counts()
    assert sum(cell.counts["pseudo-labelled"].values()) == len(lab.unlabelled_images(UNIT))
    alone = train_cell(lab, UNIT, Arm(AUGMENTED.name, "competitor", "real", AUGMENTED))
    assert not np.array_equal(cell.test, alone.test)


def test_without_a_sure_answer_it_is_the_reference(tmp_path, monkeypatch):
    monkeypatch.setattr("synthaug.evaluation.experiment.unlabelled.CONFIDENT", 1.1)
    lab = with_rest(tmp_path, tiny_splits())
    alone = train_cell(lab, UNIT, Arm(AUGMENTED.name, "competitor", "real", AUGMENTED))
    assert np.array_equal(train_cell(lab, UNIT, PSEUDO).test, alone.test)


def test_no_unlabelled_images_change_no_arm():
    before = competing_arms(AUGMENTED, donor=True, choice="full")
    assert competing_arms(AUGMENTED, donor=True, unlabelled=True, choice="full")[:-1] == before
    assert not competing_arms(AUGMENTED, donor=True, unlabelled=True, choice="core")


def test_a_cell_of_a_former_reference_is_not_taken_for_this_ones(tmp_path):
    """ "Synthetic only" has no recipe in its name."""
    lab, design = laboratory(tmp_path), Design((HALF,), subsets=1)
    cells = conduct(lab, design, ratios=(0.5,), choice="core")
    only = next(cell for cell in cells if cell.arm.procedure == "synthetic")
    former = AUGMENTED if only.arm.recipe == REAL else REAL
    path = cell_path(tmp_path, only.unit, only.arm)
    stale = train_cell(lab, only.unit, replace(only.arm, recipe=former))
    write_cell(tmp_path, stale)
    again = conduct(lab, design, ratios=(0.5,), choice="core")
    assert read_result(path).arm.recipe == only.arm.recipe
    assert "synthetic only" in names(again)
    assert np.array_equal(next(c for c in again if c.arm.procedure == "synthetic").test, only.test)
