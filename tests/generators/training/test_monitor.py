"""A training's monitor: what counts as divergence and collapse, what happens then, which weights are kept."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from gan_fixtures import SOURCE, TINY, checkpoint_of, dark_and_bright, log_of, on_cpu

from synthaug.augment.errors import GateError
from synthaug.evaluation.fidelity.monitor import SampleQuality
from synthaug.generators.runs import train_run
from synthaug.generators.sampling import Synthesizer
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.loop import train_generator
from synthaug.generators.training.monitor import TrainingMonitor
from synthaug.generators.training.state import load_training

HEALTHY = SampleQuality(kid=0.1, recall=0.6, diversity=0.9)
LOSSES = {"discriminator": 0.7, "penalty": 0.0, "generator": 1.0, "real logit": 2.0, "fake logit": -2.0}


@dataclass
class ScriptedMonitor:
    """Sees what the script says at each look, whatever the samples."""

    script: list[SampleQuality]
    looks: int = 0
    labels = np.array([0, 1] * 6)
    noise = 0.0
    floor = -math.inf
    val = dark_and_bright((6, 6))

    def __call__(self, pixels):
        assert pixels.shape == (12, 1, 28, 28)
        self.looks += 1
        return self.script[min(self.looks, len(self.script)) - 1]


def one_look_a_step(steps):
    return replace(TINY, steps=steps, interval=1)


@pytest.fixture(scope="module")
def fabric():
    return on_cpu()


def a_monitor(**seen):
    monitor = TrainingMonitor(**seen)
    monitor.remember(1, HEALTHY)
    return monitor


class TestDivergence:
    def test_finite_losses_and_logits_are_fine(self):
        assert TrainingMonitor().divergence(LOSSES) == ""

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_number_that_is_none_is_named(self, name, value):
        assert TrainingMonitor().divergence(LOSSES | {name: value}) == f"divergence: {name} is {value}"

    def test_exploding_logits_are_named(self):
        assert "fake logit -2e+06" in TrainingMonitor().divergence(LOSSES | {"fake logit": -2e6})

    def test_a_wasserstein_critics_logits_are_no_explosion(self):
        assert TrainingMonitor().divergence(LOSSES | {"real logit": 800.0, "discriminator": -900.0}) == ""


def collapse(monitor, quality, noise=0.0):
    """What two looks in a row that see the same find."""
    monitor.collapse(quality, noise)
    return monitor.collapse(quality, noise)


class TestCollapse:
    def test_one_look_is_none_and_a_recovery_in_between_starts_anew(self):
        monitor, gone = a_monitor(), SampleQuality(kid=0.5, recall=0.1, diversity=0.9)
        assert [monitor.collapse(seen) != "" for seen in (gone, HEALTHY, gone, gone)] == [
            False,
            False,
            False,
            True,
        ]

    def test_a_suspect_look_is_not_kept(self):
        monitor = a_monitor()
        suspect = SampleQuality(kid=0.3, recall=0.1, diversity=0.9)
        monitor.collapse(suspect)
        assert not monitor.remember(2, suspect, noise=1.0)

    def test_recall_that_falls_away_while_kid_rises_is_one(self):
        said = collapse(a_monitor(), SampleQuality(kid=0.5, recall=0.1, diversity=0.9))
        assert said == "collapse: recall 0.10 of 0.60, KID 0.5 of 0.1"

    def test_diversity_that_falls_away_while_kid_rises_is_one(self):
        assert "collapse: diversity 0.20 of 0.90" in collapse(a_monitor(), SampleQuality(0.5, 0.6, 0.2))

    def test_less_diversity_nearer_to_the_real_images_is_none(self):
        assert collapse(a_monitor(), SampleQuality(kid=0.05, recall=0.1, diversity=0.1)) == ""

    def test_a_kid_worse_by_no_more_than_noise_is_none(self):
        gone = SampleQuality(kid=0.3, recall=0.1, diversity=0.1)
        assert collapse(a_monitor(), gone, noise=0.25) == ""
        assert collapse(a_monitor(), gone, noise=0.15)

    def test_below_zero_too_a_kid_must_rise_for_a_collapse(self):
        monitor = TrainingMonitor(lowest_kid=-0.02, best_recall=0.8, best_diversity=0.9)
        assert collapse(monitor, SampleQuality(-0.01, 0.1, 0.9)) == ""
        assert collapse(monitor, SampleQuality(0.3, 0.1, 0.9)).startswith("collapse: recall")

    def test_a_worse_kid_with_all_modes_is_none(self):
        assert collapse(a_monitor(), SampleQuality(kid=9.0, recall=0.5, diversity=0.8)) == ""

    def test_a_young_training_that_never_had_diversity_cannot_lose_it(self):
        monitor = TrainingMonitor()
        monitor.remember(1, SampleQuality(kid=5.0, recall=0.0, diversity=0.04))
        assert collapse(monitor, SampleQuality(kid=20.0, recall=0.0, diversity=0.01)) == ""

    def test_a_kid_that_is_no_number_is_divergence(self):
        assert (
            collapse(a_monitor(), SampleQuality(math.nan, 0.5, 0.5))
            == "divergence: KID of the samples is nan"
        )


class TestWhichWeightsAreKept:
    def kept(self, kids, noise, floor=-math.inf):
        monitor = TrainingMonitor()
        for step, kid in enumerate(kids, start=1):
            monitor.remember(step, replace(HEALTHY, kid=kid), noise, floor)
        return monitor.best_step

    def test_the_lowest_kid_without_noise(self):
        assert self.kept([0.3, 0.1, 0.2, 0.4], noise=0.0) == 2

    def test_the_latest_of_those_that_noise_cannot_tell_apart(self):
        assert self.kept([0.3, 0.1, 0.12, 0.4], noise=0.05) == 3

    def test_the_latest_of_those_that_are_as_near_as_the_training_images(self):
        assert self.kept([0.3, 0.0, 0.08, 0.12, 0.4], noise=0.05, floor=0.1) == 4

    def test_a_slow_drift_upwards_is_no_noise(self):
        assert self.kept([0.1, 0.14, 0.18, 0.22], noise=0.05) == 2

    def test_kid_below_zero_is_as_good_as_any(self):
        assert self.kept([-0.02, -0.01, 0.3], noise=0.02) == 2


class TestWhatATrainingDoes:
    collapsed = SampleQuality(kid=2.0, recall=0.0, diversity=0.0)

    def test_the_weights_with_the_lowest_kid_are_kept_not_the_last(self, fabric, tmp_path):
        worse = replace(HEALTHY, kid=0.15)
        better = [replace(HEALTHY, kid=0.3), HEALTHY]
        monitor = ScriptedMonitor([*better, worse, worse])
        training = train_run(
            dark_and_bright(),
            SOURCE,
            one_look_a_step(4),
            tmp_path / "run",
            fabric=fabric,
            sample_monitor=monitor,
        )
        assert (training.steps_done, training.monitor.best_step) == (4, 2)
        until_two = train_run(
            dark_and_bright(),
            SOURCE,
            one_look_a_step(2),
            tmp_path / "two",
            fabric=fabric,
            sample_monitor=ScriptedMonitor(better),
        )
        for name, kept in training.ema.state_dict().items():
            assert torch.equal(kept, until_two.ema.state_dict()[name]), name
        assert Synthesizer(tmp_path / "run").card.config["steps_kept"] == 2

    def test_a_collapse_is_named_and_rolled_back_to_the_best_checkpoint(self, fabric, tmp_path, caplog):
        monitor = ScriptedMonitor(
            [HEALTHY, replace(HEALTHY, kid=0.12), self.collapsed, self.collapsed, HEALTHY]
        )
        training = train_generator(
            dark_and_bright(), one_look_a_step(4), tmp_path, fabric=fabric, sample_monitor=monitor
        )
        assert (training.steps_done, training.monitor.rollbacks) == (4, 1)
        (event,) = [line for line in log_of(tmp_path) if "event" in line]
        assert event["step"] == 4
        assert event["event"].startswith("collapse: recall 0.00 of 0.60")
        assert event["event"].endswith("rolled back to step 1")
        assert "step 4: collapse" in caplog.text

    def test_after_it_both_generators_are_the_good_average_with_new_numbers(self, fabric, tmp_path):
        config = one_look_a_step(4)
        monitor = ScriptedMonitor([HEALTHY, self.collapsed])

        class Interrupted(Exception):
            pass

        def look_and_stop(pixels):
            if monitor.looks == 3:
                raise Interrupted
            return monitor(pixels)

        for name in ("labels", "noise", "floor", "val"):
            setattr(look_and_stop, name, getattr(monitor, name))
        with pytest.raises(Interrupted):
            train_generator(dark_and_bright(), config, tmp_path, fabric=fabric, sample_monitor=look_and_stop)
        after = GANTraining(dark_and_bright(), config, fabric)
        load_training(checkpoint_of(tmp_path), after)
        assert (after.steps_done, after.monitor.rollbacks) == (1, 1)
        for name, kept in after.ema.state_dict().items():
            assert torch.equal(after.generator.module.state_dict()[name], kept), name
        never_rolled_back = GANTraining(dark_and_bright(), config, fabric)
        load_training(checkpoint_of(tmp_path), never_rolled_back)
        never_rolled_back.monitor.rollbacks = 0
        assert after.step() != never_rolled_back.step()

    def test_a_second_collapse_stops_the_run_and_keeps_the_best_checkpoint(self, fabric, tmp_path):
        monitor = ScriptedMonitor([HEALTHY, self.collapsed])
        with pytest.raises(GateError, match=r"step 3: collapse: .*for the second time.*best\.safetensors"):
            train_run(
                dark_and_bright(), SOURCE, one_look_a_step(9), tmp_path, fabric=fabric, sample_monitor=monitor
            )
        assert (tmp_path / "checkpoints" / "best.safetensors").is_file()
        assert not (tmp_path / "generator.safetensors").exists()
        assert [line["step"] for line in log_of(tmp_path) if "event" in line] == [3, 3]

    def test_a_training_that_blows_up_diverges_with_its_name(self, fabric, tmp_path):
        wild = replace(one_look_a_step(60), objective="wgan", generator_lr=1e30, discriminator_lr=1e-3)
        with pytest.raises(GateError, match="divergence"):
            train_generator(dark_and_bright(), wild, tmp_path, fabric=fabric)
        assert all(math.isfinite(line["generator"]) for line in log_of(tmp_path) if "event" not in line)

    def test_a_resumed_training_remembers_its_best_and_ends_in_the_same_bytes(self, fabric, tmp_path):
        script = [replace(HEALTHY, kid=kid) for kid in (0.3, 0.1, 0.2, 0.4)]
        images, config = dark_and_bright(), one_look_a_step(4)
        train_run(
            images, SOURCE, config, tmp_path / "whole", fabric=fabric, sample_monitor=ScriptedMonitor(script)
        )
        for steps, part in ((3, script[:3]), (4, script[3:])):
            train_run(
                images,
                SOURCE,
                replace(config, steps=steps),
                tmp_path / "cut",
                fabric=fabric,
                sample_monitor=ScriptedMonitor(part),
                resume=steps == 4,
            )
        one, two = ((tmp_path / name / "checkpoints" / "best.safetensors") for name in ("whole", "cut"))
        assert one.read_bytes() == two.read_bytes()
        assert checkpoint_of(tmp_path / "whole").read_bytes() == checkpoint_of(tmp_path / "cut").read_bytes()

    def test_looks_stand_in_the_log(self, fabric, tmp_path):
        train_generator(
            dark_and_bright(),
            one_look_a_step(1),
            tmp_path,
            fabric=fabric,
            sample_monitor=ScriptedMonitor([HEALTHY]),
        )
        line = json.loads((tmp_path / "log.jsonl").read_text())
        assert (line["kid"], line["recall"], line["diversity"]) == (0.1, 0.6, 0.9)
