"""Training: balanced batches, the averaged generator, resuming to the same bytes, and what a run leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from safetensors.torch import load_file

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.phantom import phantom
from synthaug.generators.checkpoint import load_generator, load_training, save_training
from synthaug.generators.presets import PRESETS, GANConfig, preset
from synthaug.generators.runs import Source, collect, own_synthesizer, train_run
from synthaug.generators.sampling import Synthesizer
from synthaug.generators.training import GANTraining, train_generator

OBJECTIVES = ("hinge", "wgan-gp")
SOURCE = Source("tiny train split", "CC0")
TINY = GANConfig(
    steps=4, batch_size=8, latent_dim=8, width=4, interval=2, diffaugment=("translation", "cutout")
)


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def dark_and_bright(per_class=(18, 2), side=28, channels=1):
    """Two classes that no one could mix up, `per_class` images of each."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], per_class)
    noise = rng.integers(0, 60, (len(labels), channels, side, side))
    pixels = noise + 190 * labels[:, None, None, None]
    return LabeledImages(pixels.astype(np.uint8), labels, ("dark", "bright"))


def checkpoint_of(run):
    return run / "checkpoints" / "last.safetensors"


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_batches_are_class_balanced_though_the_data_are_nine_to_one(fabric):
    training = GANTraining(dark_and_bright((18, 2)), replace(TINY, batch_size=7, diffaugment=()), fabric)
    seen = []
    critic = training.discriminator.module
    handle = critic.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs))
    training.step()
    training.step()
    handle.remove()
    counts = np.zeros(2, int)
    for images, labels in seen[0::2]:  # every other forward is the generator's
        real, their_labels = images.chunk(2)[0], labels.chunk(2)[0]
        assert torch.equal(real.mean(dim=(1, 2, 3)) > 0, their_labels == 1)
        in_batch = np.bincount(their_labels, minlength=2)
        assert abs(in_batch[0] - in_batch[1]) == 1
        counts += in_batch
    assert counts.tolist() == [7, 7]


def test_real_and_fake_images_of_an_update_carry_the_same_labels(fabric):
    training, seen = GANTraining(dark_and_bright(), TINY, fabric), []
    training.discriminator.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    training.step()
    real, fake = seen[0].chunk(2)
    assert torch.equal(real, fake)
    assert torch.equal(seen[1], real)


@pytest.mark.parametrize(("objective", "updates"), [("hinge", 1), ("wgan-gp", 5)])
def test_the_discriminator_takes_the_objectives_number_of_steps(fabric, objective, updates):
    training = GANTraining(dark_and_bright(), replace(TINY, objective=objective), fabric)
    training.step()
    assert {int(state["step"]) for state in training.d_optimizer.state.values()} == {updates}
    assert {int(state["step"]) for state in training.g_optimizer.state.values()} == {1}


def test_the_averaged_generator_is_a_running_average_with_the_stated_halflife(fabric):
    # Batches of 8 and a half-life of 20 images; before 400 images, a twentieth of what was seen.
    training = GANTraining(dark_and_bright(), replace(TINY, ema_halflife=20.0, generator_lr=0.01), fabric)
    name = "stem.weight"
    expected = training.ema.state_dict()[name].clone()
    for step in range(1, 6):
        training.step()
        current = training.generator.module.state_dict()[name]
        halflife = min(20.0, 0.05 * 8 * step)
        kept = 0.5 ** (8 / halflife)
        expected = kept * expected + (1 - kept) * current
        torch.testing.assert_close(training.ema.state_dict()[name], expected)
    assert not torch.equal(current, expected)


def test_a_late_average_keeps_half_of_itself_after_the_halflife(fabric):
    training = GANTraining(dark_and_bright(), replace(TINY, ema_halflife=16.0), fabric)
    training.steps_done = 1000
    before = training.ema.state_dict()["stem.weight"].clone()
    with torch.no_grad():
        training.generator.module.stem.weight.copy_(before + 1)
        training._average()
        training._average()  # 2 × 8 images
    torch.testing.assert_close(training.ema.state_dict()["stem.weight"], before + 0.5)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_resumed_training_ends_in_the_same_bytes(fabric, tmp_path, objective, stopped_after):
    images, config = dark_and_bright(), replace(TINY, objective=objective)
    train_generator(images, config, tmp_path / "whole", fabric=fabric)
    train_generator(images, replace(config, steps=stopped_after), tmp_path / "cut", fabric=fabric)
    assert checkpoint_of(tmp_path / "cut").read_bytes() != checkpoint_of(tmp_path / "whole").read_bytes()
    torch.manual_seed(99)  # the resumed process has another global random state
    train_generator(images, config, tmp_path / "cut", fabric=fabric, resume=True)
    assert checkpoint_of(tmp_path / "cut").read_bytes() == checkpoint_of(tmp_path / "whole").read_bytes()
    assert {int(line["step"]) for line in log_of(tmp_path / "cut")} >= {2, 4}
    last = "samples/0000004.png"
    assert (tmp_path / "cut" / last).read_bytes() == (tmp_path / "whole" / last).read_bytes()


