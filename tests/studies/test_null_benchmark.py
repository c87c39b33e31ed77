"""The proof that the experiment cannot be fooled: its data, its fakes, its counting, and a small run."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiment_fixtures import AUGMENTED, BLEND, LESS, REAL, SPLITS, made_up
from scipy import stats

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.gain.planning import pilot_sd
from synthaug.evaluation.gain.verdict import compare_arms

sys.path.append(str(Path(__file__).parents[2] / "studies" / "null"))
from null import main
from null_experiment import paired_p, planned
from null_kinds import KINDS, Synthesizer
from null_summary import share
from truth import BEST_AUROC, Truth

NONE = {"simulated": 0, "nulls": 0, "calibration": 0, "planted": 0, "threshold": 0}


def run(folder: Path, **counts: int) -> list[dict[str, Any]]:
    """The script's entry; what it kept."""
    numbers = [f"--{name}={n}" for name, n in (NONE | counts).items()]
    assert main([f"--work={folder / 'work'}", f"--out={folder / 'docs'}", *numbers]) == 0
    return [json.loads(path.read_text()) for path in sorted(folder.glob("work/*/*.json"))]


def made(name: str, real: LabeledImages, seed: int = 0) -> LabeledImages:
    return Synthesizer(KINDS[name].fake, Truth(3))(real, [6, 5], seed)


@pytest.fixture(scope="module")
def real() -> LabeledImages:
    return Truth(3).draw([8, 8], 0)


class TestTheTruth:
    def test_is_as_hard_as_it_says(self) -> None:
        truth = Truth(1)
        images = truth.draw([4000, 4000], 0)
        along = (images.pixels * truth.pattern).sum(axis=(1, 2, 3), dtype=float)
        best = auroc(images.labels, np.stack([-along, along], axis=1))
        assert best == pytest.approx(BEST_AUROC, abs=0.01)

    def test_is_another_for_every_experiment(self, real: LabeledImages) -> None:
        assert abs((Truth(1).pattern * Truth(2).pattern).sum()) < 0.9
        drawn = [Truth(3).draw([8, 8], 1), Truth(4).draw([8, 8], 0), made("planted effect", real)]
        seen = Counter(image.tobytes() for images in (real, *drawn) for image in images.pixels)
        assert set(seen.values()) == {1}


class TestTheFakes:
    def test_give_what_was_asked_for_marked_as_synthetic(self, real: LabeledImages) -> None:
        for kind in KINDS.values():
            images = made(kind.name, real)
            assert list(images.counts().values()) == [6, 5]
            assert images.synthetic.all()
            assert made(kind.name, real).digest() == images.digest()
            assert made(kind.name, real, seed=1).digest() != images.digest()

    @pytest.mark.parametrize("name", ["shuffled labels", "resampled reals", "collapsed generator"])
    def test_have_no_image_that_the_labelled_subset_lacks(self, name: str, real: LabeledImages) -> None:
        known = {image.tobytes(): label for image, label in zip(real.pixels, real.labels, strict=True)}
        images = made(name, real)
        truly = [known[image.tobytes()] for image in images.pixels]
        assert (np.array_equal(truly, images.labels)) == (name != "shuffled labels")
        if name == "collapsed generator":
            assert len({image.tobytes() for image in images.pixels}) == 2


class TestTheCounting:
    def test_of_shares_is_exact(self) -> None:
        assert share(0, 125)["high"] == pytest.approx(1 - 0.025 ** (1 / 125))
        assert share(5, 5)["low"] == pytest.approx(0.025 ** (1 / 5))

    def test_of_a_rise_at_one_half_is_a_paired_t_test(self) -> None:
        rises = [0.02, 0.05, 0.01, 0.04]
        t = np.mean(rises) / (np.std(rises, ddof=1) / 2)
        assert paired_p(rises) == pytest.approx(stats.t.sf(t, 3))
        assert paired_p([0.0, 0.0]) == 1

    def test_asks_the_planner_by_the_arm_with_the_most_synthetic_images(self) -> None:
        small = compare_arms(made_up({REAL: -0.3, AUGMENTED: 0, LESS: 0.02, BLEND: 0.3}), SPLITS)
        facts = planned(small, KINDS["planted effect"])
        sds = {gain.arm: pilot_sd(gain.difference) for gain in small.gains}
        assert facts["pilot_sd"] == sds[BLEND] != sds[LESS]
        assert facts["subsets"] == max(facts["needed"], KINDS["planted effect"].subsets)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nulls")


@pytest.fixture(scope="module")
def records(folder: Path) -> list[dict[str, Any]]:
    return run(folder, nulls=1, threshold=1)


@pytest.mark.slow
class TestARun:
    def test_keeps_one_file_for_every_experiment(self, records: list[dict[str, Any]]) -> None:
        assert len(records) == len({record["seed"] for record in records}) == 5
        for record in records:
            deciding = [gain for gain in record["gains"].values() if gain["verdict"] is not None]
            assert len(deciding) == 3
            assert all(gain["low"] <= gain["auroc"] <= gain["high"] for gain in deciding)

    def test_sees_a_gain_at_one_half_where_copies_move_the_threshold(
        self, records: list[dict[str, Any]]
    ) -> None:
        (copies,) = [record for record in records if record["kind"] == "oversampling"]
        assert copies["at 0.5"]["real + synthetic 0.4"]["balanced_accuracy"] > 0.05
        assert copies["gains"]["real + synthetic 0.4"]["auroc"] < 0.02
        assert copies["verdict"] != "helps"

    def test_does_not_run_again_what_is_finished(self, records: list[dict[str, Any]], folder: Path) -> None:
        written = {path: path.stat().st_mtime_ns for path in folder.glob("work/*/*.json")}
        assert run(folder, nulls=1, threshold=1) == records
        assert {path: path.stat().st_mtime_ns for path in folder.glob("work/*/*.json")} == written

    def test_writes_the_page_its_numbers_and_the_picture(
        self, records: list[dict[str, Any]], folder: Path
    ) -> None:
        page = (folder / "docs" / "results" / "null.md").read_text()
        assert "data whose truth is known: 5 experiments" in page
        assert "| **all** | **0 of 4 (0.0 % [0.0, 60.2])** |" in page
        facts = json.loads((folder / "docs" / "results" / "null.json").read_text())
        assert [each["seed"] for each in facts["experiments"]] == [each["seed"] for each in records]
        assert (folder / "docs" / "images" / "null.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_forty_null_experiments_say_helps_no_more_often_than_chance(tmp_path: Path) -> None:
    records = run(tmp_path, nulls=10)
    assert len(records) == 40
    helps = sum(record["verdict"] == "helps" for record in records)
    assert helps <= stats.binom.ppf(0.999, 40, 0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_true_gain_is_found_at_the_size_that_the_planner_asks_for(tmp_path: Path) -> None:
    records = run(tmp_path, planted=6)
    helps = sum(record["verdict"] == "helps" for record in records)
    assert helps >= stats.binom.ppf(0.005, 6, 0.8)
    assert all(record["subsets"] >= record["pilot_subsets"] for record in records)
