"""How long an experiment would take: the first steps of a classifier and of a generator, timed here."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from synthaug._api.experiment.options import ExperimentOptions
from synthaug._api.runtime import make_fabric, parallel_trainings

if TYPE_CHECKING:
    from synthaug.augment.images import Splits

STEPS = 4  # that are timed


def expected_seconds(
    splits: "Splits", options: ExperimentOptions, classifiers: int, jobs: int | None = None
) -> float:
    """Wall time of all trainings, several at a time; what is stored already is not subtracted.

    Looks at validation images are in it; the fidelity of the synthetic images and the report are not.
    """
    import torch

    device = make_fabric(options.device, options.precision).device
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as every training has it
    try:
        seconds = classifiers * of_classifier(splits, options)
        if generators := count_generators(options):
            seconds += generators * of_generator(splits, options)
    finally:
        torch.set_num_threads(threads)
    return seconds / parallel_trainings(jobs, device)


def count_generators(options: ExperimentOptions) -> int:
    """One per donor or, of one's own images, per labelled subset; none where they were made elsewhere."""
    if not options.trains_generators:
        return 0
    return options.donor_splits if options.has_donor else len(options.design.amounts) * options.seeds


def of_classifier(splits: "Splits", options: ExperimentOptions) -> float:
    """Seconds of one training, its looks at validation images and its prediction of test images."""
    from synthaug.classifiers.training import ClassifierConfig, train_classifier

    fabric = make_fabric(options.device, options.precision)
    config = ClassifierConfig(name=options.classifier, balanced=True)

    def seconds(steps: int) -> float:
        return timed(lambda: train_classifier(splits.train, splits.val, replace(config, steps=steps), fabric))

    seconds(1)  # pays for what is set up once
    first, more = seconds(1), seconds(1 + STEPS)
    step = max(0.0, more - first) / STEPS
    look = max(0.0, first - step)  # a training of one step looks once
    looks = -(-options.steps // config.interval) + len(splits.test) / len(splits.val)
    return options.steps * step + looks * look


def of_generator(splits: "Splits", options: ExperimentOptions) -> float:
    """Seconds of one training; its looks at validation images are not in it."""
    from synthaug.generators.presets import preset
    from synthaug.generators.training.gan import GANTraining

    config = replace(preset(options.preset), steps=options.generator_steps)
    training = GANTraining(splits.train, config, make_fabric(options.device, options.precision))
    training.step()
    return options.generator_steps * timed(lambda: [training.step() for _ in range(STEPS)]) / STEPS


def timed(action: Callable[[], object]) -> float:
    """Seconds of wall time."""
    start = time.monotonic()
    action()
    return time.monotonic() - start