def test_a_checkpoint_holds_weights_both_optimisers_the_average_and_the_step(fabric, tmp_path):
    train_generator(dark_and_bright(), TINY, tmp_path, fabric=fabric)
    tensors = load_file(checkpoint_of(tmp_path))
    assert {name.split(".")[0] for name in tensors} == {
        "generator", "discriminator", "ema", "g_optimizer", "d_optimizer", "steps_done",
    }  # fmt: skip
    assert tensors["steps_done"] == 4


def test_training_twice_gives_the_same_bytes_and_another_seed_does_not(fabric, tmp_path):
    images = dark_and_bright()
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        train_run(images, SOURCE, replace(TINY, seed=seed), tmp_path / name, fabric=fabric)
    for file in ("checkpoints/last.safetensors", "generator.safetensors"):
        one, two, other = ((tmp_path / name / file).read_bytes() for name in ("one", "two", "other"))
        assert one == two
        assert one != other


def test_log_lines_of_steps_that_were_lost_and_half_a_line_are_dropped_on_resume(fabric, tmp_path):
    images, config = dark_and_bright(), replace(TINY, interval=1)
    train_generator(images, replace(config, steps=2), tmp_path, fabric=fabric)
    kept = (tmp_path / "log.jsonl").read_text()
    shutil.copy(checkpoint_of(tmp_path), tmp_path / "step2")
    train_generator(images, config, tmp_path, fabric=fabric, resume=True)
    shutil.copy(tmp_path / "step2", checkpoint_of(tmp_path))  # as if killed before steps 3 and 4 were saved
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "gener')
    train_generator(images, replace(config, steps=3), tmp_path, fabric=fabric, resume=True)
    assert [line["step"] for line in log_of(tmp_path)] == [1, 2, 3]
    assert (tmp_path / "log.jsonl").read_text().startswith(kept)


def test_a_training_started_anew_starts_a_new_log(fabric, tmp_path):
    for _ in range(2):
        train_generator(dark_and_bright(), TINY, tmp_path, fabric=fabric)
    assert [line["step"] for line in log_of(tmp_path)] == [2, 4]


def test_a_sample_grid_shows_the_same_latents_each_time(fabric, tmp_path):
    training = GANTraining(dark_and_bright(), TINY, fabric)
    grid = training.sample_grid(columns=3)
    assert grid.shape == (6, 1, 28, 28)
    assert len({image.tobytes() for image in grid}) == 6
    torch.manual_seed(5)
    assert np.array_equal(training.sample_grid(columns=3), grid)
    before = training.ema.state_dict()["stem.weight"].clone()
    latents = []
    training.ema.register_forward_pre_hook(lambda _module, inputs: latents.append(inputs))
    training.sample_grid()
    training.step()
    training.sample_grid()
    assert not torch.equal(training.ema.state_dict()["stem.weight"], before)
    assert all(torch.equal(first, second) for first, second in zip(*latents, strict=True))


def test_time_can_end_a_training_before_its_steps_and_resume_goes_on(fabric, tmp_path):
    images = dark_and_bright()
    config = replace(TINY, steps=10**6, interval=10**6)
    begun = train_generator(images, config, tmp_path, fabric=fabric, minutes=0.02)
    assert 0 < begun.steps_done < 10**6
    goes_on = replace(config, steps=begun.steps_done + 1)
    assert train_generator(images, goes_on, tmp_path, fabric=fabric, resume=True).steps_done == goes_on.steps


def test_no_time_is_no_step(fabric, tmp_path):
    assert train_generator(dark_and_bright(), TINY, tmp_path, fabric=fabric, minutes=0).steps_done == 0


