"""Training: balanced batches, the averaged generator, resuming to the same bytes, numbers out of range."""

import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from gan_fixtures import SOURCE, TINY, checkpoint_of, dark_and_bright, log_of, on_cpu
from safetensors.torch import load_file

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.generators.config import GANConfig
from synthaug.generators.presets import PRESETS, preset
from synthaug.generators.runs import train_run
from synthaug.generators.training.gan import GANTraining, random_numbers
from synthaug.generators.training.loop import train_generator
from synthaug.generators.training.state import load_training, save_training

OBJECTIVES = ("hinge", "wgan-gp", "wgan")


@pytest.fixture(scope="module")
def fabric():
    return on_cpu()


def test_batches_are_class_balanced_though_the_data_are_nine_to_one(fabric):
    config = replace(TINY, architecture="resnet", batch_size=7, r1=0.0, diffaugment=())
    training, seen = GANTraining(dark_and_bright((18, 2)), config, fabric), []
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


@pytest.mark.parametrize("updates", [1, 5])
def test_the_discriminator_takes_the_recipes_number_of_steps(fabric, updates):
    training = GANTraining(dark_and_bright(), replace(TINY, discriminator_steps=updates), fabric)
    training.step()
    assert {int(state["step"]) for state in training.d_optimizer.state.values()} == {updates}
    assert {int(state["step"]) for state in training.g_optimizer.state.values()} == {1}


def test_the_averaged_generator_is_a_running_average_with_the_stated_halflife(fabric):
    # Batches of 8 and a half-life of 20 images; before 250 images, 8 % of what was seen.
    training = GANTraining(dark_and_bright(), replace(TINY, ema_halflife=20.0, generator_lr=0.01), fabric)
    name = "stem.weight"
    expected = training.ema.state_dict()[name].clone()
    for step in range(1, 6):
        training.step()
        current = training.generator.module.state_dict()[name]
        halflife = min(20.0, 0.08 * 8 * step)
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
        "generator", "discriminator", "ema", "g_optimizer", "d_optimizer",
        "steps_done", "slope", "augmentation", "watch",
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
    training = GANTraining(dark_and_bright(), replace(TINY, ema_halflife=0), fabric)
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


def test_process_time_can_end_a_training_whose_last_images_are_logged(fabric, tmp_path):
    config = replace(TINY, steps=10**6, interval=10**6)
    done = train_generator(dark_and_bright(), config, tmp_path, fabric=fabric, cpu_seconds=0.2)
    assert 0 < done.steps_done < 10**6
    (line,) = log_of(tmp_path)
    assert line["step"] == done.steps_done
    assert 0.2 <= line["cpu_seconds"] < 2


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
    with pytest.raises(UsageError, match="no objective 'best'"):
        GANTraining(dark_and_bright(), replace(TINY, objective="best"), fabric)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"interval": 0},
        {"batch_size": -1},
        {"generator_lr": 0.0},
        {"ema_halflife": float("nan")},
        {"r1": -1.0},
        {"beta2": 1.0},
    ],
)
def test_a_number_out_of_its_range_is_refused(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} .*: expected (more than 0|0 or more|below 1)"):
        GANConfig(**wrong)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_a_step_cannot_be_added_to_is_refused(seed):
    with pytest.raises(UsageError, match=f"seed {seed}: expected 0 to"):
        GANConfig(seed=seed)


def test_seeds_draw_different_numbers_at_every_step(fabric):
    drawn = {
        (seed, step): random_numbers(seed, 0, step).get_state().numpy().tobytes()
        for seed in (0, 1, 2, 2**32 - 1)
        for step in range(4)
    }
    assert len(set(drawn.values())) == len(drawn)


def test_the_largest_seed_trains(fabric):
    GANTraining(dark_and_bright(), replace(TINY, seed=2**32 - 1), fabric).step()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(fabric, name):
    tiny = replace(preset(name), batch_size=4, width=4, latent_dim=8)
    losses = GANTraining(dark_and_bright(), tiny, fabric).step()
    assert np.isfinite(list(losses.values())).all()
    assert (losses["penalty"] > 0) == (tiny.objective == "wgan-gp" or tiny.r1 > 0)


def test_an_unknown_preset_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=f"no preset 'best': expected one of {', '.join(PRESETS)}"):
        preset("best")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_in_bfloat16_keeps_weights_in_float32(objective):
    fabric = on_cpu("bf16-mixed")
    training = GANTraining(dark_and_bright(), replace(TINY, objective=objective), fabric)
    assert np.isfinite(list(training.step().values())).all()
    assert {p.dtype for p in training.generator.module.parameters()} == {torch.float32}


def test_sixteen_bit_images_train_too(fabric):
    eight = dark_and_bright()
    deep = replace(eight, pixels=eight.pixels.astype(np.uint16) * 257)
    eight_bit, sixteen_bit = (GANTraining(images, TINY, fabric) for images in (eight, deep))
    assert sixteen_bit.step() == pytest.approx(eight_bit.step(), abs=1e-5)


def test_signals_are_handled_as_before_once_a_training_is_over(fabric, tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    train_generator(dark_and_bright(), replace(TINY, steps=1), tmp_path, fabric=fabric)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
