"""The report: the same facts as JSON and as one page that needs nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_page import Page

from synthaug.augment.images import Splits
from synthaug.augment.phantom import phantom
from synthaug.evaluation.arms import SYNTHETIC_ONLY, Cell, arms_of
from synthaug.evaluation.gain import Experiment, compare, conclude
from synthaug.evaluation.report import Report


def report(*, seeds: int = 2, fractions: tuple[float, ...] = (0.1, 1.0)) -> Report:
    """Of trainings that never were: the arms answer at random."""
    parts = [replace(phantom([8, 4], size=28, seed=seed), groups=None) for seed in range(3)]
    splits = Splits(*parts, name="phantom & co")
    rng = np.random.default_rng(0)
    cells = []
    for fraction in fractions:
        for seed in range(seeds):
            for arm in arms_of((0.5,)):
                counts = {"real": {"normal": 8, "abnormal": 4}, "synthetic": {"normal": 0, "abnormal": 4}}
                p = rng.random(12)
                history = [{"step": 5.0, "loss": 0.7, "val_auroc": 0.5, "val_loss": 0.7}]
                cells.append(
                    Cell(fraction, seed, arm, counts, 0.5, 0.5, np.stack([1 - p, p], axis=1), history)
                )
    gains = compare(cells, splits.test)
    experiment = Experiment(cells, gains, *conclude(gains))
    log = [{"step": k, "discriminator": 1.0, "generator": 2.0} for k in (1, 2)]
    config = {"dataset": "phantom", "synthetic": Path("made.h5")}
    return Report(splits, experiment, None, config, log)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return report().write(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(written) -> Page:
    return Page(written.read_text(encoding="utf-8"))


class TestThePage:
    def test_is_well_formed_and_escapes_names(self, page):
        assert page.open == []
        assert "Do synthetic images help on phantom & co?" in page.text

    def test_needs_nothing_from_elsewhere(self, written, page):
        html = written.read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|url\(|@import|<script|<link|<iframe", html)
        assert len(page.sources) == 6  # gains, two ROC and two validation plots, generator losses
        assert all(source.startswith("data:image/png;base64,iVBOR") for source in page.sources)

    def test_says_the_verdict_and_names_every_arm(self, page):
        found = report()
        assert found.experiment.verdict in page.text
        assert found.experiment.sentence in page.text
        arms = page.tables[0]
        assert [row[0] for row in arms[1:]] == 2 * [arm.name for arm in arms_of((0.5,))]
        assert {len(row) for row in arms} == {12}

    def test_tells_shares_of_labels_in_per_cent(self, page):
        assert [row[1] for row in page.tables[0]] == ["labels"] + 4 * ["10 %"] + 4 * ["100 %"]
        assert "ROC on test, 10 % of the training labels" in page.text
        assert not re.search(r"0\.1 (of the )?labels", page.text)

    def test_does_without_an_assessment_of_the_images_and_a_generator(self, tmp_path):
        plain = replace(report(fractions=(1.0,)), generator_log=())
        page = Page(plain.write(tmp_path).read_text(encoding="utf-8"))
        assert "The images themselves" not in page.text
        assert "Generator losses" not in page.text
        assert len(page.tables) == 2


class TestTheJSON:
    def test_holds_verdict_arms_fidelity_config_and_versions(self, written):
        facts = json.loads((written.parent / "report.json").read_text(encoding="utf-8"))
        assert {"verdict", "sentence", "gains", "arms", "fidelity", "config", "versions"} <= set(facts)
        assert facts["config"]["synthetic"] == "made.h5"
        assert {"synthaug", "torch", "python"} <= set(facts["versions"])
        assert len(facts["arms"]) == 8
        assert len(facts["cells"]) == 16
        assert (facts["fidelity"], facts["memorization"]) == ([], None)
        assert {gain["verdict"] for gain in facts["gains"]} <= {"helps", "harms", "no evidence"}
        assert SYNTHETIC_ONLY in {gain["arm"] for gain in facts["gains"]}

    def test_means_what_the_cells_say(self):
        found = report(seeds=3, fractions=(1.0,))
        row = found.facts["arms"][0]
        labels = found.splits.test.labels
        pairs = [
            c.test[labels == 1, 1][:, None] > c.test[labels == 0, 1] for c in found.experiment.cells[::4]
        ]
        areas = [pair.mean() for pair in pairs]
        assert row["AUROC"] == pytest.approx(np.mean(areas))
        assert row["AUROC SD"] == pytest.approx(np.std(areas, ddof=1))
        assert row["seeds"] == 3

    def test_is_json_even_with_a_single_seed(self, tmp_path):
        text = (report(seeds=1).write(tmp_path).parent / "report.json").read_text(encoding="utf-8")

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        facts = json.loads(text, parse_constant=refuse)
        assert facts["gains"][0]["auroc"]["low"] is None
        assert facts["arms"][0]["AUROC SD"] is None


class TestWriting:
    def test_replaces_an_older_report_whole(self, tmp_path):
        (tmp_path / "report.html").write_text("old")
        report().write(tmp_path)
        assert "old" not in (tmp_path / "report.html").read_text(encoding="utf-8")[:5]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]

    def test_that_fails_leaves_the_older_report(self, tmp_path):
        (tmp_path / "report.html").write_text("old")
        unreadable = replace(report(), generator_log=[{"generator": 1.0}])  # a log without steps
        with pytest.raises(KeyError):
            unreadable.write(tmp_path)
        assert (tmp_path / "report.html").read_text() == "old"
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
