"""The report: the same facts as JSON and as one page that needs nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_report import AMOUNTS, RATIOS, report
from report_page import Page

from synthaug.evaluation.experiment.arms import AUGMENTED, CEILING, CHOSEN, DONOR, SYNTHETIC_ONLY
from synthaug.evaluation.experiment.design import ALL
from synthaug.evaluation.gain.verdict import in_percent
from synthaug.evaluation.reports.arm_table import OF_DONOR, main_arms
from synthaug.evaluation.reports.report import Report


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

    def test_tells_the_share_of_the_gap_of_every_arm_but_the_ceiling(self, found, page):
        tables = [table for table in page.tables if table[0][0] == "gain in"]
        rows = [row for table in tables for row in table[1:]]
        assert [row[0] for row in rows] == [gain.arm for gain in found.experiment.gains]
        for row, gain in zip(rows, found.experiment.gains, strict=True):
            assert row[1] == ("–" if gain.role == "ceiling" else in_percent(gain.closure))

    def test_gives_no_share_of_a_gap_that_is_not_certain(self, tmp_path, page):
        full = report(subsets=1, donors=1, amounts=AMOUNTS[:1])
        shown = Page(full.write(tmp_path).read_text(encoding="utf-8"))
        (table,) = [table for table in shown.tables if table[0][0] == "gain in"]
        said = "What share of the gap to all labels each arm closes is open"
        assert "share of the gapto all labels" not in table[0]
        assert said in shown.text
        assert said not in page.text

    def test_tells_of_the_verdicts_arm_training_by_training(self, found, page):
        (table,) = [table for table in page.tables if table[0][0] == "training"]
        (pairs,) = found.single_pairs.values()
        assert {pair.arm for pair in pairs} == {found.experiment.decisive.arm}
        assert [row[0] for row in table[1:]] == [f"donor {d}, subset {k}" for d in (0, 1) for k in (0, 1)]
        delong = pairs[0].delong.interval()
        assert table[1][3] == f"{delong.value:+.3f} [{delong.low:+.3f}, {delong.high:+.3f}]"
        assert table[1][-1] == f"{pairs[0].mcnemar.p_value:.2g}"
        assert "speaks of other test patients and not of other trainings" in " ".join(page.text.split())

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
        tables = [table for table in page.tables if table[0][1:3] == ["AUROC", "reference's"]]
        assert [row[0] for table in tables for row in table[1:]] == [
            gain.arm for gain in lonely.experiment.gains
        ]
        assert re.fullmatch(r"[-+]0\.\d+ \[[-+]0\.\d+, [-+]0\.\d+\]", tables[0][1][3])

    def test_says_that_images_of_one_patient_are_no_patients(self, page, tmp_path):
        plain = report(choice="core", amounts=AMOUNTS[:1])
        groups = np.arange(len(plain.splits.test)) // 3
        splits = replace(plain.splits, test=replace(plain.splits.test, groups=groups))
        shared = replace(plain, splits=splits)
        text = " ".join(Page(shared.write(tmp_path).read_text(encoding="utf-8")).text.split())
        assert f"though {len(groups)} images are of {len(set(groups))} patients: what is said" in text
        assert "Every image counts as a patient" not in page.text

    def test_tells_what_its_intervals_hold_for(self, page, tmp_path):
        assert "Intervals hold for other donor splits" in page.text
        own = report(donors=1, subsets=3, choice="core")
        page = Page(own.write(tmp_path).read_text(encoding="utf-8"))
        assert "Intervals hold for other labelled subsets" in page.text

    def test_shows_recall_by_class_where_there_are_many(self, tmp_path, page):
        many = report(classes=7, test=70, amounts=(ALL,))
        assert many.rare_classes == []
        shown = Page(many.write(tmp_path).read_text(encoding="utf-8"))
        recalls = next(table for table in shown.tables if table[0][1] == "lesion 0(10)")
        assert len(recalls[0]) == 8
        assert "Share found of each class" not in page.text
        assert not {"AUROC overrare classes", "AUROC,rare cl."} & {c for t in shown.tables for c in t[0]}

    def test_tells_the_gain_over_rare_classes_where_some_are(self, tmp_path, page):
        many = report(classes=5, test=60, amounts=(ALL,), rare=2)
        assert many.rare_classes == ["lesion 3", "lesion 4"]
        shown = Page(many.write(tmp_path).read_text(encoding="utf-8"))
        text = " ".join(shown.text.split())
        change = many.experiment.decisive.rare_auroc
        assert f"changes the mean AUROC by {change.value:+.4f} [" in text
        assert "Over the rare classes (lesion 3, lesion 4: fewer labelled images" in text
        (gains,) = [table for table in shown.tables if table[0][0] == "gain in"]
        at = gains[0].index("AUROC overrare classes")
        first = many.experiment.gains[0].rare_auroc
        assert gains[1][at] == f"{first.value:+.3f} [{first.low:+.3f}, {first.high:+.3f}]"
        (arms,) = [table for table in shown.tables if "AUROC,rare cl." in table[0]]
        at = arms[0].index("AUROC,rare cl.")
        assert arms[2][at] == f"{many.facts['arms'][0]['AUROC over rare classes']:.4f}"
        assert {len(row) for row in arms} == {1, 13}
        assert "rare classes" not in page.text.replace("synthetic for rare classes", "")


class TestTheMainArms:
    def test_are_chosen_by_validation_but_the_competitor_by_its_gain(self, found):
        cells, gains = found.experiment.cells, found.experiment.gains
        chosen = main_arms(cells, gains, AMOUNTS[0], found.experiment.references[AMOUNTS[0]])
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
        assert facts["rare_classes"] == []
        assert {g["rare auroc"] for g in facts["gains"]} == {None}
        closures = [g["gap closure"] for g in facts["gains"] if g["role"] != "ceiling"]
        assert all(closure["level"] == 0.95 for closure in closures)
        assert facts["smallest_effect"] == found.experiment.smallest_effect
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
        assert len(facts["single_pairs"]) == len(facts["gains"])
        pair = facts["single_pairs"][0]
        assert pair["delong"]["low"] < pair["auroc"] - pair["reference auroc"] < pair["delong"]["high"]
        assert {"arm_only", "reference_only", "p_value"} == set(pair["mcnemar"])
        assert facts["smallest_effect"] is None
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
