"""What must never happen, tried from the command line."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runner import synthaug
from foreign_dicom import foreign

from synthaug._api.experiment.images import experiment_data
from synthaug._api.experiment.options import ExperimentOptions
from synthaug._api.gate import gate_of_export, gate_of_generator
from synthaug._api.generator import Generator
from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import PROVENANCE, LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.generators.sampling import Synthesizer

DATA = "phantom:n=160,abnormal=0.25"
TINY = ("--steps", "2", "--device", "cpu")


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data, a folder of undivided 64 px images, and g, a generator of the training split of split seed 0."""
    folder = tmp_path_factory.mktemp("made-once")
    images = load_dataset(DATA, ReadOptions(size=64)).joined()
    small = ("--size", "32", "--width", "4", "--no-watch")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_images(ImageStream.of(replace(images, split=None)), Path("data"))
        run = synthaug("train-generator", "--dataset", "data", *small, "--out", "g", *TINY)
    assert run.status == 0, run.err
    return folder


@pytest.fixture
def generator(made_once: Path) -> str:
    """Trained at 32 px; its images are here too, made smaller at every --size."""
    for name in ("data", "g"):
        shutil.copytree(made_once / name, name)
    return "g"


@pytest.mark.parametrize("size", ["28", "32", "64"])
def test_a_generator_that_saw_the_test_images_is_refused_at_every_size(generator: str, size: str) -> None:
    options = ("--dataset", "data", "--size", size, "--generator", generator, *TINY)
    assert synthaug("train-classifier", *options, "--synthetic-ratio", "0.5").status == 0
    for ratio in ("0.5", "auto"):
        of_other_split = ("--synthetic-ratio", ratio, "--split-seed", "1", "--out", "other-split")
        run = synthaug("train-classifier", *options, *of_other_split)
        assert run.status == 3
        assert "test images were in the training set" in run.err
        assert "AUROC" not in run.out + run.err  # nothing was trained in vain
        assert not Path("other-split").exists()


def test_a_file_that_holds_test_images_is_refused() -> None:
    assert synthaug("export", DATA, "test.npz", "--split", "test", "--size", "28").status == 0
    run = synthaug(
        "train-classifier", "--dataset", DATA, "--size", "28", "--synthetic", "test.npz",
        "--synthetic-ratio", "0.1", *TINY,
    )  # fmt: skip
    assert run.status == 3
    assert "test.npz" in run.err


@pytest.mark.slow
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
    images = load_dataset(DATA, ReadOptions(size=28)).joined()
    families = np.array([f"F{k // 4}" for k in range(len(images))])
    with h5py.File("foreign.h5", "w") as file:
        file.update({"images": images.pixels[:, 0], "y": images.labels, "family": families.astype("S")})
    reading = ("--label-from", "y", "--group-from", "family")
    assert synthaug("export", "foreign.h5", "own.h5", *reading).status == 0
    train = load_dataset("foreign.h5", ReadOptions(label_from="y", group_from="family")).train
    copies = replace(train, synthetic=np.ones(len(train), bool), groups=None)
    write_images(ImageStream.of(copies), Path("copies.h5"))
    run = synthaug(
        "export", "foreign.h5", "leak.h5", *reading, "--synthetic-ratio", 0.1, "--synthetic", "copies.h5"
    )
    assert run.status == 3
    assert "near copies of training images" in run.err
    assert not Path("leak.h5").exists()


def altered(images: LabeledImages) -> LabeledImages:
    """Copies, a little brighter, that nobody knows by their fingerprints."""
    brighter = np.clip(images.pixels * 1.1, 0, 255).astype(np.uint8)
    return replace(images, pixels=brighter, synthetic=np.ones(len(images), bool), groups=None, split=None)


def test_naming_other_training_images_does_not_hide_the_generators_own(generator: str) -> None:
    copies = altered(load_dataset("data", ReadOptions(size=32)).train)
    maker = Synthesizer(generator)
    known = gate_of_generator(maker, None, ReadOptions(root=Path())).near_copies(copies)
    assert known.mean() > 0.9
    others = gate_of_generator(maker, "phantom:n=100,seed=5", ReadOptions(root=Path()))
    assert others.near_copies(copies)[known].all()
    assert "of data" in others.against
    assert "of phantom" in others.against
    origin = np.array([(maker.card.sha256.encode(), 0, 0)] * len(copies), PROVENANCE)
    of_maker = replace(copies, provenance=origin)
    makers = [Generator(generator)]
    exported = gate_of_export(of_maker, ["phantom:n=100,seed=5"], ReadOptions(root=Path()), makers)
    assert exported.near_copies(copies)[known].all()


