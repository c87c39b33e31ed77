"""The tables of generators: cells are made once, by the product's training; pages say what the JSON holds."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "studies" / "gans"))
from cells import Cell, Choice, Place, Record
from gan_pages import KID, best, excesses, lower, over_seeds, render, targets, write_numbers
from protocols import material, share_of, thinned
from tables import TABLES, TRIAL
from train import make, planned

TINY = Cell("phantom", "vanilla", cpu_seconds=0.3, extractors=("domain",))
RESULTS = Path(__file__).parents[2] / "docs" / "results" / "gans"


def a_record(seed: int, kid: float, floor: float = 0.01) -> Record:
    kept = {"n": 1000, "n_reference": 1000, "part": "overall"}
    scores = [
        {"metric": metric, "in": measure, **kept, "value": [value], "floor": [low]}
        for metric, measure, value, low in (
            ("KID", "domain", kid, floor),
            ("FID", "inception-768", 10 * kid, 10 * floor),
        )
    ]
    return {"cell": {"seed": seed}, "scores": scores}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(Path(), tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("docs")
    (out / "results" / "gans").mkdir(parents=True)
    for path in RESULTS.glob("*.json"):
        shutil.copy(path, out / "results" / "gans")
    render(out)
    return out / "results"


@pytest.mark.slow
class TestACell:
    def test_is_trained_within_its_budget_scored_and_kept(self, place: Place) -> None:
        record = make(TINY, place)
        assert place.stored(TINY) == json.loads(json.dumps(record))
        training = record["training"]
        assert TINY.cpu_seconds <= training["cpu_seconds"] < 5 * TINY.cpu_seconds
        assert training["images_seen"] == 64 * training["steps"]
        assert training["best_step"] in [look["step"] for look in training["looks"]]
        metrics = {(row["metric"], row["part"]) for row in record["scores"]}
        assert {("KID", "overall"), ("agreement", "abnormal"), ("unpaired PSNR", "overall")} <= metrics
        assert all(row["n"] and row["floor"] for row in record["scores"])

    def test_is_not_made_again(self, place: Place) -> None:
        make(TINY, place)
        path = place.folder(TINY) / "record.json"
        written = path.stat().st_mtime_ns
        make(TINY, place)
        assert path.stat().st_mtime_ns == written

    def test_plans_looks_within_its_budget(self) -> None:
        from lightning_fabric import Fabric

        fabric = Fabric(accelerator="cpu", devices=1)
        config = planned(material("phantom", Path()).fit, TINY.config, fabric, 1.0, None)
        assert config.steps >= 12 * config.interval  # the budget ends the training, not the steps


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"share": 0.1},
        {"cpu_seconds": 0.4},
        {"preset": "lsgan"},
        {"overrides": (("r1", 0.3),)},
        {"unlabelled": True},
        {"init_from": "chestmnist"},
    ],
)
def test_a_cell_has_a_name_of_its_own_for_whatever_it_depends_on(change: dict[str, Any]) -> None:
    assert replace(TINY, **change).name != TINY.name


def test_a_share_is_the_same_images_for_every_seed() -> None:
    fit = material("phantom", Path()).fit
    labelled, rest = share_of(fit, 0.1)
    turned, _ = share_of(fit.take(np.arange(len(fit))[::-1]), 0.1)
    assert labelled.digest() == turned.digest()
    assert labelled.counts() == {"normal": 7, "abnormal": 5}
    assert len(labelled) + len(rest) == len(fit)


def test_counts_are_thinned_to_the_very_number() -> None:
    assert thinned([1000, 895, 1004], 2000) == [690, 617, 693]
    assert thinned([3, 4], 10) == [3, 4]


class TestTheTables:
    def test_share_their_cells_and_have_seed_0_of_everything_first(self) -> None:
        cells = Choice().cells_of([TABLES["mednist"], TABLES["goal"]])
        assert len(cells) == len(set(cells)) == len(Choice().cells_of([TABLES["goal"]]))
        seeds = [cell.seed for cell in Choice().cells_of([TABLES["goal"]])]
        assert seeds == sorted(seeds)

    def test_train_every_row_for_the_same_time_times_the_block(self) -> None:
        choice = Choice(scale=0.5)
        for block in (block for table in TABLES.values() for block in table.blocks):
            seconds = {choice.cell_of(block, arm, 0).cpu_seconds for arm in block.arms}
            usual = choice.cell_of(replace(block, times=1), block.arms[0], 0).cpu_seconds
            assert seconds == {block.times * usual}


class TestThePages:
    def test_in_the_repository_are_those_of_their_numbers(self, rendered: Path) -> None:
        for path in (rendered / "gans").glob("*.md"):
            without_pictures = re.sub(r"!\[.*\n\n", "", (RESULTS / path.name).read_text())
            assert path.read_text() == without_pictures, f"run studies/gans/run.py --render-only: {path.name}"
        assert (rendered / "gans.md").read_text() == (RESULTS.parent / "gans.md").read_text()

    def test_ask_and_answer_in_a_table_of_six_columns_at_most_and_name_no_commit(
        self, rendered: Path
    ) -> None:
        for path in (rendered / "gans.md", *(rendered / "gans").glob("*.md")):
            text = path.read_text()
            assert text.index("**Question.**") < text.index("**Answer.**") < text.index("**Command.**")
            assert max(line.count("|") for line in text.splitlines() if line.startswith("|")) == 7
            assert not re.search(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7}\b", text)

    def test_are_written_from_the_cells_that_are_there(self, tmp_path: Path) -> None:
        place, block = Place(Path(), tmp_path / "work"), TRIAL.blocks[0]
        for seed in (0, 2):
            folder = place.folder(Choice().cell_of(block, block.arms[0], seed))
            folder.mkdir(parents=True)
            record = a_record(seed, 0.2 + seed)
            record["training"] = {"looks": [{"kid": 1.0}]}
            (folder / "record.json").write_text(json.dumps(record))
        write_numbers({"trial": TRIAL}, place, Choice(), tmp_path)
        facts = json.loads((tmp_path / "results" / "gans" / "trial.json").read_text())
        assert len(facts["blocks"][0]["rows"]["vanilla"]) == 2
        assert "synthaug" not in facts["blocks"][0]["rows"]


def test_numbers_are_medians_with_their_range_of_the_excess_over_the_floor() -> None:
    assert over_seeds([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert over_seeds([2.0]) == "2"
    rows = {"a": [a_record(0, 0.2), a_record(1, 0.4)], "b": [a_record(0, 0.5), a_record(1, 0.3)]}
    assert excesses(rows["a"], KID) == pytest.approx([0.19, 0.39])
    assert best(rows, KID) == ("a", "0.29")
    assert lower(rows["a"], rows["b"], KID) == "lower in 1 of 2"


def test_a_target_is_met_where_the_excess_is_small_enough() -> None:
    rows = {
        "synthaug": [a_record(0, 0.02)],  # excess 0.01
        "wgan-gp": [a_record(0, 0.11)],  # 0.1
        "dcgan": [a_record(0, 0.025)],  # 0.015
    }
    of_wgan_gp, of_best, *_ = targets(rows)
    assert of_wgan_gp == "KID in domain, wgan-gp: ratio 0.1, at most 0.2: **met**"
    assert of_best == "KID in domain, best other preset, `dcgan`: ratio 0.667, at most 0.5: **not met**"
