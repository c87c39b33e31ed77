"""The page of the gain experiments says what their reports say, and which command made them."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from cli_runner import synthaug
from made_up_report import AMOUNTS, report
from matplotlib import image

from synthaug.evaluation.experiment.arms import CHOSEN

sys.path.append(str(Path(__file__).parents[2] / "studies" / "gain"))
from measured import EXPERIMENTS
from own import plain_best
from page import anchor, write_page
from phrases import READINGS


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    lesions = report(classes=5, test=40, rare=2, amounts=AMOUNTS[:1], choice="core").facts
    chest = report(amounts=AMOUNTS[:1], choice="core").facts
    for name, facts in (("ham10000-donor", lesions), ("chest-cross", chest)):
        (folder / name).mkdir()
        (folder / name / "report.json").write_text(json.dumps(facts, default=str))
    return folder


@pytest.fixture(scope="module")
def rendered(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs")
    assert len(write_page(work, out)) == 4
    return out


def test_every_experiment_stands_with_its_command_verdict_and_target(rendered: Path) -> None:
    page = (rendered / "results" / "gain.md").read_text()
    for name in ("ham10000-donor", "chest-cross"):
        facts = json.loads((rendered / "results" / "gain" / f"{name}.json").read_text())
        assert f"`synthaug experiment {EXPERIMENTS[name].command}`" in page
        assert facts["sentence"] in page
        assert f"Target: {EXPERIMENTS[name].target}." in page
        for gain in facts["gains"]:
            assert f"{gain['auroc']['value']:+.4f}" in page, gain["arm"]
    assert EXPERIMENTS["mednist-few"].heading not in page  # not measured yet


def test_what_people_made_of_a_result_stands_below_its_target(rendered: Path) -> None:
    lesions, chest = (rendered / "results" / "gain.md").read_text().split("\n## ")[1:]
    assert f"As we read it: {(READINGS / 'chest-cross.md').read_text().strip()}" in chest
    assert chest.index("Target: ") < chest.index("As we read it: ") < chest.index("### ")
    assert "As we read it" not in lesions  # nobody wrote one


def test_rare_classes_have_a_column_where_there_are_some(rendered: Path) -> None:
    lesions, chest = (rendered / "results" / "gain.md").read_text().split("\n## ")[1:]
    assert "gain over the rare classes" in lesions
    assert "gain over the rare classes" not in chest


def test_links_of_the_summary_lead_to_headings(rendered: Path) -> None:
    page = (rendered / "results" / "gain.md").read_text()
    headings = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    assert len(headings) == 2
    assert all(f"](#{anchor(heading)})" in page for heading in headings)


def test_a_target_counts_as_met_only_with_helps_and_the_interval_above_half_of_it(
    work: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work" / "ham10000-donor"
    folder.mkdir(parents=True)
    facts = json.loads((work / "ham10000-donor" / "report.json").read_text())
    words = []
    for low, verdict in ((0.009, "helps"), (0.011, "no evidence"), (0.011, "helps")):
        for gain in facts["gains"]:
            gain["auroc"] |= {"value": 0.03, "low": low, "high": 0.05}
            gain["verdict"] = verdict
        (folder / "report.json").write_text(json.dumps(facts))
        write_page(tmp_path / "work", tmp_path)
        page = (tmp_path / "results" / "gain.md").read_text()
        words.append(("**met**" in page, "**not met**" in page))
    assert words == [(False, True), (False, True), (True, False)]


def test_own_data_stand_in_one_table_that_counts_the_cells_where_the_choice_did_no_harm(
    tmp_path: Path,
) -> None:
    facts = report(amounts=AMOUNTS, choice="core").facts
    chosen = [gain for gain in facts["gains"] if gain["arm"] == CHOSEN]
    for gain, value in zip(chosen, (-0.004, 0.0), strict=True):
        gain["auroc"] |= {"value": value}
    (tmp_path / "work" / "own-ham10000").mkdir(parents=True)
    (tmp_path / "work" / "own-ham10000" / "report.json").write_text(json.dumps(facts, default=str))
    write_page(tmp_path / "work", tmp_path)
    page = (tmp_path / "results" / "gain.md").read_text()
    assert "Kept in **1 of 2**" in page
    assert [row.endswith("| missed |") for row in page.splitlines() if "| -0.0040 [" in row] == [True]
    assert f"`synthaug experiment {EXPERIMENTS['own-ham10000'].command}`" in page


def test_the_plain_best_on_validation_stands_beside_the_ratio_that_was_chosen() -> None:
    areas = {"ref": (0.80, 0.70), "ref + synthetic 0.25": (0.81, 0.60), "synthetic only": (0.9, 0.9)}
    cells = [
        {"labels": "all", "donor": 0, "subset": subset, "init": 0, "arm": arm, "ratio": ratio}
        | {"validation_auroc": val - 0.02 * (subset and ratio > 0), "auroc": test}
        for subset in (0, 1)
        for (arm, (val, test)), ratio in zip(areas.items(), (0.0, 0.25, 1.0), strict=True)
    ]
    assert plain_best({"cells": cells}, "ref", "all") == pytest.approx((0.60 - 0.70) / 2)


def test_the_picture_is_one(rendered: Path) -> None:
    assert image.imread(rendered / "images" / "gain.png").std() > 0.05


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_command_is_one_that_the_program_takes(name: str, data_root: Path) -> None:
    options = shlex.split(EXPERIMENTS[name].command)
    run = synthaug("experiment", *options, "--data-root", str(data_root), "--dry-run")
    assert run.status == 0, run.err
    assert "classifiers of " in run.out
