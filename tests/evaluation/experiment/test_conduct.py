"""The trainings of an experiment: fair, blind to the test images, and the same in whatever order they run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from experiment_fixtures import CONFIG, Resampler, laboratory, names, tiny_splits

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.classifiers.training import train_classifier
from synthaug.evaluation.experiment.arms import (
    CEILING,
    DISTILLED,
    DONOR,
    DONOR_TUNED,
    SYNTHETIC_ONLY,
    check_ratios,
    classical_arms,
)
from synthaug.evaluation.experiment.data import ExperimentData
from synthaug.evaluation.experiment.design import ALL, Amount, Design
from synthaug.evaluation.experiment.results import TrainingResult, cell_path, read_result
from synthaug.evaluation.experiment.schedule import conduct, trainings

HALF = Amount(0.5)
DESIGN = Design((HALF, ALL), subsets=2)
CORE = {"ratios": (0.25, 0.5), "choice": "core"}
FULL = {"ratios": (0.5,), "choice": "full"}


def pixels_of(images: LabeledImages) -> set[bytes]:
    return {image.tobytes() for image in images.pixels}


def same(one: list[TrainingResult], other: list[TrainingResult]) -> bool:
    return [c.arm for c in one] == [c.arm for c in other] and all(
        np.array_equal(a.test, b.test) and a.history == b.history for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def runs() -> list[tuple]:
    return []


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> ExperimentData:
    return laboratory(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def cells(lab, runs) -> list[TrainingResult]:
    def watched(train: LabeledImages, val: LabeledImages, config, fabric, **more):
        runs.append((train, val, config))
        return train_classifier(train, val, config, fabric, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthaug.evaluation.experiment.procedures.train_classifier", watched)
        return conduct(lab, DESIGN, **CORE)


@pytest.fixture(scope="module")
def donor_lab(tmp_path_factory) -> ExperimentData:
    return laboratory(tmp_path_factory.mktemp("donor"), tiny_splits(groups=True), donor_share=0.5)


@pytest.fixture(scope="module")
def donor_cells(donor_lab) -> list[TrainingResult]:
    return conduct(donor_lab, Design((HALF,), subsets=2, donors=2), **FULL)


class TestTheTrainings:
    def test_are_complete(self, cells):
        per_unit = 5  # two classical arms, two ratios, synthetic only
        assert (
            len(cells)
            == per_unit * len(list(DESIGN.units()))
            == trainings(DESIGN, ratios=CORE["ratios"], choice="core", has_donor=False)[1]
        )

    def test_have_one_budget_one_seed_per_unit_and_the_same_validation_images(self, cells, runs, lab):
        assert {config.steps for _, _, config in runs} == {CONFIG.steps}
        assert all(val is lab.splits.val for _, val, _ in runs)
        assert {config.seed for _, _, config in runs} == {unit.seed for unit in DESIGN.units()}
        assert all(cell.test.shape == (16, 2) for cell in cells)

    def test_keep_one_labelled_subset_for_all_arms_of_a_unit(self, cells, runs, lab):
        subsets = {unit.amount: lab.labelled(unit) for unit in DESIGN.units() if unit.subset == 0}
        assert [len(subset) for subset in subsets.values()] == [16, 32]
        digests = {lab.labelled(unit).digest() for unit in DESIGN.units()}
        for train, _, _ in runs:
            kept = train.take(~train.synthetic)
            assert not len(kept) or kept.digest() in digests

    def test_blend_in_the_ratio_that_they_say(self, cells):
        for cell in cells:
            real, synthetic = (sum(cell.counts[origin].values()) for origin in ("real", "synthetic"))
            assert synthetic / (real + synthetic) == pytest.approx(cell.arm.ratio, abs=0.02)

    def test_hand_the_subset_and_nothing_else_to_the_generator(self, cells, lab):
        known = pixels_of(lab.splits.train)
        asked = lab.synthesize.asked()
        assert len(asked) == 4
        assert {seed for _, _, seed in asked} == {0, 1}
        for pixels, wanted, _ in asked:
            assert {image.tobytes() for image in pixels} <= known
            # enough for the largest need: the balanced synthetic set, and the blend's minority
            assert wanted == [len(pixels) // 2, max(len(pixels) // 2, 3 * len(pixels) // 4)]

    @pytest.mark.slow
    def test_are_the_same_side_by_side(self, cells, tmp_path):
        assert same(conduct(laboratory(tmp_path), DESIGN, **CORE, jobs=2), cells)

    def test_are_not_done_again_and_the_same_after_a_stop(self, cells, lab, tmp_path):
        stopped = laboratory(tmp_path)

        def stop(text: str, seen: list[str] = []) -> None:  # noqa: B006 - counts its own calls
            seen.append(text)
            if len(seen) == 9:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            conduct(stopped, DESIGN, **CORE, on_progress=stop)
        finished = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
        assert len([path for path in finished if "cells" in path.parts]) == 5
        assert same(conduct(stopped, DESIGN, **CORE), cells)
        assert all(path.stat().st_mtime_ns == written for path, written in finished.items())

    def test_grow_by_subsets_without_redoing_any(self, cells, lab):
        on_progress: list[str] = []
        own = {cell.unit: cell.arm.recipe for cell in cells if cell.arm.procedure == "blend"}
        more = conduct(lab, replace(DESIGN, subsets=3), **CORE, on_progress=on_progress.append)
        assert len(more) == len(cells) + 10
        blended = [c for c in more if c.arm.role != "classical"]
        # the new subsets may change the reference of another one: its arms with synthetic images are new too
        again = [c for c in blended if own.get(c.unit) not in (None, c.arm.recipe)]
        assert len(on_progress) == 2 + 10 + len(again)  # two pools, trainings of two new subsets

    def test_grow_by_ratios_that_need_more_synthetic_images(self, tmp_path):
        lab, few = laboratory(tmp_path), Design(subsets=1)
        before = conduct(lab, few, ratios=(0.25,), choice="core")
        on_progress: list[str] = []
        after = conduct(lab, few, ratios=(0.25, 0.75), choice="core", on_progress=on_progress.append)
        assert len(after) == len(before) + 1
        assert len(on_progress) == 2  # synthetic images, and one training

    def test_are_kept_whole(self, cells, lab):
        cell = cells[3]
        again = read_result(cell_path(lab.folder, cell.unit, cell.arm))
        assert (again.unit, again.arm, again.counts, again.history) == (
            cell.unit,
            cell.arm,
            cell.counts,
            cell.history,
        )
        assert np.array_equal(again.val, cell.val)


class TestADonor:
    def test_has_every_competitor_and_the_ceiling(self, donor_cells):
        classical = {arm.name for arm in classical_arms("full")}
        assert {DONOR, DONOR_TUNED, DISTILLED, CEILING, SYNTHETIC_ONLY} | classical < names(donor_cells)
        assert any(name.startswith("ensemble of two") for name in names(donor_cells))
        assert any(name.startswith("pre-trained on synthetic") for name in names(donor_cells))

    def test_makes_one_generator_for_all_subsets_of_the_recipient(self, donor_cells, donor_lab):
        assert sorted(seed for _, _, seed in donor_lab.synthesize.asked()) == [0, 1000]

    def test_shares_no_patient_with_the_recipient_and_the_generator_sees_the_donor_only(
        self, donor_cells, donor_lab
    ):
        for unit in Design((ALL,), subsets=1, donors=2).units():
            donor, recipient = donor_lab.donor_images(unit), donor_lab.labelled(unit)
            assert not set(donor.groups) & set(recipient.groups)
            given = {seed: pixels for pixels, _, seed in donor_lab.synthesize.asked()}[unit.subset_seed]
            assert {image.tobytes() for image in given} == pixels_of(donor)

    def test_trains_its_own_classifier_once_per_donor(self, donor_cells):
        assert len([cell for cell in donor_cells if cell.arm.name == DONOR]) == 2
        assert len([cell for cell in donor_cells if cell.arm.name == DONOR_TUNED]) == 4

    def test_gives_fine_tuning_its_weights_to_begin_with(self, donor_cells):
        donor = next(c for c in donor_cells if c.arm.name == DONOR)
        tuned = next(c for c in donor_cells if c.arm.name == DONOR_TUNED and c.unit.donor == donor.unit.donor)
        assert tuned.history[0]["step"] == 0
        assert tuned.history[0]["val_auroc"] == pytest.approx(donor.val_auroc)

    def test_may_be_another_data_set(self, tmp_path):
        theirs = tiny_splits().val
        lab = laboratory(tmp_path, donor=theirs)
        cells = conduct(lab, Design((HALF,), subsets=2), **FULL)
        assert DONOR in names(cells)
        ((given, _, _),) = lab.synthesize.asked()
        assert {image.tobytes() for image in given} == pixels_of(theirs)


def test_synthetic_images_are_counted_without_reading_them(cells, lab, monkeypatch):
    unit = next(DESIGN.units())
    expected = lab.pool(unit).counts()
    monkeypatch.setattr("synthaug.evaluation.experiment.data.read_hdf5", None)  # calling it fails
    assert lab.pool_counts(unit) == expected
    assert lab.has_pool(unit, list(expected.values()))
    assert not lab.has_pool(unit, [n + 1 for n in expected.values()])


class TestWhatCannotBe:
    def test_goes_without_synthetic_only_where_a_class_is_missing(self, tmp_path):
        on_progress: list[str] = []
        lab = laboratory(tmp_path, synthesize=Resampler(tmp_path / "notes", classes=(1,)))
        cells = conduct(lab, Design(subsets=1), ratios=(0.25,), choice="core", on_progress=on_progress.append)
        assert SYNTHETIC_ONLY not in names(cells)
        assert "no synthetic only: the synthetic images lack a class for it" in on_progress

    def test_does_not_begin_with_too_few_synthetic_images(self, tmp_path):
        on_progress: list[str] = []
        lab = laboratory(tmp_path, synthesize=lambda real, wanted, seed, unlabelled: real)
        with pytest.raises(DataError, match=r"ratio 0.5 needs \{'normal': 8, 'abnormal': 24\}, make more"):
            conduct(lab, Design(subsets=1), ratios=(0.5,), choice="core", on_progress=on_progress.append)
        assert len(on_progress) == 1  # the synthetic images, and no training

    def test_wants_every_class_among_the_test_images(self, tmp_path):
        splits = tiny_splits()
        lab = laboratory(tmp_path, replace(splits, test=splits.test.of_class(0)))
        with pytest.raises(DataError, match=r"test images .*'abnormal': 0.*: expected 2 or more"):
            conduct(lab, Design(subsets=1), **CORE)

    def test_wants_two_test_patients_of_every_class_before_any_training(self, tmp_path):
        splits = tiny_splits(groups=True)
        one = replace(splits.test, groups=np.where(splits.test.labels == 1, "P", splits.test.groups))
        lab = laboratory(tmp_path, replace(splits, test=one))
        with pytest.raises(DataError, match=r"test patients .*'abnormal': 1.*: expected 2 or more"):
            conduct(lab, Design(subsets=1), **CORE)
        assert not list(tmp_path.iterdir())

    def test_leaves_out_what_changes_nothing(self, tmp_path: Path):
        balanced = Design((Amount(4, per_class=True),), subsets=1)
        cells = conduct(laboratory(tmp_path), balanced, **FULL)
        assert not any("rare classes" in name for name in names(cells))

    @pytest.mark.parametrize("ratios", [(), (0.0,), (1.0,), (0.5, 0.5)])
    def test_wants_ratios_that_are_blends(self, ratios):
        with pytest.raises(UsageError, match="expected numbers between 0 and 1, each once"):
            check_ratios(ratios)
