"""The benchmark of generators: cells are made once, tables say what stands behind every number."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from lightning_fabric import Fabric

from synthaug.augment.transforms import to_unit_range
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor, SampleQuality
from synthaug.generators.training.gan import random_numbers
from synthaug.generators.training.networks import build_networks
from synthaug.generators.value_range import to_uint8

sys.path.append(str(Path(__file__).parents[2] / "studies" / "gans"))
from cells import Cell, Place, Record, store
from fitting import Pair, fit, highest, make_images
from making import make
from numbers_of import Column, find, over_seeds, stability
from pages import write_pages
from protocols import material, share_of, thinned
from rendering import KID, overall, titles
from tables import TABLES, TRIAL, Choice, cell_of, cells_of
from verdicts import goal, order

TINY = Cell("phantom", "vanilla", cpu_seconds=0.3, extractors=("domain",))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(Path(), tmp_path_factory.mktemp("work"))


def a_record(
    preset: str, seed: int, kid: float, *, floor: float = 0.01, n: int = 50, better: float = 0.5
) -> Record:
    """A made-up one: domain KID, FID-768, IS and recall, overall and of a class."""
    metrics = {("KID", "domain"): kid, ("FID", "inception-768"): 10 * kid}
    metrics |= {("IS", "domain"): 1 + better, ("recall", "domain"): better}
    rows = [
        {
            "metric": metric,
            "in": measure,
            "part": part,
            "value": [value, value, value],
            "floor": [floor, floor, floor],
            "gap": [value - floor] * 3,
            "n": n,
            "n_reference": n,
            "protocol": "",
            "note": "",
        }
        for part in ("overall", "normal", "abnormal")
        for (metric, measure), value in metrics.items()
    ]
    looks = [
        {"cpu_seconds": t / 10, "steps": t, "kid": kid * t, "recall": 0, "diversity": 0} for t in (5, 9, 10)
    ]
    training: dict[str, Any] = {
        "cpu_seconds": 1.0,
        "steps": 10,
        "images_seen": 640,
        "note": "",
        "looks": looks,
    }
    training |= {"generator_parameters": 1000, "discriminator_parameters": 1000, "best_look": 1}
    versions = {
        "synthaug": "0",
        "torch": "0",
        "precision": "32-true",
        "threads": 1,
        "rounds": 3,
        "processor": "any",
    }
    data = {name: {"normal": 30, "abnormal": 20} for name in ("fit", "judge", "reference")}
    cell = {"seed": seed, "preset": preset, "cpu_seconds": 1.0}
    return {"cell": cell, "data": data, "training": training, "scores": rows, "made_with": versions}


class TestACell:
    def test_is_trained_scored_and_kept(self, place: Place) -> None:
        record = make(TINY, place)
        assert json.loads(place.record_of(TINY).read_text())["scores"] == record["scores"]
        assert record["training"]["cpu_seconds"] >= TINY.cpu_seconds
        assert record["training"]["images_seen"] == 64 * record["training"]["steps"]
        kids = [look["kid"] for look in record["training"]["looks"]]
        assert record["training"]["best_look"] >= 1 + int(np.argmin(kids))  # or a later one, but for noise
        metrics = {(row["metric"], row["part"]) for row in record["scores"]}
        assert {("KID", "overall"), ("agreement", "abnormal"), ("unpaired PSNR", "overall")} <= metrics
        assert all(row["n"] and row["floor"] for row in record["scores"])

    def test_is_not_made_again(self, place: Place) -> None:
        make(TINY, place)
        written = place.record_of(TINY).stat().st_mtime_ns
        start = time.process_time()
        make(TINY, place)
        assert place.record_of(TINY).stat().st_mtime_ns == written
        assert time.process_time() - start < TINY.cpu_seconds

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
    def test_has_a_name_of_its_own_for_whatever_it_depends_on(self, change: dict[str, Any]) -> None:
        assert replace(TINY, **change).name != TINY.name

    def test_can_take_the_networks_of_another_and_keep_the_images_they_like(self, place: Place) -> None:
        whole = Cell("phantom", "synthaug", 0.2, share=0.5, extractors=("domain",), overrides=())
        record = make(replace(whole, keep=0.8), place)
        assert record["training"] == make(whole, place)["training"]
        assert record["scores"] != make(whole, place)["scores"]

    def test_of_a_share_uses_the_same_images_for_every_seed(self) -> None:
        fit = material("phantom", Path()).fit
        labelled, rest = share_of(fit, 0.1)
        turned, _ = share_of(fit.take(np.arange(len(fit))[::-1]), 0.1)
        assert labelled.digest() == turned.digest()
        assert labelled.counts() == {"normal": 7, "abnormal": 5}
        assert len(labelled) + len(rest) == len(fit)


class TestTheTables:
    def test_share_their_cells(self) -> None:
        choice = Choice()
        both = cells_of([TABLES["mednist"], TABLES["goal"]], choice)
        assert len(both) == len(set(both)) == len(cells_of([TABLES["goal"]], choice))

    def test_have_seed_0_of_everything_first(self) -> None:
        seeds = [cell.seed for cell in cells_of([TABLES["goal"]], Choice())]
        assert seeds == sorted(seeds)

    def test_train_every_row_for_the_same_time(self) -> None:
        for table in TABLES.values():
            for block in table.blocks:
                assert len({cell_of(block, arm, 0, Choice()).cpu_seconds for arm in block.arms}) == 1

    def test_of_longer_trainings_multiply_the_time_of_their_data_set(self) -> None:
        usual, scaled = TABLES["goal"].blocks, Choice(scale=0.5)
        for long in TABLES["goal-long"].blocks:
            (twin,) = (block for block in usual if (block.data, block.kind) == (long.data, long.kind))
            cells = [cell_of(block, block.arms[0], 0, scaled) for block in (twin, long)]
            assert cells[1] == replace(cells[0], cpu_seconds=long.times * cells[0].cpu_seconds)
            assert cells[1].cpu_seconds > cells[0].cpu_seconds

    def test_are_written_from_the_cells_that_are_there(self, tmp_path: Path) -> None:
        place, choice = Place(Path(), tmp_path / "work"), Choice(seeds=3)
        block = TRIAL.blocks[0]
        for seed in (0, 2):
            store(cell_of(block, block.arms[0], seed, choice), place, a_record("vanilla", seed, 0.2 + seed))
        write_pages({"trial": TRIAL}, place, choice, tmp_path)
        page = (tmp_path / "results" / "gans.md").read_text()
        (row,) = [line for line in page.splitlines() if line.startswith("| vanilla | 2 |")]
        assert "1.2 (0.2 to 2.2)" in row
        assert "| synthaug |" not in page
        facts = json.loads((tmp_path / "results" / "gans" / "trial.json").read_text())
        assert len(facts["blocks"][0]["rows"]["vanilla"]) == 2

    def test_have_n_in_every_title_and_a_row_of_floors(self) -> None:
        rows = {"vanilla": [a_record("vanilla", 0, 0.2)]}
        assert titles(rows, [KID]) == ["domain KID ↓, n = 50"]
        head, _, floor, *_ = overall(rows, "goal").splitlines()
        assert head.count("n = 50") == 5
        assert floor.startswith("| *real images (floor)*")
        assert floor.count("0.01") == 3

    @pytest.mark.parametrize("missing", ["floor", "n"])
    def test_print_no_number_without_its_n_and_floor(self, missing: str) -> None:
        record = a_record("vanilla", 0, 0.2)
        del record["scores"][0][missing]
        with pytest.raises(ValueError, match="no floor or no n"):
            overall({"vanilla": [record]}, "goal")


class TestTheVerdict:
    def test_is_met_where_the_excess_is_small_enough(self) -> None:
        rows = {
            "synthaug": [a_record("synthaug", 0, 0.02)],  # excess 0.01
            "wgan-gp": [a_record("wgan-gp", 0, 0.11)],  # 0.1
            "dcgan": [a_record("dcgan", 0, 0.025)],  # 0.015
        }
        kid_of_wgan_gp, kid_of_best, *_ = goal(rows)
        assert "ratio 0.1, target at most 0.2: **met**" in kid_of_wgan_gp
        assert "`dcgan` 0.015: ratio 0.667, target at most 0.5: **not met**" in kid_of_best

    def test_calls_no_preset_the_best_of_one(self) -> None:
        rows = {"synthaug": [a_record("synthaug", 0, 0.02)], "wgan-gp": [a_record("wgan-gp", 0, 0.11)]}
        assert not [line for line in goal(rows) if "best other" in line]

    def test_of_the_metrics_names_the_order_and_the_agreement(self) -> None:
        rows = {
            name: [a_record(name, 0, kid, better=better)]
            for name, kid, better in (("monai", 0.3, 0.9), ("progressive", 0.2, 0.8), ("synthaug", 0.1, 0.7))
        }
        lines = order(rows)
        assert "By IS (domain), best first: monai, progressive, synthaug" in lines
        assert "By FID-768, best first: synthaug, progressive, monai" in lines
        assert "domain KID -1.00, recall 1.00" in lines[-2]
        assert "domain KID 1.00, recall -1.00" in lines[-1]


def test_numbers_are_medians_with_their_range() -> None:
    assert over_seeds([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert over_seeds([2.0]) == "2"


def test_stability_is_the_variance_of_kid_in_the_last_third() -> None:
    assert stability(a_record("vanilla", 0, 1.0)) == pytest.approx(np.var([9, 10], ddof=1))


def test_a_class_is_found_by_its_name() -> None:
    found = find([a_record("vanilla", 0, 0.2)], Column("KID", "KID", "domain"), "abnormal")
    assert found is not None
    assert found.excess == pytest.approx([0.19])


def test_counts_are_thinned_to_the_very_number() -> None:
    assert thinned([1000, 895, 1004], 2000) == [690, 617, 693]
    assert thinned([3, 4], 10) == [3, 4]


class Contrary(SampleMonitor):
    """A judge who likes best what is worst."""

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> SampleQuality:
        found = super().__call__(pixels)
        return replace(found, kid=-found.kid)


@pytest.mark.parametrize("kind", [SampleMonitor, Contrary])
def test_the_generator_of_the_best_look_is_kept(kind: type[SampleMonitor]) -> None:
    data, fabric = material("phantom", Path()), Fabric(accelerator="cpu", devices=1)
    (pixels,) = extractors_for(["pixels"], data.known, fabric=fabric)
    judge = kind(data.judge, pixels, data.fit)
    config = Cell("phantom", "vanilla", 0.2).config
    pair = fit(data.fit, config, fabric, judge, cpu_seconds=0.2)
    kids = [look["kid"] for look in pair.facts["looks"]]
    best = pair.facts["best_look"]
    assert kids[best - 1] <= max(min(kids[:best]), judge.floor) + judge.noise  # the latest, but for noise
    assert all(kid > max(min(kids), judge.floor) + judge.noise for kid in kids[best:])
    latents = torch.randn(len(judge.labels), config.latent_dim, generator=random_numbers(config.seed))
    with torch.no_grad():
        images = pair.generator(latents, torch.from_numpy(judge.labels))
    assert judge(to_uint8(images)).kid == pytest.approx(kids[best - 1], rel=1e-3)


def test_of_more_images_those_of_the_highest_logits_are_kept() -> None:
    networks = build_networks(TINY.config, num_classes=2, image_size=28, channels=1)
    pair = Pair(networks[0].eval(), networks[1].eval(), {})
    logits = []
    for keep in (1.0, 0.5):
        made = make_images(pair, [40, 20], ("a", "b"), seed=0, keep=keep)
        assert made.counts() == {"a": 40, "b": 20}
        with torch.no_grad():
            labels = torch.from_numpy(made.labels)
            seen = pair.discriminator.prepare(2 * to_unit_range(made.pixels) - 1, labels)
            logits.append(pair.discriminator(seen, labels))
    assert logits[1][:40].mean() > logits[0][:40].mean()
    assert logits[1][40:].mean() > logits[0][40:].mean()


def test_the_highest_logits_keep_their_order() -> None:
    assert highest(torch.tensor([0.1, 3.0, 2.0, 5.0]), 2).tolist() == [1, 3]
