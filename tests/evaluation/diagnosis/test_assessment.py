"""The judgement of a set of images as a whole: its light, its page, its JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric import Fabric
from report_page import Page

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.diagnosis.assessment import Assessment, assess
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.reports.assessment_report import write_assessment
from synthaug.evaluation.statistics import Estimate


def some(n: int, seed: int) -> LabeledImages:
    return replace(phantom([n, n], size=32, seed=seed), groups=None)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(some(120, 0), some(60, 1), some(20, 2), name="phantom <1>")


@pytest.fixture(scope="module")
def domain(splits) -> Extractor:
    fabric = Fabric(accelerator="cpu", devices=1)
    return extractors_for(["domain"], splits, fabric=fabric, steps=60)[0]


@pytest.fixture(scope="module")
def honest(splits, domain) -> Assessment:
    """Of real images that no training saw."""
    return assess(splits, some(60, 3), domain, published=True)


@pytest.fixture(scope="module")
def copying(splits, domain) -> Assessment:
    """Of new real images with ten training images among them, one grey level brighter."""
    copies = splits.train.take(range(10))
    brighter = replace(copies, pixels=np.minimum(copies.pixels, 254) + np.uint8(1))
    rest = some(55, 3)
    pixels = np.concatenate([rest.pixels, brighter.pixels])
    labels = np.concatenate([rest.labels, brighter.labels])
    return assess(splits, LabeledImages(pixels, labels, rest.class_names), domain)


class TestNewRealImages:
    def test_show_no_fault_and_no_copies(self, honest):
        assert honest.findings == []
        assert honest.memorization is not None
        assert honest.memorization.passed
        assert honest.light in ("green", "amber")

    def test_are_scored_overall_and_per_class_with_interval_and_floor(self, honest):
        families = {
            "FID", "KID", "IS", "precision", "recall", "density", "coverage",
            "nearest-real PSNR", "nearest-real MSE", "nearest-real SSIM", "nearest-real MS-GMSD",
            "MS-SSIM diversity",
        }  # fmt: skip
        for part in ("overall", "normal", "abnormal"):
            expected = families if part == "overall" else families - {"IS"}
            assert {s.metric for s in honest.scores if s.part == part} == expected
        for score in [*honest.scores, *honest.published]:
            numbers = [(e.low, e.value, e.high) for e in (score.value, score.floor)]
            assert np.isfinite(numbers).all(), score.metric
            assert score.value.low <= score.value.value <= score.value.high
            assert score.n >= 10

    def test_have_published_numbers_apart(self, honest):
        published = {score.metric for score in honest.published}
        assert published == {"unpaired PSNR", "unpaired MSE", "unpaired SSIM", "unpaired MS-GMSD", "pixel-fd"}
        assert not published & {score.metric for score in honest.scores}


class TestTrainingImagesAmongThem:
    def test_turn_the_light_red_and_are_named(self, copying):
        assert copying.light == "red"
        assert "near copies of training images" in copying.sentence
        assert copying.memorization is not None
        assert {pair.train for pair in copying.memorization.near_copies} == set(range(10))

    def test_are_shown_beside_what_they_copy(self, copying):
        made, real = copying.closest
        assert np.abs(made.pixels.astype(int) - real.pixels).max() == 1


def test_an_amber_light_names_what_is_worse(honest):
    gap = replace(honest.scores[0].gap, value=1.0, low=0.9, high=1.1)
    worse = replace(honest.scores[0], gap=gap)
    amber = replace(honest, scores=[worse, *honest.scores[1:]])
    assert amber.light == "amber"
    assert "FID" in amber.sentence


def test_a_fault_of_one_class_is_not_hidden_by_the_others(splits, domain):
    made = some(60, 3)
    noise = np.random.default_rng(0).normal(0, 25, made.pixels.shape)
    spoilt = (made.labels == 1)[:, None, None, None]
    pixels = np.where(spoilt, (made.pixels + noise).clip(0, 255), made.pixels).astype(np.uint8)
    found = assess(splits, replace(made, pixels=pixels), domain, memorization=False)
    assert found.light != "green"
    assert {score.part for score in found.worse} >= {"abnormal"}


def test_a_class_that_was_not_judged_is_named(splits, domain):
    found = assess(splits, some(60, 3).take(range(69)), domain, memorization=False)
    assert "Not judged, with fewer than 10 images in a set: abnormal (9 synthetic)." in found.sentence
    assert found.as_dict()["left_out"] == {"abnormal": 9}


def test_no_more_near_copies_than_false_alarms_explain_are_amber(copying):
    memory = copying.memorization
    often = replace(
        memory, copied_floor=Estimate(0.1, 0.05, 0.2), floor_units=100, floor_alarms=10
    )  # the rule errs in one of ten
    resembling = replace(copying, memorization=often, findings=[], scores=[])
    assert resembling.light == "amber"
    assert "look at 10 images that resemble training images" in resembling.sentence
    assert "no more than the rule's false alarms explain" in often.sentence


def test_memorization_can_be_left_out(splits, domain):
    found = assess(splits, some(15, 3), domain, memorization=False)
    assert found.memorization is None
    assert found.as_dict()["memorization"] is None


class TestThePage:
    @pytest.fixture
    def written(self, copying, tmp_path) -> Path:
        return write_assessment(copying, tmp_path / "out", "phantom <1>", {"real": "phantom"})

    def test_is_well_formed_and_needs_nothing_from_elsewhere(self, written):
        html = written.read_text(encoding="utf-8")
        page = Page(html)
        assert page.open == []
        assert "as good as new real images of phantom <1>?" in page.text
        assert not re.search(r"https?:|file:|url\(|@import|<script|<link|<iframe", html)
        assert all(source.startswith("data:image/png;base64,iVBOR") for source in page.sources)

    def test_says_the_light_why_and_shows_grids_pairs_distances_and_a_chart_per_table(self, copying, written):
        page = Page(written.read_text(encoding="utf-8"))
        assert copying.sentence in page.text
        assert copying.memorization.sentence in page.text
        grids, pairs_and_distances, charts = 4, 2, 3
        assert len(page.sources) == grids + pairs_and_distances + charts

    def test_comes_with_the_same_facts_as_json(self, copying, written):
        facts = json.loads((written.parent / "report.json").read_text(encoding="utf-8"))
        assert facts["light"] == "red"
        assert len(facts["fidelity"]) == len(copying.scores)
        assert {"config", "versions", "memorization", "findings"} <= set(facts)

    def test_shows_published_numbers_with_a_warning(self, honest, tmp_path):
        page = Page(write_assessment(honest, tmp_path, "phantom", {}).read_text(encoding="utf-8"))
        assert "Not fidelity: pairs of unrelated images" in page.text
        assert "unpaired PSNR" in page.text