def test_training_images_are_read_as_asked(tiny: Callable[..., LabeledImages]) -> None:
    """Without the window, a bright ring decides how they are shown, and no copy is known."""
    for k, image in enumerate(load_dataset("phantom:n=60", ReadOptions(size=16)).train.pixels[:, 0]):
        levels = image.astype(np.int16)
        levels[0] = 20_000 + 100 * k
        foreign(Path("ct") / f"{'ab'[k % 2]}" / f"{k}.dcm", levels)
    reading = ReadOptions(window=(128, 256))
    copies = altered(load_dataset("ct", reading).train)
    write_images(ImageStream.of(copies), Path("copies.h5"))
    command = ("export", "copies.h5", "out.npz", "--training-images", "ct")
    assert synthaug(*command).status == 0
    run = synthaug(*command, "--overwrite", "--window", "128,256")
    assert run.status == 3
    assert "near copies" in run.err
    run = synthaug(
        "export", "copies.h5", "out.npz", "--overwrite", "--training-images", DATA, "--window", "1,2"
    )
    assert run.status == 2
    assert "or copies.h5 has no such thing" in run.err


def test_other_data_sets_are_read_as_the_first(tiny: Callable[..., LabeledImages]) -> None:
    for name, seed in (("mine", 0), ("theirs", 1)):
        images = tiny((60, 60), side=28, seed=seed)
        with h5py.File(f"{name}.h5", "w") as file:
            file.update({"images": images.pixels[:, 0], "y": images.labels})
    reading = ReadOptions(label_from="y", split_seed=1)
    options = ExperimentOptions("mine.h5", "donor", "theirs.h5", unlabelled="theirs.h5", reading=reading)
    splits = load_dataset("mine.h5", reading)
    found = experiment_data(splits, options, Path("run"))
    theirs = load_dataset("theirs.h5", reading).train
    assert found.donor is not None
    assert found.unlabelled is not None
    assert found.donor.digest() == theirs.digest()
    assert len(found.unlabelled) == len(theirs)
    command = ("train-generator", "--dataset", "mine.h5", "--unlabelled", "theirs.h5", "--label-from", "y")
    assert synthaug(*command, "--size", "28", "--dry-run", "--out", "g").status == 0


def test_a_patient_has_one_name_by_the_name_and_by_the_path_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Callable[..., LabeledImages]
) -> None:
    monkeypatch.delenv("SYNTHAUG_SALT")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    names = {}
    for root in ("one", "two"):
        for k, pixels in enumerate(tiny((10, 10)).pixels[:, 0]):
            foreign(Path(root) / "clinic" / "c" / f"{k}.dcm", pixels, PatientID=f"P{k}")
        for source, target in (("clinic", "name"), (f"{root}/clinic", "path")):
            out = Path(f"{root}-{target}.h5")
            assert synthaug("export", source, out, "--data-root", root).status == 0
            with h5py.File(out) as file:
                names[root, target] = set(file["groups"].asstr()[:])
    assert names["one", "name"] == names["one", "path"]
    assert names["two", "name"] == names["two", "path"]
    assert names["two", "path"].isdisjoint(names["one", "path"])


def test_synthetic_images_that_would_be_left_out_are_not_asked_for_in_vain() -> None:
    run = synthaug("export", DATA, "x.h5", "--generator", "chest-xray")
    assert run.status == 2
    assert "expected --synthetic-ratio too" in run.err


def test_a_refused_training_costs_no_earlier_run(generator: str) -> None:
    before = Path("g/generator.safetensors").read_bytes()
    run = synthaug("train-generator", "--dataset", DATA, "--size", "30", "--out", "g", "--overwrite", *TINY)
    assert run.status == 4
    assert Path("g/generator.safetensors").read_bytes() == before


@pytest.mark.slow
def test_a_gate_that_fails_after_the_result_leaves_one_object_on_stdout() -> None:
    export = ("--split", "train", "--size", "16")
    assert synthaug("export", DATA, "train.npz", *export).status == 0
    run = synthaug(
        "evaluate",
        "--real",
        DATA,
        "--size",
        "16",
        "--synthetic",
        "train.npz",
        "--extractor",
        "pixels",
        "--json",
    )
    assert run.status == 3, run.err
    assert run.json["memorization"]["passed"] is False
    assert "copies" in run.err
