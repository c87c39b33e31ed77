"""The pages of the gain experiments say what their reports say, and which command made them."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runner import synthaug
from made_up_report import AMOUNTS, report

sys.path.append(str(Path(__file__).parents[2] / "studies" / "gain"))
from gain_pages import json_of, plain_best, reached, render, write_numbers
from measured import EXPERIMENTS

DOCS = Path(__file__).parents[2] / "docs"
NAMES = [name for name in EXPERIMENTS if json_of(name, DOCS).exists()]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("docs")
    for name in NAMES:
        json_of(name, out).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(json_of(name, DOCS), json_of(name, out))
    render(out)
    return out / "results"


def test_the_pages_in_the_repository_are_those_of_their_numbers(rendered: Path) -> None:
    for path in (rendered / "gain.md", *(rendered / "gain").glob("*.md")):
        ours = DOCS / "results" / path.relative_to(rendered)
        assert path.read_text() == ours.read_text(), f"run studies/gain/run.py --render-only: {ours}"


def test_they_ask_and_answer_in_a_table_of_six_columns_at_most_and_name_no_commit(rendered: Path) -> None:
    for path in (rendered / "gain.md", *(rendered / "gain").glob("*.md")):
        text = path.read_text()
        assert text.index("**Question.**") < text.index("**Answer.**") < text.index("**Command.**")
        assert max(line.count("|") for line in text.splitlines() if line.startswith("|")) == 7
        assert not re.search(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7}\b", text)


@pytest.mark.parametrize("name", [name for name in NAMES if not EXPERIMENTS[name].own])
def test_every_experiment_stands_with_its_command_verdict_target_and_gains(rendered: Path, name: str) -> None:
    page = (rendered / "gain" / f"{name}.md").read_text()
    facts = json.loads(json_of(name, DOCS).read_text())
    assert f"`synthaug experiment {EXPERIMENTS[name].command}`" in page
    assert facts["sentence"] in page
    assert f"Target: {EXPERIMENTS[name].target}." in page
    for gain in facts["gains"]:
        assert f"{gain['auroc']['value']:+.4f}" in page, gain["arm"]


def test_own_data_stand_in_one_table_that_counts_the_cells_where_the_choice_did_no_harm(
    rendered: Path,
) -> None:
    page = (rendered / "gain" / "own.md").read_text()
    kept, missed = (len(re.findall(rf"\| {word} \|$", page, flags=re.M)) for word in ("kept", "missed"))
    assert f"Kept in **{kept} of {kept + missed}**" in page
    assert kept + missed == 24


def test_links_lead_to_pages(rendered: Path) -> None:
    for target in re.findall(r"\]\((gain/[^)]+)\)", (rendered / "gain.md").read_text()):
        assert (rendered / target).exists(), target


def test_a_finished_run_becomes_numbers(tmp_path: Path) -> None:
    facts = report(amounts=AMOUNTS[:1], choice="core").facts
    folder = tmp_path / "work" / "chest-cross"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(facts, default=str))
    write_numbers(tmp_path / "work", tmp_path)
    assert json.loads(json_of("chest-cross", tmp_path).read_text())["sentence"] == facts["sentence"]


def test_a_target_counts_as_met_only_with_helps_and_the_interval_above_half_of_it() -> None:
    def word(low: float, verdict: str) -> str:
        auroc = {"value": 0.03, "low": low, "high": 0.05}
        gain: dict[str, Any] = {"amount": "all", "role": "synthetic", "verdict": verdict, "auroc": auroc}
        (line,) = reached(EXPERIMENTS["ham10000-donor"], {"gains": [gain]})
        return line.rpartition(", ")[2]

    assert word(0.009, "helps") == word(0.011, "no evidence") == "**not met**"
    assert word(0.011, "helps") == "**met**"


def test_the_plain_best_on_validation_stands_beside_the_ratio_that_was_chosen() -> None:
    areas = {"ref": (0.80, 0.70), "ref + synthetic 0.25": (0.81, 0.60), "synthetic only": (0.9, 0.9)}
    cells = [
        {"labels": "all", "donor": 0, "subset": subset, "init": 0, "arm": arm, "ratio": ratio}
        | {"validation_auroc": val - 0.02 * (subset and ratio > 0), "auroc": test}
        for subset in (0, 1)
        for (arm, (val, test)), ratio in zip(areas.items(), (0.0, 0.25, 1.0), strict=True)
    ]
    assert plain_best({"cells": cells}, "ref", "all") == pytest.approx((0.60 - 0.70) / 2)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_command_is_one_that_the_program_takes(name: str, data_root: Path) -> None:
    options = shlex.split(EXPERIMENTS[name].command)
    run = synthaug("experiment", *options, "--data-root", str(data_root), "--dry-run")
    assert run.status == 0, run.err
    assert "classifiers of " in run.out
