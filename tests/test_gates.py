"""What must never happen, tried from the command line."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runner import synthaug

from synthaug.augment.datasets import load_dataset
from synthaug.augment.formats import write_images
from synthaug.augment.reading import Reading
from synthaug.augment.stream import ImageStream

DATA = "phantom:n=160,abnormal=0.25"
TINY = ("--steps", "2", "--device", "cpu")


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data() -> str:
    """A folder of 64 px images, not divided; the same images, made smaller, at every --size."""
    images = load_dataset(DATA, Path(), size=64).joined()
    write_images(ImageStream.of(replace(images, split=None)), Path("data"))
    return "data"


@pytest.fixture
def generator(data: str) -> str:
    """Trained on the training split of split seed 0, at 32 px."""
    run = synthaug("train-generator", "--dataset", data, "--size", "32", "--width", "4", "--out", "g", *TINY)
    assert run.status == 0, run.err
    return "g"


@pytest.mark.parametrize("size", ["28", "32", "64"])
def test_a_generator_that_saw_the_test_images_is_refused_at_every_size(generator: str, size: str) -> None:
    options = (
        "--dataset",
        "data",
        "--size",
        size,
        "--generator",
        generator,
        "--synthetic-ratio",
        "0.5",
        *TINY,
    )
    assert synthaug("train-classifier", *options).status == 0
    run = synthaug("train-classifier", *options, "--split-seed", "1", "--out", "other-split")
    assert run.status == 3
    assert "test images were in the training set" in run.err
    assert not Path("other-split").exists()


def test_a_file_that_holds_test_images_is_refused() -> None:
    assert synthaug("export", DATA, "test.npz", "--split", "test", "--size", "28").status == 0
    run = synthaug(
        "train-classifier", "--dataset", DATA, "--size", "28", "--synthetic", "test.npz",
        "--synthetic-ratio", "0.1", *TINY,
    )  # fmt: skip
    assert run.status == 3
    assert "test.npz" in run.err


def test_a_generator_that_saw_more_labels_than_the_classifier_may_is_refused(generator: str) -> None:
    options = ("--dataset", "data", "--size", "32", "--generator", generator, "--extractor", "none")
    few = ("--arms", "core", "--jobs", "1", *TINY)
    run = synthaug("experiment", *options, "--fractions", "0.5", *few)
    assert run.status == 3
    assert "would bring hidden ones" in run.err
    assert synthaug("experiment", *options, "--seeds", "2", *few).status in (0, 3)


@pytest.mark.parametrize(
    "command",
    [
        ("generate", "--class", "normal", "--n", "2"),
        ("train-generator", "--dataset", DATA, "--size", "28"),
        ("experiment", "--dataset", DATA, "--size", "28"),
        ("train-classifier", "--dataset", DATA, "--size", "28"),
    ],
)
def test_a_folder_of_somebody_else_is_never_replaced(command: tuple[str, ...]) -> None:
    Path("precious").mkdir()
    Path("precious/thesis.txt").write_text("years")
    run = synthaug(*command, "--out", "precious", "--overwrite")
    assert run.status == 2
    assert "did not make" in run.err
    assert Path("precious/thesis.txt").read_text() == "years"


def test_a_folder_with_somebodys_own_labels_csv_is_never_replaced() -> None:
    Path("mine").mkdir()
    Path("mine/labels.csv").write_text("file,label\na.dcm,ill\n")
    run = synthaug("export", DATA, "mine", "--overwrite")
    assert run.status == 2
    assert "did not make" in run.err
    assert Path("mine/labels.csv").exists()


def test_the_gate_of_a_blend_compares_with_the_training_images_as_they_were_read() -> None:
    """Another reading of the same file would draw another split, whose training images are others."""
    images = load_dataset(DATA, Path(), size=28).joined()
    families = np.array([f"F{k // 4}" for k in range(len(images))])
    with h5py.File("foreign.h5", "w") as file:
        file.update({"images": images.pixels[:, 0], "y": images.labels, "family": families.astype("S")})
    reading = ("--label-from", "y", "--group-from", "family")
    assert synthaug("export", "foreign.h5", "own.h5", *reading).status == 0
    train = load_dataset("foreign.h5", Path(), reading=Reading(label_from="y", group_from="family")).train
    copies = replace(train, synthetic=np.ones(len(train), bool), groups=None)
    write_images(ImageStream.of(copies), Path("copies.h5"))
    run = synthaug(
        "export", "foreign.h5", "leak.h5", *reading, "--synthetic-ratio", 0.1, "--synthetic", "copies.h5"
    )
    assert run.status == 3
    assert "near copies of training images" in run.err
    assert not Path("leak.h5").exists()


def test_synthetic_images_that_would_be_left_out_are_not_asked_for_in_vain() -> None:
    run = synthaug("export", DATA, "x.h5", "--generator", "chest-xray")
    assert run.status == 2
    assert "expected --synthetic-ratio too" in run.err


def test_a_refused_training_costs_no_earlier_run(generator: str) -> None:
    before = Path("g/generator.safetensors").read_bytes()
    run = synthaug("train-generator", "--dataset", DATA, "--size", "30", "--out", "g", "--overwrite", *TINY)
    assert run.status == 4
    assert Path("g/generator.safetensors").read_bytes() == before
