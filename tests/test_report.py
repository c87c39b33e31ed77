"""The report: the same facts as JSON and as one page that needs nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_page import Page

from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.phantom import phantom
from synthaug.evaluation.arm_table import OF_DONOR, main_arms
from synthaug.evaluation.arms import (
    AUGMENTED,
    CEILING,
    CHOSEN,
    DONOR,
    SYNTHETIC_ONLY,
    Arm,
    classical_arms,
    competing_arms,
    donor_arms,
    synthetic_arms,
)
from synthaug.evaluation.cells import Cell
from synthaug.evaluation.design import ALL, Amount, Design, Unit
from synthaug.evaluation.report import Report
from synthaug.evaluation.verdict import judge

AMOUNTS = (Amount(0.05), Amount(10, per_class=True))
SKILL = {"classical": 0.2, "synthetic": 0.7, "shown": 0.1, "competitor": 0.6, "ceiling": 0.9}
RATIOS = (0.1, 0.25, 0.5, 0.75)


def images(n: int, classes: int, seed: int) -> LabeledImages:
    if classes == 2:
        return replace(phantom([n, n // 2], size=28, seed=seed), groups=None)
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, 16, 16)).astype(np.uint8)
    return LabeledImages(pixels, np.arange(n) % classes, tuple(f"lesion {k}" for k in range(classes)))


def made_up_cell(unit: Unit, arm: Arm, splits: Splits, labelled: int) -> Cell:
    """Of a training that never was: it knows the truth as far as the skill of its role."""
    rng = np.random.default_rng([unit.seed, unit.subset_seed, *arm.slug.encode()])
    skill = SKILL[arm.role] + 0.3 * (arm.recipe == AUGMENTED) + 0.005 * labelled
    names = splits.class_names

    def probabilities(of: LabeledImages) -> np.ndarray:
        shape = (len(of), len(names))
        hardness = np.random.default_rng(5).normal(size=shape)  # of an image, whoever looks at it
        logits = 2 * skill * np.eye(len(names))[of.labels] + hardness + 0.5 * rng.normal(size=shape)
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    counts = {
        "real": dict.fromkeys(names, labelled),
        "synthetic": {name: 10 * k for k, name in enumerate(names)},
    }
    history = [{"step": s, "loss": 0.7, "val_auroc": 0.7 + s / 100, "val_loss": 0.7} for s in (5.0, 10.0)]
    return Cell(
        unit=unit,
        arm=arm,
        counts=counts,
        val_auroc=0.7 + 0.1 * skill + 0.01 * rng.random(),
        threshold=0.5 if len(names) == 2 else None,
        val=probabilities(splits.val),
        test=probabilities(splits.test),
        history=history,
        mirror=0.75 if arm.role == "classical" else None,
    )


def report(
    *,
    subsets: int = 2,
    donors: int = 2,
    amounts: tuple[Amount, ...] = AMOUNTS,
    choice: str = "full",
    classes: int = 2,
    test: int = 30,
) -> Report:
    """Of trainings that never were."""
    parts = [images(n, classes, seed) for seed, n in enumerate((14, 28, test))]
    splits = Splits(*parts, name="phantom & co")
    design = Design(amounts, subsets, 1, donors)
    arms = [
        *classical_arms(choice),
        *donor_arms(donor=True, choice=choice),
        *synthetic_arms(AUGMENTED, RATIOS, choice),
        *competing_arms(AUGMENTED, donor=True, choice=choice),
    ]
    cells = {}
    for unit in design.units():
        for arm in arms:
            where = unit.of_donor if arm.by_donor else unit
            labelled = 40 if arm.by_donor else 5 * (1 + amounts.index(unit.amount))
            cells[where, arm] = made_up_cell(where, arm, splits, labelled)
    log = [{"step": k, "discriminator": 1.0, "generator": 2.0} for k in (1, 2)]
    config = {"dataset": "phantom", "synthetic": Path("made.h5")}
    return Report(splits, judge(list(cells.values()), splits.test), None, config, log)


@pytest.fixture(scope="module")
def found() -> Report:
    return report()


@pytest.fixture(scope="module")
def written(found, tmp_path_factory) -> Path:
    return found.write(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(written) -> Page:
    return Page(written.read_text(encoding="utf-8"))


class TestThePage:
    def test_is_well_formed_and_escapes_names(self, page):
        assert page.open == []
        assert "Do synthetic images help on phantom & co?" in page.text

    def test_needs_nothing_from_elsewhere(self, written, found, page):
        html = written.read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|url\(|@import|<script|<link|<iframe", html)
        tiles = sum(min(8, len(kind)) for s in found.changed_sides.values() for kind in (s.gained, s.lost))
        # per amount the gains, ROC and validation curves; learning curves, generator losses, test images
        assert len(page.sources) == 3 * 2 + 2 + tiles
        assert all(source.startswith("data:image/png;base64,iVBOR") for source in page.sources)

    def test_describes_every_picture_in_words(self, written):
        pictures = re.findall(r"<img [^>]*>", written.read_text(encoding="utf-8"))
        said = [re.search(r'alt="([^"]+)"', picture) for picture in pictures]
        assert all(said)
        assert re.search(rf"{SYNTHETIC_ONLY} [-+]0\.\d+ \[", said[0][1])

    def test_says_the_verdict(self, found, page):
        assert found.experiment.verdict in page.text
        assert found.experiment.sentence in page.text

    def test_has_a_table_of_arms_for_each_amount_of_labels_in_groups_by_role(self, found, page):
        tables = [table for table in page.tables if table[0][0] == "arm" and len(table[0]) == 14]
        assert len(tables) == len(AMOUNTS)
        for table in tables:
            groups = [row[0] for row in table if len(row) == 1]
            assert len(groups) == 5
            assert len(table) == 1 + 5 + 5 + len(RATIOS) + 3 + 1 + 4 + 1
            names = [row[0].strip() for row in table[1:] if len(row) == 14]
            assert f"{AUGMENTED.name} ◂ best classical arm" in names
            assert {CEILING, SYNTHETIC_ONLY, CHOSEN} <= set(names)
            assert {len(row) for row in table} == {1, 14}

    def test_lists_every_gain_with_its_p_value(self, found, page):
        tables = [table for table in page.tables if "verdict" in table[0]]
        rows = [row for table in tables for row in table[1:]]
        assert [row[0] for row in rows] == [gain.arm for gain in found.experiment.gains]
        assert rows[0][4] == f"{found.experiment.gains[0].p_value:.2g}"

    def test_says_how_many_test_images_changed_sides_and_shows_them(self, found, page):
        for sides in found.changed_sides.values():
            assert sides.sentence in page.text
            assert sides.gained
            first = sides.gained[0]
            normal, abnormal = found.splits.test.take([image.row for image in sides.gained]).counts().values()
            assert f"Right with synthetic images only: {normal} normal, {abnormal} abnormal" in page.text
            name = found.splits.class_names[found.splits.test.labels[first.row]]
            assert f"{name}{first.before} → {first.after} of {sides.trainings}" in page.text

    def test_does_without_what_there_is_none_of(self, tmp_path):
        plain = replace(report(choice="core", amounts=AMOUNTS[:1]), generator_log=())
        page = Page(plain.write(tmp_path).read_text(encoding="utf-8"))
        for absent in ("The images themselves", "Generator losses", "Learning curves", "dashed line"):
            assert absent not in page.text
        assert "What could be done instead" not in page.text

    def test_says_that_a_single_training_has_no_interval(self, tmp_path):
        lonely = report(subsets=1, donors=1, choice="core")
        page = Page(lonely.write(tmp_path).read_text(encoding="utf-8"))
        assert "A dot without a line has no interval" in page.text
        assert "(no interval)" in page.text
        assert "Intervals hold for" not in page.text

    def test_tells_what_its_intervals_hold_for(self, page, tmp_path):
        assert "Intervals hold for other donor splits" in page.text
        own = report(donors=1, subsets=3, choice="core")
        page = Page(own.write(tmp_path).read_text(encoding="utf-8"))
        assert "Intervals hold for other labelled subsets" in page.text

    def test_shows_recall_by_class_where_there_are_many(self, tmp_path, page):
        many = report(classes=7, test=70, amounts=(ALL,))
        shown = Page(many.write(tmp_path).read_text(encoding="utf-8"))
        recalls = next(table for table in shown.tables if table[0][1] == "lesion 0(10)")
        assert len(recalls[0]) == 8
        assert "Share found of each class" not in page.text


class TestTheMainArms:
    def test_are_chosen_by_validation_but_the_competitor_by_its_gain(self, found):
        cells, gains = found.experiment.cells, found.experiment.gains
        chosen = main_arms(cells, gains, AMOUNTS[0])
        rows = [row for row in found.facts["arms"] if row["labels"] == str(AMOUNTS[0])]
        fixed = [row for row in rows if row["role"] == "synthetic" and row["arm"] != CHOSEN]
        assert chosen["best synthetic arm"] == max(fixed, key=lambda row: row["validation AUROC"])["arm"]
        rivals = [g for g in gains if g.role == "competitor" and g.amount == AMOUNTS[0]]
        assert chosen["best competitor"] == max(rivals, key=lambda gain: gain.auroc.value).arm
        assert chosen["best classical arm"] == AUGMENTED.name
        assert chosen["all labels"] == CEILING


class TestTheJSON:
    def test_holds_verdict_arms_fidelity_config_and_versions(self, written, found):
        facts = json.loads((written.parent / "report.json").read_text(encoding="utf-8"))
        assert {"verdict", "sentence", "gains", "arms", "fidelity", "config", "versions"} <= set(facts)
        assert facts["config"]["synthetic"] == "made.h5"
        assert {"synthaug", "torch", "python"} <= set(facts["versions"])
        assert len(facts["cells"]) == len(found.experiment.cells)
        assert (facts["fidelity"], facts["memorization"]) == ([], None)
        deciding = {g["verdict"] for g in facts["gains"] if g["role"] == "synthetic"}
        assert deciding <= {"helps", "harms", "no evidence"}
        assert {g["verdict"] for g in facts["gains"] if g["role"] != "synthetic"} == {None}
        assert {g["amount"] for g in facts["gains"]} == {str(amount) for amount in AMOUNTS}
        assert {sides["amount"] for sides in facts["changed_sides"]} == {str(amount) for amount in AMOUNTS}

    def test_has_one_row_per_arm_and_amount_and_one_of_what_no_subset_goes_into(self, found):
        rows = found.facts["arms"]
        assert len({(row["arm"], row["labels"]) for row in rows}) == len(rows)
        assert [row["labels"] for row in rows if row["arm"] == CEILING] == [str(ALL)]
        assert [row["labels"] for row in rows if row["arm"] == DONOR] == [OF_DONOR]
        assert [row["labels"] for row in rows if row["arm"] == CHOSEN] == [str(amount) for amount in AMOUNTS]
        assert {row["role"] for row in rows if "mirror AUROC" in row} == {"classical"}

    def test_means_what_the_cells_say(self, found):
        row = found.facts["arms"][0]
        cells = [
            c
            for c in found.experiment.cells
            if c.arm.name == row["arm"] and str(c.unit.amount) == row["labels"]
        ]
        labels = found.splits.test.labels
        areas = [(c.test[labels == 1, 1][:, None] > c.test[labels == 0, 1]).mean() for c in cells]
        assert row["trainings"] == len(cells) == 4
        assert row["AUROC"] == pytest.approx(np.mean(areas))
        assert row["AUROC SD"] == pytest.approx(np.std(areas, ddof=1))
        right = [((c.test[:, 1] >= 0.5) == labels).mean() for c in cells]
        assert row["accuracy"] == pytest.approx(np.mean(right))
        found_abnormal = [(c.test[labels == 1, 1] >= 0.5).mean() for c in cells]
        assert row["recall"]["abnormal"] == row["sensitivity"] == pytest.approx(np.mean(found_abnormal))
        assert row["images"] == {
            "real": {"normal": 5, "abnormal": 5},
            "synthetic": {"normal": 0, "abnormal": 10},
        }

    def test_is_json_even_with_a_single_training(self, tmp_path):
        lonely = report(subsets=1, donors=1, choice="core")
        text = (lonely.write(tmp_path).parent / "report.json").read_text(encoding="utf-8")

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        facts = json.loads(text, parse_constant=refuse)
        assert facts["gains"][0]["auroc"]["low"] is None
        assert facts["arms"][0]["AUROC SD"] is None


class TestWriting:
    def test_replaces_an_older_report_whole(self, found, tmp_path):
        (tmp_path / "report.html").write_text("old")
        found.write(tmp_path)
        assert not (tmp_path / "report.html").read_text(encoding="utf-8").startswith("old")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]

    def test_that_fails_leaves_the_older_report(self, found, tmp_path):
        (tmp_path / "report.html").write_text("old")
        unreadable = replace(found, generator_log=[{"generator": 1.0}])  # a log without steps
        with pytest.raises(KeyError):
            unreadable.write(tmp_path)
        assert (tmp_path / "report.html").read_text() == "old"
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
