"""A run's folder: what it leaves, what resuming refuses, and what a signal does to it."""

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace

import pytest
from gan_fixtures import SOURCE, TINY, checkpoint_of, dark_and_bright, log_of, on_cpu
from PIL import Image
from safetensors.torch import load_file

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError, UsageError
from synthaug.generators.checkpoint import load_generator
from synthaug.generators.config import GANConfig
from synthaug.generators.runs import GeneratorTrainer, Source, train_run
from synthaug.generators.sampling import Synthesizer, collect


@pytest.fixture(scope="module")
def fabric():
    return on_cpu()


def test_a_run_leaves_what_was_promised(fabric, tmp_path):
    images = dark_and_bright(side=32, channels=3)
    training = train_run(images, SOURCE, TINY, tmp_path / "run", fabric=fabric)
    run = tmp_path / "run"
    facts = tomllib.loads((run / "config.toml").read_text())
    assert facts["generator"] == vars(TINY) | {"diffaugment": ["translation", "cutout"]}
    expected = {"data": SOURCE.data, "licence": "CC0", "dataset": "", "split_seed": 0}
    more = {"unlabelled_sha256": "", "init_from": "", "watched": False}
    assert facts["source"] == expected | more | {"images_sha256": images.digest()}
    assert facts["precision"] == "32-true"
    lines = log_of(run)
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[0].keys() == {
        "step",
        "discriminator",
        "penalty",
        "r1",
        "augmented",
        "generator",
        "real logit",
        "fake logit",
        "images_per_second",
        "cpu_seconds",
    }
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["0000002.png", "0000004.png"]
    with Image.open(run / "samples" / "0000004.png") as grid:
        assert grid.size == (8 * 34 - 2, 2 * 34 - 2)
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert checkpoint_of(run).is_file()
    _, card = load_generator(run / "generator.safetensors")
    assert card.class_names == images.class_names
    size = {"num_classes": 2, "image_size": 32, "channels": 3, "latent_dim": 8, "width": 4}
    assert card.size == size | {"window_floor": True}
    assert (card.data, card.licence, card.config["steps_done"]) == (SOURCE.data, "CC0", 4)
    made = collect(Synthesizer(run), [1, 1], seed=0)
    assert made.image_shape == (3, 32, 32)
    assert training.steps_done == 4


def test_the_configuration_is_written_before_the_first_step(fabric, tmp_path):
    with pytest.raises(DataError):
        train_run(dark_and_bright((5, 0)), SOURCE, TINY, tmp_path, fabric=fabric)
    assert (tmp_path / "config.toml").is_file()


def test_a_run_is_resumed_with_more_steps(fabric, tmp_path):
    train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric)
    longer = train_run(
        dark_and_bright(), SOURCE, replace(TINY, steps=6), tmp_path, fabric=fabric, resume=True
    )
    assert longer.steps_done == 6
    assert tomllib.loads((tmp_path / "config.toml").read_text())["generator"]["steps"] == 6


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": replace(TINY, batch_size=16, seed=3)}, "batch_size, seed"),
        ({"config": replace(TINY, diffaugment=())}, "diffaugment"),
        ({"source": Source("other data", "CC0")}, "data"),
        ({"images": dark_and_bright((17, 3))}, "images_sha256"),
    ],
)
def test_resuming_with_something_changed_is_refused_by_name(fabric, tmp_path, change, named):
    asked = {"images": dark_and_bright(), "source": SOURCE, "config": TINY}
    train_run(**asked, run=tmp_path, fabric=fabric)
    before = (tmp_path / "config.toml").read_text()
    with pytest.raises(UsageError, match=f"--resume: {named} differ from .*config.toml"):
        train_run(**asked | change, run=tmp_path, fabric=fabric, resume=True)
    assert (tmp_path / "config.toml").read_text() == before


def test_resuming_in_another_precision_is_refused(fabric, tmp_path):
    train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric)
    other = on_cpu("bf16-mixed")
    with pytest.raises(UsageError, match="precision differ"):
        train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=other, resume=True)


