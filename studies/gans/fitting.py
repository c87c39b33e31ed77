"""One training within a budget of process time; the averaged generator of the best look is kept."""

import copy
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from synthaug.augment.images import Indices, LabeledImages
from synthaug.evaluation.fidelity.monitor import SampleMonitor
from synthaug.generators.architectures.family import ConditionalDiscriminator, ConditionalGenerator
from synthaug.generators.config import GANConfig
from synthaug.generators.training.gan import SAMPLED_AT_ONCE, GANTraining, random_numbers
from synthaug.generators.training.transfer import Origin
from synthaug.generators.value_range import to_uint8

LOOKS = 12
PLANNED = 0.9  # of the budget: what grows is full-grown by then, also where the machine became slower
POINTS = 5  # of the training at which a step's cost is measured
QUICK = 0.5  # s: a step below this is measured three times

State = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Pair:
    """What a training ends with.

    Attributes:
        facts: steps, images seen, CPU-seconds, looks, and what went wrong, as they go into the record.
    """

    generator: ConditionalGenerator
    discriminator: ConditionalDiscriminator
    facts: dict[str, Any]


def fit(
    images: LabeledImages,
    config: GANConfig,
    fabric: Fabric,
    judge: SampleMonitor,
    cpu_seconds: float,
    *,
    unlabelled: LabeledImages | None = None,
    origin: Origin | None = None,
) -> Pair:
    """Train for `cpu_seconds` of process time; the judge's looks and the calibration are not counted.

    Looks are taken at equal marks of process time; the generator that `TrainingMonitor.remember` keeps is
    kept, with the discriminator of the same moment. A training that diverges ends there.
    """
    config = replace(config, steps=planned_steps(images, config, fabric, cpu_seconds, unlabelled))
    training = GANTraining(images, config, fabric, unlabelled, judge.val)
    if origin is not None:
        origin.load_into(training)
    best, best_look = states(training), 0
    looks: list[dict[str, float]] = []
    spent, wrong = 0.0, ""
    for mark in cpu_seconds * np.arange(1, LOOKS + 1) / LOOKS:
        before = training.steps_done
        while spent < mark and not wrong:
            seconds, numbers = timed_step(training)
            spent += seconds
            wrong = training.monitor.divergence(numbers)
        if wrong:
            break
        if training.steps_done == before:  # one step took longer than two marks
            continue
        quality = judge(training.samples(judge.labels))
        looks.append({"cpu_seconds": spent, "steps": training.steps_done, **asdict(quality)})
        if training.monitor.remember(training.steps_done, quality, judge.noise, judge.floor):
            best, best_look = states(training), len(looks)
    training.ema.load_state_dict(best[0])
    generator = training.finished()
    discriminator = training.discriminator.module
    discriminator.load_state_dict(best[1])
    batch = config.batch_size + (config.batch_size // 2 if unlabelled is not None else 0)
    facts = {
        "cpu_seconds": spent,
        "steps": training.steps_done,
        "planned_steps": config.steps,
        "images_seen": training.steps_done * batch * config.discriminator_steps,
        "generator_parameters": parameters(generator),
        "discriminator_parameters": parameters(discriminator),
        "best_look": best_look,
        "looks": looks,
        "note": ended(wrong, training.steps_done, best_look),
    }
    return Pair(generator, discriminator.eval(), facts)


def ended(wrong: str, step: int, best_look: int) -> str:
    """What went wrong, in words; nothing where nothing did."""
    kept = "" if best_look else " before the first look: what is scored is untrained"
    return f"{wrong} at step {step:,}{kept}" if wrong else ""


def planned_steps(
    images: LabeledImages,
    config: GANConfig,
    fabric: Fabric,
    cpu_seconds: float,
    unlabelled: LabeledImages | None = None,
) -> int:
    """Steps that 90 % of the budget allows, by steps of a throwaway training spread over its growth."""
    trial = GANTraining(images, replace(config, steps=1000), fabric, unlabelled)
    timed_step(trial)  # the first pays for what is set up once
    seconds = []
    for k in range(POINTS):
        at = int(1000 * (k + 0.5) / POINTS)
        costs: list[float] = []
        while not costs or (min(costs) < QUICK and len(costs) < 3):
            trial.steps_done = at
            costs.append(timed_step(trial)[0])
        seconds.append(min(costs))
    return max(1, int(PLANNED * cpu_seconds / float(np.mean(seconds))))


def timed_step(training: GANTraining) -> tuple[float, dict[str, float]]:
    start = time.process_time()
    numbers = training.step()
    return time.process_time() - start, numbers


def states(training: GANTraining) -> tuple[State, State]:
    """Copies of the averaged generator's and the discriminator's weights."""
    return copy.deepcopy(training.ema.state_dict()), copy.deepcopy(training.discriminator.module.state_dict())


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def make_images(
    pair: Pair, counts: list[int], class_names: tuple[str, ...], seed: int, keep: float = 1.0
) -> LabeledImages:
    """counts[label] images of every label from latents that no look has seen.

    Args:
        keep: make 1 / keep as many and keep those of each class with the highest logits.
    """
    rng = random_numbers(seed, 1)  # looks take `seed` alone
    pixels, labels = [], []
    for label, n in enumerate(counts):
        made, logits = [], []
        wanted = math.ceil(n / keep)
        for start in range(0, wanted, SAMPLED_AT_ONCE):
            latents = torch.randn(
                min(SAMPLED_AT_ONCE, wanted - start), pair.generator.input_dim, generator=rng
            )
            asked = torch.full((len(latents),), label)
            images = pair.generator(latents, asked)
            made.append(to_uint8(images))
            if keep < 1:
                seen = pair.discriminator.prepare(images, asked)
                logits.append(pair.discriminator(seen, asked))
        if n:
            rows = np.arange(n) if keep == 1 else highest(torch.cat(logits), n)
            pixels.append(np.concatenate(made)[rows])
            labels.append(np.full(n, label))
    every = np.concatenate(labels).astype(np.int64)
    return LabeledImages(np.concatenate(pixels), every, class_names, np.ones(len(every), dtype=bool))


def highest(logits: Tensor, n: int) -> Indices:
    """The rows of the n highest, in their order."""
    return np.sort(logits.argsort(descending=True, stable=True)[:n].numpy())
