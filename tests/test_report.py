"""The report: the same facts as JSON and as one page that needs nothing else."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from synthaug.augment.images import Splits
from synthaug.augment.phantom import phantom
from synthaug.evaluation.arms import SYNTHETIC_ONLY, Cell, arms_of
from synthaug.evaluation.fidelity import METRICS, FidelityScore
from synthaug.evaluation.gain import Experiment, compare, conclude
from synthaug.evaluation.report import Report, fidelity_tables

VOID = {"meta", "img", "br"}
DOMAIN, INCEPTION = "classifier of <phantom>, 28 px", "inception-768, 299 px"


def score(metric: str, part: str, extractor: str, note: str = "") -> FidelityScore:
    return FidelityScore(
        metric, part, extractor, 128, 1.25, 0.75, 24, 12, METRICS[metric].higher_is_better, note
    )


SCORES = [score(metric, part, DOMAIN) for part in ("overall", "normal", "abnormal") for metric in METRICS] + [
    score(metric, "overall", INCEPTION, "n=12 is not above 128 dimensions" if metric == "FID" else "")
    for metric in METRICS
    if metric != "IS"
]


def report(
    *, seeds: int = 2, fractions: tuple[float, ...] = (0.1, 1.0), fidelity: list | None = None
) -> Report:
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
    made = replace(phantom([0, 6], size=28, seed=9), class_names=("Normal", "Abnormal"))
    log = [{"step": k, "discriminator": 1.0, "generator": 2.0} for k in (1, 2)]
    config = {"dataset": "phantom", "synthetic": Path("made.h5")}
    return Report(splits, experiment, made, SCORES if fidelity is None else fidelity, config, log)


class Page(HTMLParser):
    """Checks that tags are closed in order; gathers text, sources and the cells of tables."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data


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
        assert "classifier of <phantom>" in page.text

    def test_needs_nothing_from_elsewhere(self, written, page):
        html = written.read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|url\(|@import|<script|<link|<iframe", html)
        # gains, two ROC and two validation plots, generator losses; real images of two classes, made of one
        assert len(page.sources) == 9
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

    def test_has_one_fidelity_table_per_extractor(self, page):
        domain, inception = page.tables[1:3]
        metrics = ["FID ↓", "KID ↓", "IS ↑", "precision ↑", "recall ↑"]
        assert domain[0] == ["images", "n", "reference", *metrics]
        assert [row[:3] for row in domain[1:]] == [[p, "12", "24"] for p in ("overall", "normal", "abnormal")]
        assert domain[1][3] == "1.25 (0.75)"
        assert inception[0][3:] == ["FID ↓", "KID ↓", "precision ↑", "recall ↑"]
        assert f"{DOMAIN}; 128 dimensions" in page.text
        assert page.text.count("n=12 is not above 128 dimensions") == 1

    def test_does_without_fidelity_and_generator(self, tmp_path):
        plain = replace(report(fidelity=[], fractions=(1.0,)), generator_log=())
        page = Page(plain.write(tmp_path).read_text(encoding="utf-8"))
        assert "Fidelity" not in page.text
        assert "Generator losses" not in page.text
        assert len(page.tables) == 2


def test_a_metric_that_one_part_lacks_leaves_a_gap():
    (table,) = fidelity_tables([score("FID", "overall", DOMAIN), score("KID", "normal", DOMAIN)])
    assert [[bool(s) for s in scores] for *_, scores in table["rows"]] == [[True, False], [False, True]]


class TestTheJSON:
    def test_holds_verdict_arms_fidelity_config_and_versions(self, written):
        facts = json.loads((written.parent / "report.json").read_text(encoding="utf-8"))
        assert {"verdict", "sentence", "gains", "arms", "fidelity", "config", "versions"} <= set(facts)
        assert facts["config"]["synthetic"] == "made.h5"
        assert {"synthaug", "torch", "python"} <= set(facts["versions"])
        assert len(facts["arms"]) == 8
        assert len(facts["cells"]) == 16
        assert len(facts["fidelity"]) == len(SCORES)
        assert {"value", "floor", "n", "n_reference", "extractor", "note"} <= set(facts["fidelity"][0])
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
        report(fidelity=[]).write(tmp_path)
        assert "old" not in (tmp_path / "report.html").read_text(encoding="utf-8")[:5]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]

    def test_that_fails_leaves_the_older_report(self, tmp_path):
        (tmp_path / "report.html").write_text("old")
        unreadable = replace(report(fidelity=[]), generator_log=[{"step": 1}])  # a log without losses
        with pytest.raises(KeyError):
            unreadable.write(tmp_path)
        assert (tmp_path / "report.html").read_text() == "old"
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
