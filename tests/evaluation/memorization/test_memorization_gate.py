"""The gate in front of every file of synthetic images, by the real command line and in every format."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from cli_runner import synthaug

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.formats.registry import read_attributes, read_images, write_images
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.stream import ImageStream
from synthaug.augment.transforms import resize
from synthaug.evaluation.memorization.gate import ATTRIBUTE
from synthaug.generators.checkpoint import save_generator
from synthaug.generators.sampling import Synthesizer, shipped

ENDINGS = {"hdf5": "out.h5", "npz": "out.npz", "folder": "out", "dicom": "out-dicom"}


@pytest.fixture(scope="module")
def first_images() -> LabeledImages:
    """The first 24 images of each class of the shipped chest generator."""
    chest = Synthesizer("chest-xray")
    return concatenate([chest.images(label, 0, 24) for label in (0, 1)])


@pytest.fixture(scope="module")
def training_images(first_images, tmp_path_factory) -> Path:
    """A data set that holds them as real images: a generator that copies its training images."""
    real = replace(first_images, synthetic=np.zeros(48, bool), provenance=None)
    path: Path = tmp_path_factory.mktemp("gate") / "real.npz"
    write_images(ImageStream.of(real), path)
    with np.load(path) as file:
        arrays = dict(file)
    for part in ("val", "test"):  # of other images
        other = (
            Synthesizer("chest-xray").images(0, 100, 124, seed=5),
            Synthesizer("chest-xray").images(1, 100, 124, seed=5),
        )
        rows = slice(0, 12) if part == "val" else slice(12, 24)
        arrays[f"{part}_images"] = np.concatenate([images.pixels[rows, 0] for images in other])
        arrays[f"{part}_labels"] = np.repeat([0, 1], 12)[:, None].astype(np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def remembering(tmp_path_factory) -> Path:
    """The chest generator, with a card that says it was trained on its own first images."""
    chest = Synthesizer("chest-xray")
    copied = concatenate([chest.images(label, 0, 64) for label in (0, 1)])
    path: Path = tmp_path_factory.mktemp("memory") / "memory.safetensors"
    save_generator(path, chest.generator, copied, chest.card)
    return path


def test_naming_another_data_set_does_not_switch_a_generators_own_memory_off(remembering, tmp_path):
    options = (
        "--class",
        "abnormal",
        "--n",
        10,
        "--training-images",
        "phantom:n=60",
        "--out",
        tmp_path / "o.h5",
    )
    run = synthaug("generate", "--generator", remembering, *options)
    assert run.status == 3
    assert "10 of 10 synthetic images" in run.err


@pytest.mark.parametrize("text", ['source = "x"', 'source = ["a"]', "[source]\ndataset = 3", "= broken"])
def test_a_strange_config_beside_a_generator_is_passed_over(text, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(shipped()["chest-xray"], run / "generator.safetensors")
    (run / "config.toml").write_text(text)
    options = ("--class", "abnormal", "--n", 2, "--data-root", tmp_path / "none", "--out", tmp_path / "o.h5")
    assert synthaug("generate", "--generator", run, *options).status == 0


def generate(*options: object):
    return synthaug("generate", "--generator", "chest-xray", "--json", *options)


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out.h5"


class TestGenerate:
    def test_stops_at_near_copies_names_them_and_writes_nothing(self, training_images, out):
        run = generate("--class", "abnormal", "--n", 30, "--training-images", training_images, "--out", out)
        assert run.status == 3
        assert (
            "24 of 30 synthetic images are near copies of training images (abnormal 0, abnormal 1," in run.err
        )
        assert "and 14 more" in run.err
        assert "Traceback" not in run.err
        assert list(out.parent.iterdir()) == []

    def test_passes_other_images_and_says_what_they_were_compared_with(self, training_images, out):
        compared = ("--training-images", training_images, "--data-root", out.parent)  # its own are not there
        run = generate("--class", "abnormal", "--n", 20, "--seed", 7, *compared, "--out", out)
        assert run.status == 0
        gate = (
            "passed, no near copy: compared with pixels of 48 training images of real "
            "and fingerprints of 1,424 training images in generator chest-xray"
        )
        assert run.json["memorization_gate"] == gate
        assert read_attributes(out)[ATTRIBUTE] == gate

    def test_can_replace_near_copies_and_keeps_the_count(self, training_images, out):
        run = generate(
            "--per-class",
            70,
            "--reject-near-copies",
            "--training-images",
            training_images,
            "--out",
            out,
        )
        assert run.status == 0
        found = read_images(out)
        assert found.counts() == {"normal": 70, "abnormal": 70}
        for label in (0, 1):
            kept = found.of_class(label).provenance
            assert kept is not None
            assert kept["index"].tolist() == list(range(24, 94))

    def test_gives_the_same_images_however_many_are_asked_for_when_it_replaces(self, training_images, out):
        asked = ("--class", "normal", "--reject-near-copies", "--training-images", training_images)
        few, many = out, out.with_name("many.h5")
        assert generate(*asked, "--n", 10, "--out", few).status == 0
        assert generate(*asked, "--n", 50, "--out", many).status == 0
        assert np.array_equal(read_images(few).pixels, read_images(many).pixels[:10])

    @pytest.mark.parametrize("kind", ENDINGS)
    def test_writes_into_every_format_that_the_gate_was_overridden(self, training_images, tmp_path, kind):
        path = tmp_path / ENDINGS[kind]
        run = generate(
            "--class",
            "abnormal",
            "--n",
            3,
            "--allow-near-copies",
            "--training-images",
            training_images,
            "--out",
            path,
            "--format",
            kind,
        )
        assert run.status == 0
        assert "3 of 3 synthetic images are near copies" in run.err
        said = str(read_attributes(path)[ATTRIBUTE])
        assert said.startswith("overridden by --allow-near-copies: compared with pixels of 48")
        if kind == "dicom":
            for file in path.rglob("*.dcm"):
                equipment = pydicom.dcmread(file).ContributingEquipmentSequence[0]
                assert said in equipment.ContributionDescription

    def test_without_the_training_images_compares_with_the_fingerprints_in_the_generator(self, tmp_path, out):
        run = generate("--class", "abnormal", "--n", 3, "--data-root", tmp_path / "empty", "--out", out)
        assert run.json["memorization_gate"] == (
            "passed, no exact copy (altered ones are not looked for): "
            "compared with fingerprints of 1,424 training images in generator chest-xray"
        )

    def test_refuses_to_reject_and_allow_at_once(self, out):
        run = generate(
            "--class", "abnormal", "--n", 3, "--reject-near-copies", "--allow-near-copies", "--out", out
        )
        assert run.status == 2


class TestExport:
    def test_stops_at_near_copies(self, first_images, training_images, out, tmp_path):
        source = tmp_path / "source.h5"
        write_images(ImageStream.of(first_images), source)
        run = synthaug("export", source, out, "--training-images", training_images)
        assert run.status == 3
        assert "48 of 48 synthetic images are near copies of training images" in run.err
        assert not out.exists()

    def test_of_real_images_has_no_gate(self, training_images, out):
        run = synthaug("export", training_images, out, "--json")
        assert run.status == 0
        assert run.json["memorization_gate"] == ""

    def test_of_images_of_an_unknown_generator_says_that_nothing_was_checked(self, tiny, out, tmp_path):
        source = tmp_path / "source.h5"
        write_images(ImageStream.of(tiny((3, 3), synthetic=True)), source)
        run = synthaug("export", source, out, "--json")
        assert run.status == 0
        assert run.json["memorization_gate"] == "not checked: no training images to compare with"
        assert "6 of 6 synthetic images are of an unknown generator" in " ".join(run.err.split())
        assert "add --training-images DATASET" in " ".join(run.err.split())

    def test_keeps_saying_that_an_earlier_gate_was_overridden(self, training_images, out, tmp_path):
        made = generate(
            "--class",
            "normal",
            "--n",
            3,
            "--allow-near-copies",
            "--data-root",
            tmp_path / "none",
            "--out",
            out,
        )
        assert made.status == 0
        copy = tmp_path / "copy.npz"
        assert synthaug("export", out, copy, "--training-images", "phantom:n=100").status == 0
        said = str(read_attributes(copy)[ATTRIBUTE])
        assert said.startswith("passed")
        assert "its source says: overridden by --allow-near-copies" in said

    def test_wants_something_to_compare(self, training_images, out):
        run = synthaug("export", training_images, out, "--training-images", training_images)
        assert run.status == 2
        assert "is marked synthetic, nothing to compare" in " ".join(run.err.split())

    def test_of_a_mixture_says_how_many_images_nobody_knows(self, tiny, first_images, out, tmp_path):
        stranger = replace(tiny((3, 3), side=64, synthetic=True), class_names=first_images.class_names)
        source = tmp_path / "mixed.h5"
        write_images(ImageStream.of(concatenate([first_images, stranger])), source)
        run = synthaug("export", source, out, "--json", "--data-root", tmp_path / "none")
        assert run.status == 0
        assert "6 of 54 synthetic images are of an unknown generator" in run.json["memorization_gate"]

    def test_of_a_blend_asks_its_own_generator_too(self, remembering, out):
        run = synthaug(
            "export", "phantom:n=60,abnormal=0.4", out, "--size", 64, "--synthetic-ratio", 0.1,
            "--generator", remembering,
        )  # fmt: skip
        assert run.status == 3
        assert "near copies of training images" in run.err

    def test_finds_copies_at_other_sizes(self, training_images, out, tmp_path):
        images = read_images(training_images)
        real = images.take(images.split == "train")
        for side in (32, 48, 96):
            copies = replace(resize(real, side), synthetic=np.ones(len(real), bool))
            source = tmp_path / f"{side}.h5"
            write_images(ImageStream.of(copies), source)
            run = synthaug("export", source, out, "--training-images", training_images)
            assert run.status == 3, side
            found = int(run.err.split(" of 48 synthetic images")[0].split()[-1])
            assert found >= 45, side

    def test_does_not_take_a_sets_own_synthetic_images_for_training_images(self, first_images, out, tmp_path):
        real = phantom([30, 30], size=64, seed=3)
        blended = concatenate([replace(real, class_names=first_images.class_names), first_images])
        source = tmp_path / "blended.h5"
        write_images(ImageStream.of(blended), source)
        assert synthaug("export", source, out, "--training-images", source).status == 0

    def test_keeps_the_facts_of_its_source(self, training_images, out, tmp_path):
        source, copy = out, tmp_path / "copy-dicom"
        made = generate(
            "--class", "normal", "--n", 3, "--seed", 3, "--data-root", tmp_path / "none", "--out", source
        )
        assert made.status == 0
        assert synthaug("export", source, copy).status == 0
        before, after = read_attributes(source), read_attributes(copy)
        assert before["generator"] == after["generator"]
        assert before["licence"] == after["licence"]
        assert ATTRIBUTE in after
