"""The use cases from Python: what they return, what they refuse, and that they say nothing on their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import synthaug
from tiny_images import tiny_images

import synthaug as sa
from synthaug.augment.formats.registry import read_attributes, read_images

DATA = "phantom:n=240,abnormal=0.3"
SMALL = {"steps": 3, "batch_size": 8, "width": 4, "monitor": False, "device": "cpu", "precision": "32-true"}


@pytest.fixture(scope="module")
def data() -> sa.Splits:
    return sa.load(DATA, size=16)


@pytest.fixture(scope="module")
def run(data):
    return sa.train_generator(data, **SMALL)


@pytest.fixture
def images(run):
    return sa.generate("abnormal", n=20, generator=run)


class TestLoading:
    def test_splits_in_memory_pass_through(self, data):
        assert sa.load(data) is data

    def test_says_where_a_data_set_came_from(self, data):
        assert data.source.spec == DATA
        assert data.source.options.size == 16

    def test_an_unknown_option_is_refused_with_those_there_are(self):
        with pytest.raises(sa.UsageError, match="unknown option sise: expected root, split_seed, size"):
            sa.load(DATA, sise=16)


class TestTraining:
    def test_gives_the_generator_and_how_it_went(self, run, data):
        assert run.complete
        assert run.steps_done == 3
        assert run.class_names == ("normal", "abnormal")
        assert run.image_shape == (1, 16, 16)
        assert run.card.data == f"phantom train split, {len(data.train)} images 1×16×16"
        assert run.card.licence == "none, made here"

    def test_gives_the_file_that_the_command_line_gives(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        options = ("--steps", 3, "--batch-size", 8, "--width", 4, "--no-monitor", "--device", "cpu")
        command = ("train-generator", "--dataset", DATA, "--size", 16, *options, "--precision", "32-true")
        assert synthaug(*command, "--out", "r").status == 0
        assert Path("r/generator.safetensors").read_bytes() == run.path.read_bytes()

    def test_keeps_its_run_where_that_is_asked_for_and_resumes_it(self, data, tmp_path):
        folder = tmp_path / "run"
        sa.train_generator(data, out=folder, **SMALL)
        with pytest.raises(sa.UsageError, match="exists already"):
            sa.train_generator(data, out=folder, **SMALL)
        longer = sa.train_generator(data, out=folder, resume=True, **{**SMALL, "steps": 5})
        assert longer.steps_done == 5
        assert (folder / "log.jsonl").exists()

    def test_images_in_memory_are_data_too(self):
        splits = sa.Splits(tiny_images((20, 20), side=16), *[tiny_images((1, 1), side=16).take([])] * 2)
        trained = sa.train_generator(splits, **SMALL)
        assert trained.card.data.startswith("data train split, 40 images")

    def test_a_generator_can_be_saved_and_opened_again(self, run, tmp_path):
        path = run.save(tmp_path / "mine.safetensors")
        assert sa.Generator(path).card.sha256 == run.card.sha256
        with pytest.raises(sa.UsageError, match="exists already"):
            run.save(path)


class TestGenerating:
    def test_gives_exactly_what_is_asked_and_image_i_is_image_i(self, run, images):
        assert images.counts() == {"normal": 0, "abnormal": 20}
        more = sa.generate(["normal", "abnormal"], n=30, generator=run)
        assert more.counts() == {"normal": 30, "abnormal": 30}
        assert np.array_equal(more.of_class(1).pixels[:20], images.pixels)

    def test_fills_up_the_classes_of_a_data_set(self, run, data):
        filled = sa.generate(balance_with=data, generator=run)
        assert {
            **data.train.counts(),
            "abnormal": len(filled) + data.train.counts()["abnormal"],
        } == dict.fromkeys(data.class_names, data.train.counts()["normal"])

    def test_lets_near_copies_of_training_images_pass_only_when_told_to(self, run, images, tmp_path):
        """The generator's own images, taken for training images: each is a copy of itself."""
        real = replace(images, synthetic=np.zeros(len(images), bool), provenance=None)
        known = sa.Splits(real, real.take(range(4)), real.take([]), "known")
        with pytest.raises(sa.GateError, match="20 of 20 synthetic images are near copies"):
            sa.generate("abnormal", n=20, generator=run, training_images=known)
        passed = sa.generate("abnormal", n=20, generator=run, training_images=known, allow_near_copies=True)
        assert passed.digest() == images.digest()
        with pytest.raises(sa.GateError):
            sa.save(passed, tmp_path / "x.h5", training_images=known)
        assert not (tmp_path / "x.h5").exists()
        sa.save(passed, tmp_path / "x.h5", training_images=known, allow_near_copies=True)
        assert "overridden" in read_attributes(tmp_path / "x.h5")["memorization_gate"]

    def test_writes_a_file_without_holding_the_images(self, run, images, tmp_path):
        path = sa.generate_to(tmp_path / "a.h5", "abnormal", 20, generator=run)
        assert read_images(path).digest() == images.digest()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"classes": "cat", "n": 3}, "no class 'cat'"),
            ({"classes": "normal"}, "say what to make"),
            ({"per_class": 3, "n": 3}, "say what to make"),
            ({"per_class": 0}, "expected at least 1"),
            ({"per_class": 3, "reject_near_copies": True, "allow_near_copies": True}, "expected one of them"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, run, arguments, message):
        with pytest.raises(sa.UsageError, match=message):
            sa.generate(**arguments, generator=run)