def test_a_run_leaves_what_was_promised(fabric, tmp_path):
    images = dark_and_bright(side=32, channels=3)
    training = train_run(images, SOURCE, TINY, tmp_path / "run", fabric=fabric)
    run = tmp_path / "run"
    facts = tomllib.loads((run / "config.toml").read_text())
    assert facts["generator"] == vars(TINY) | {"diffaugment": ["translation", "cutout"]}
    assert facts["source"] == {"data": SOURCE.data, "licence": "CC0", "images_sha256": images.digest()}
    assert facts["precision"] == "32-true"
    lines = log_of(run)
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[0].keys() == {"step", "discriminator", "penalty", "generator", "images_per_second"}
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["0000002.png", "0000004.png"]
    with Image.open(run / "samples" / "0000004.png") as grid:
        assert grid.size == (8 * 34 - 2, 2 * 34 - 2)
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert checkpoint_of(run).is_file()
    _, card = load_generator(run / "generator.safetensors")
    assert card.class_names == images.class_names
    assert card.size == {"num_classes": 2, "image_size": 32, "channels": 3, "latent_dim": 8, "width": 4}
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
    other = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
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


def test_a_checkpoint_of_another_architecture_is_refused(fabric, tmp_path):
    save_training(tmp_path / "narrow", GANTraining(dark_and_bright(), TINY, fabric))
    wide = GANTraining(dark_and_bright(), replace(TINY, width=5), fabric)
    with pytest.raises(DataError, match="of this configuration"):
        load_training(tmp_path / "narrow", wide)


def test_a_class_without_image_is_refused_by_name(fabric):
    with pytest.raises(DataError, match="class 'bright' has no training image"):
        GANTraining(dark_and_bright((5, 0)), TINY, fabric)


@pytest.mark.parametrize(("height", "width"), [(28, 32), (30, 30)])
def test_sides_that_the_networks_cannot_make_are_refused(fabric, height, width):
    images = LabeledImages(np.zeros((2, 1, height, width), np.uint8), np.array([0, 1]), ("a", "b"))
    with pytest.raises(DataError, match=f"images of {width}x{height}: expected square .* divisible by 4"):
        GANTraining(images, TINY, fabric)


def test_an_unknown_objective_is_refused(fabric):
    with pytest.raises(UsageError, match="no objective 'lsgan'"):
        GANTraining(dark_and_bright(), replace(TINY, objective="lsgan"), fabric)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"interval": 0},
        {"batch_size": -1},
        {"generator_lr": 0.0},
        {"ema_halflife": float("nan")},
    ],
)
def test_a_number_out_of_its_range_is_refused(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} .*: expected more than 0"):
        GANConfig(**wrong)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_a_step_cannot_be_added_to_is_refused(seed):
    with pytest.raises(UsageError, match=f"seed {seed}: expected 0 to"):
        GANConfig(seed=seed)


def test_the_largest_seed_trains(fabric):
    GANTraining(dark_and_bright(), replace(TINY, seed=2**32 - 1), fabric).step()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(fabric, name):
    tiny = replace(preset(name), batch_size=4, width=4, latent_dim=8)
    losses = GANTraining(dark_and_bright(), tiny, fabric).step()
    assert np.isfinite(list(losses.values())).all()
    assert (losses["penalty"] > 0) == (tiny.objective == "wgan-gp")


def test_an_unknown_preset_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=f"no preset 'best': expected one of {', '.join(PRESETS)}"):
        preset("best")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_in_bfloat16_keeps_weights_in_float32(objective):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    training = GANTraining(dark_and_bright(), replace(TINY, objective=objective), fabric)
    assert np.isfinite(list(training.step().values())).all()
    assert {p.dtype for p in training.generator.module.parameters()} == {torch.float32}


def test_sixteen_bit_images_train_too(fabric):
    eight = dark_and_bright()
    deep = replace(eight, pixels=eight.pixels.astype(np.uint16) * 257)
    eight_bit, sixteen_bit = (GANTraining(images, TINY, fabric) for images in (eight, deep))
    assert sixteen_bit.step() == pytest.approx(eight_bit.step(), abs=1e-5)


def test_an_experiments_own_generator_is_trained_on_the_images_given_and_its_images_say_so(fabric, tmp_path):
    synthesize = own_synthesizer(TINY, tmp_path, "tiny", fabric)
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
from synthaug.augment.phantom import phantom
from synthaug.generators.presets import GANConfig
from synthaug.generators.runs import Source, train_run
config = GANConfig(steps=10**6, batch_size=8, latent_dim=8, width=4, interval=20)
fabric = Fabric(accelerator="cpu", devices=1)
source, run = Source("phantom", "CC0"), Path(sys.argv[1])
training = train_run(phantom((6, 3), size=28), source, config, run, fabric=fabric)
print("steps", training.steps_done)
"""


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


def test_signals_are_handled_as_before_once_a_training_is_over(fabric, tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    train_generator(dark_and_bright(), replace(TINY, steps=1), tmp_path, fabric=fabric)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


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