def test_resuming_beside_a_broken_configuration_is_refused_in_one_line(fabric, tmp_path):
    (tmp_path / "config.toml").write_text("generator = [")
    with pytest.raises(DataError, match=r"config.toml: expected the configuration of a run") as caught:
        train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric, resume=True)
    assert "\n" not in str(caught.value)


def truncate(path):
    path.write_bytes(path.read_bytes()[:5000])


def write_foreign(path):
    shutil.copy(path.parents[1] / "generator.safetensors", path)


@pytest.mark.parametrize("damage", [truncate, write_foreign, lambda path: path.unlink()])
def test_a_checkpoint_that_is_not_whole_is_refused_in_one_line(fabric, tmp_path, damage):
    train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric)
    damage(checkpoint_of(tmp_path))
    with pytest.raises(DataError, match=r"last.safetensors: expected a checkpoint") as caught:
        train_run(dark_and_bright(), SOURCE, TINY, tmp_path, fabric=fabric, resume=True)
    assert "\n" not in str(caught.value)


def test_an_experiments_own_generator_is_trained_on_the_images_given_and_its_images_say_so(fabric, tmp_path):
    synthesize = GeneratorTrainer(TINY, tmp_path, "tiny", lambda: fabric)
    real = dark_and_bright((6, 2))
    made = synthesize(real, [0, 5], 3)
    assert made.counts() == {"dark": 0, "bright": 5}
    _, card = load_generator(tmp_path / "generator-n8-seed3" / "generator.safetensors")
    assert card.config["seed"] == 3
    assert set(made.provenance["generator"]) == {card.sha256.encode()}


LONG_TRAINING = """
import sys
from pathlib import Path
from lightning_fabric import Fabric
from synthaug.augment.datasets.phantom import phantom
from synthaug.generators.config import GANConfig
from synthaug.generators.runs import Source, train_run
config = GANConfig(steps=10**6, batch_size=8, latent_dim=8, width=4, interval=20)
fabric = Fabric(accelerator="cpu", devices=1)
source, run = Source("phantom", "CC0"), Path(sys.argv[1])
training = train_run(phantom((6, 3), size=28), source, config, run, fabric=fabric)
print("steps", training.steps_done)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_training_told_to_stop_leaves_a_checkpoint_and_goes_on_when_resumed(fabric, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LONG_TRAINING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    log = tmp_path / "log.jsonl"
    try:
        give_up = time.monotonic() + 120
        while not (log.exists() and log.read_text()) and process.poll() is None:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    done = int(said.split()[-1])
    assert 20 <= done < 10**6
    assert load_file(checkpoint_of(tmp_path))["steps_done"] == done
    assert collect(Synthesizer(tmp_path), [1, 1], seed=0).counts() == {"normal": 1, "abnormal": 1}
    config = GANConfig(steps=done + 2, batch_size=8, latent_dim=8, width=4, interval=20)
    source = Source("phantom", "CC0")
    resumed = train_run(phantom((6, 3), size=28), source, config, tmp_path, fabric=fabric, resume=True)
    assert resumed.steps_done == done + 2


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "steps"), [("hinge", 400), ("wgan-gp", 150)])
def test_a_trained_generator_knows_which_class_is_bright(fabric, tmp_path, objective, steps):
    config = GANConfig(
        objective=objective,
        steps=steps,
        batch_size=16,
        latent_dim=8,
        width=8,
        generator_lr=2e-4,
        interval=1000,
    )
    train_run(dark_and_bright((45, 5)), SOURCE, config, tmp_path, fabric=fabric)
    made = collect(Synthesizer(tmp_path), [64, 64], seed=0)
    dark, bright = (made.of_class(label).pixels.mean(axis=(1, 2, 3)) for label in (0, 1))
    assert bright.mean() - dark.mean() > 60
    assert bright.min() > dark.max()
