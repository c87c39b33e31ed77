"""`synthaug train-generator`: recipes by flags, more images, other weights to start from, the watch."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from cli_runner import synthaug

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import write_images
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.generators.presets import PRESETS
from synthaug.generators.sampling import Synthesizer

DATA = ("--dataset", "phantom:n=160", "--size", "28")
LOOKED_AT = ("--dataset", "phantom:n=320", "--size", "16")  # tests/cli/test_cli.py has its classifier, too
TINY = (*DATA, "--steps", "4", "--interval", "2", "--width", "4", "--batch-size", "8")

pytestmark = pytest.mark.usefixtures("in_tmp")


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trained(*flags, watch="--no-watch"):
    run = synthaug("train-generator", *TINY, "--json", watch, *flags)
    assert run.status == 0, run.err
    return run.json


def test_architecture_and_objective_combine_freely():
    found = trained(
        "--preset", "dcgan", "--architecture", "progressive", "--objective", "lsgan", "--out", "r"
    )
    assert (found["config"]["architecture"], found["config"]["objective"]) == ("progressive", "lsgan")
    assert Synthesizer("r").card.architecture == "progressive"
    assert synthaug("generate", "--generator", "r", "--per-class", "3", "--out", "x.h5").status == 0


def test_an_illegal_pair_is_said_in_one_line_before_any_data_is_read():
    run = synthaug("train-generator", "--dataset", "no-such", "--preset", "wgan", "--architecture", "sndcgan")
    assert run.status == 2
    assert "undo each other" in run.err
    assert "Traceback" not in run.err


def test_the_run_says_which_weights_it_kept_and_logs_every_look():
    found = trained("--out", "r", *LOOKED_AT, watch="--watch")
    assert found["steps_of_best"] in (2, 4)
    looks = [json.loads(line) for line in Path("r/log.jsonl").read_text().splitlines()]
    assert found["steps_of_best"] in [line["step"] for line in looks]
    assert (Path("r") / "checkpoints" / "best.safetensors").exists()


def test_without_the_watch_nothing_is_looked_at_and_the_last_weights_are_kept():
    found = trained("--out", "r", watch="--no-watch")
    assert found["steps_of_best"] == 0
    assert "kid" not in Path("r/log.jsonl").read_text()


def test_a_training_that_diverges_twice_ends_with_status_3_in_one_line_and_no_generator():
    run = synthaug(
        "train-generator", *TINY, "--objective", "bce", "--generator-lr", "1e30", "--no-watch", "--out", "r"
    )
    assert run.status == 3
    assert "divergence" in run.err
    assert "for the second time" in run.err
    assert "Traceback" not in run.err
    assert not Path("r/generator.safetensors").exists()
    assert Path("r/checkpoints/last.safetensors").exists()


def test_unlabelled_images_of_another_set_are_used_but_none_that_validates_or_tests():
    found = trained("--unlabelled", "phantom:n=400,abnormal=0.5", "--out", "r")
    assert found["complete"]
    facts = tomllib.loads(Path("r/config.toml").read_text())["source"]
    assert len(facts["unlabelled_sha256"]) == 64
    seen = len(Synthesizer("r").card.training_images)
    assert seen > 80  # the phantom's own training split has 80


def test_a_set_whose_images_all_test_here_has_nothing_to_add():
    test = load_dataset("phantom:n=160", ReadOptions(size=28)).test
    write_images(ImageStream.of(test), Path("same.h5"))
    run = synthaug("train-generator", *TINY, "--unlabelled", "same.h5", "--out", "r")
    assert run.status == 4
    assert "validate or test" in run.err


def test_a_training_goes_on_from_another_generator_with_its_network():
    trained("--out", "donor", "--architecture", "resnet")
    found = trained("--init-from", "donor", "--out", "r", "--preset", "dcgan")
    assert (found["config"]["architecture"], found["config"]["width"]) == ("resnet", 4)
    card = Synthesizer("r").card
    assert "started from" in card.data
    facts = tomllib.loads(Path("r/config.toml").read_text())["source"]
    assert facts["init_from"] == Synthesizer("donor").card.sha256


def test_another_image_size_than_the_generator_it_starts_from_is_refused():
    trained("--out", "donor")
    run = synthaug("train-generator", *TINY, "--size", "32", "--init-from", "donor", "--out", "r")
    assert run.status == 2
    assert "image_size 28 there, 32 here" in run.err


def test_models_lists_every_preset_with_paper_and_parameters():
    run = synthaug("models", "--json")
    assert run.status == 0, run.err
    assert run.json["presets"].keys() == PRESETS.keys()
    for name, facts in run.json["presets"].items():
        assert facts["paper"] == PRESETS[name].paper
        assert min(facts["parameters"]) > 10_000
    assert {"light", "mlp", "dcgan", "sndcgan", "monai", "progressive", "resnet"} == run.json[
        "architectures"
    ].keys()
    assert {"bce", "lsgan", "wgan", "wgan-gp", "hinge"} == run.json["objectives"].keys()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["unlabelled", "init-from", "watch"])
def test_a_resumed_run_can_not_lose_what_it_was_started_with(lost):
    trained("--out", "donor")
    flags = {
        "unlabelled": ("--unlabelled", "phantom:n=400,abnormal=0.5"),
        "init-from": ("--init-from", "donor"),
        "watch": LOOKED_AT,
    }
    trained("--out", "r", *flags[lost], watch="--watch" if lost == "watch" else "--no-watch")
    again = LOOKED_AT if lost == "watch" else ()
    run = synthaug("train-generator", *TINY, *again, "--no-watch", "--steps", "6", "--out", "r", "--resume")
    assert run.status == 2
    assert "differ from r/config.toml" in run.err


def test_a_width_other_than_that_of_the_generator_it_starts_from_is_refused():
    trained("--out", "donor")
    run = synthaug("train-generator", *TINY, "--init-from", "donor", "--width", "6", "--out", "r")
    assert run.status == 2
    assert "width 4 there, 6 here" in run.err


def test_a_damaged_checkpoint_beside_the_generator_is_one_line():
    trained("--out", "donor")
    Path("donor/checkpoints/last.safetensors").write_bytes(b"half")
    run = synthaug("train-generator", *TINY, "--init-from", "donor", "--out", "r")
    assert run.status == 4
    assert "Traceback" not in run.err


def test_a_set_of_one_class_trains_unwatched():
    exported = synthaug("export", "phantom:n=160", "all", "--format", "folder", "--size", "28")
    assert exported.status == 0, exported.err

    for folder in Path("all").glob("*/abnormal"):
        shutil.rmtree(folder)
    Path("all/dataset.json").unlink()  # it names the class that is gone
    command = ("train-generator", "--dataset", "all", *TINY[2:], "--out", "r")
    assert "--trust-layout takes it as it lies" in synthaug(*command).err
    run = synthaug(*command, "--trust-layout")
    assert run.status == 0, run.err
    assert "too few classes" in run.err


def test_a_failed_training_leaves_no_generator_of_an_earlier_stop():
    trained("--out", "r")
    wild = ("--generator-lr", "1e30", "--overwrite", "--no-watch")
    assert synthaug("train-generator", *TINY, *wild, "--out", "r").status == 3
    assert not Path("r/generator.safetensors").exists()