class TestSaving:
    @pytest.mark.parametrize("name", ["x.h5", "x.npz", "folder", "x-dicom"])
    def test_every_format_knows_its_generator(self, run, images, tmp_path, name):
        path = sa.save(images, tmp_path / name)
        attributes = read_attributes(path)
        assert attributes["generator"] == run.card.sha256
        assert attributes["licence"] == "none, made here"
        assert attributes["memorization_gate"].startswith("passed, no near copy: compared with pixels of")
        back = read_images(path)
        assert back.synthetic.all()
        assert np.array_equal(back.pixels, images.pixels)

    def test_a_blend_and_whole_splits_can_be_saved(self, data, images, tmp_path):
        blended = sa.blend(data.train, images, add=True)
        sa.save(blended, tmp_path / "blend.h5")
        assert read_images(tmp_path / "blend.h5").counts_by_origin() == blended.counts_by_origin()
        sa.save(data, tmp_path / "all.h5")
        assert sa.load(tmp_path / "all.h5").test.digest() == data.test.digest()

    def test_an_option_that_is_none_is_refused(self, images, tmp_path):
        with pytest.raises(sa.UsageError, match="modalty"):
            sa.save(images, tmp_path / "x-dicom", modalty="CR")


class TestBlending:
    def test_by_ratio_by_balance_or_all(self, data, run):
        pool = sa.generate(per_class=120, generator=run)
        n, counts = len(data.train), data.train.counts()
        assert sa.blend(data.train, pool, ratio=0.5).synthetic.sum() == n
        balanced = sa.blend(data.train, pool, balance=True)
        assert set(balanced.counts().values()) == {counts["normal"]}
        assert len(sa.blend(data.train, pool, add=True)) == n + 240

    @pytest.mark.parametrize("how", [{}, {"ratio": 0.5, "balance": True}, {"balance": True, "add": True}])
    def test_in_one_way_at_a_time(self, data, images, how):
        with pytest.raises(sa.UsageError, match="expected one of ratio"):
            sa.blend(data.train, images, **how)

    def test_says_how_many_images_a_class_lacks(self, data, images):
        with pytest.raises(
            sa.DataError, match="20 synthetic images of class 'abnormal': expected 48, make 28 more"
        ):
            sa.blend(data.train, images, balance=True)


class TestAClassifier:
    def test_predicts_scores_and_is_saved(self, data, tmp_path):
        model = sa.train_classifier(data, steps=2, batch_size=8, device="cpu", precision="32-true")
        probabilities = model.predict(data.test)
        assert probabilities.shape == (len(data.test), 2)
        assert np.allclose(probabilities.sum(axis=1), 1)
        assert 0 <= model.score(data.test)["AUROC"].value <= 1
        model.save(tmp_path / "m")
        assert {p.name for p in (tmp_path / "m").iterdir()} == {"classifier.safetensors", "report.json"}

    def test_refuses_to_be_scored_on_what_it_was_trained_on(self, data):
        model = sa.train_classifier(data, steps=1, batch_size=8, device="cpu", precision="32-true")
        with pytest.raises(sa.GateError, match="this classifier"):
            model.score(data.train)

    def test_needs_validation_images_beside_plain_ones(self, data):
        with pytest.raises(sa.UsageError, match="with validation images"):
            sa.train_classifier(data.train, steps=1)


def test_the_api_prints_nothing_and_reports_progress(data, run, capsys):
    reports = []
    sa.generate("normal", n=130, generator=run, on_progress=reports.append)
    assert capsys.readouterr() == ("", "")
    assert [report.done for report in reports] == [0, 64, 128, 130, 130]
    assert reports[-1].finished
    assert reports[-1].fraction == 1
    assert {report.description for report in reports} == {"generate"}
