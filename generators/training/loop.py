"""The training loop: steps, monitoring, checkpoints, rollback after divergence or collapse."""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lightning_fabric import Fabric

from synthaug.augment.errors import GateError
from synthaug.augment.images import LabeledImages
from synthaug.augment.progress import progress_bar
from synthaug.generators.architectures.family import ConditionalGenerator
from synthaug.generators.config import GANConfig
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.monitor import SampleMonitor
from synthaug.generators.training.networks import average_into
from synthaug.generators.training.runlog import RunLog
from synthaug.generators.training.state import load_averaged, load_training, save_training
from synthaug.generators.training.transfer import Origin

log = logging.getLogger("synthaug")


def train_generator(
    images: LabeledImages,
    config: GANConfig,
    run: Path,
    *,
    fabric: Fabric,
    sample_monitor: SampleMonitor | None = None,
    unlabelled: LabeledImages | None = None,
    origin: Origin | None = None,
    resume: bool = False,
    minutes: float | None = None,
    cpu_seconds: float | None = None,
    grid_columns: int = 8,
) -> GANTraining:
    """Train until `config.steps` updates (or a budget) are done, or SIGINT/SIGTERM asks to stop.

    Writes into `run`: log.jsonl, TensorBoard events, samples/*.png, checkpoints/last.safetensors (everything
    that `resume` needs) and, with a sample_monitor, checkpoints/best.safetensors, the one with the lowest KID
    (see `TrainingMonitor.remember`), whose averaged generator is in the training that is returned. Stopped
    early, `steps_done` is below `config.steps`.

    A training that diverges or collapses is rolled back to its last good checkpoint once and goes on
    with other random numbers; the second time it raises.

    Args:
        images: labelled training images of any imbalance.
        sample_monitor: evaluates samples every `config.interval` steps, and has the held-out images that
            `GANTraining` takes; None monitors the losses only.
        unlabelled: see `GANTraining`.
        origin: weights to start from instead of random ones.
        resume: go on from the checkpoint in `run`, to the weights of a training that was never interrupted.
        minutes: budget of elapsed time, everything included.
        cpu_seconds: budget of process time, of the updates alone, so that recipes compare on a machine that
            other work shares; the samples are judged at its end, too.
        grid_columns: images of each class in a sample grid.

    Raises:
        DataError: a class without images, sides not divisible by 4, or `resume` without a whole checkpoint.
        UsageError: a recipe that cannot work.
        GateError: divergence or collapse for the second time.
    """
    training = GANTraining(images, config, fabric, unlabelled, sample_monitor.val if sample_monitor else None)
    last, best = (run / "checkpoints" / f"{name}.safetensors" for name in ("last", "best"))
    if resume:
        load_training(last, training)
    else:
        if origin is not None:
            origin.load_into(training)
        best.unlink(missing_ok=True)
        save_training(last, training)
    run_log = RunLog(run, first_step=training.steps_done)
    deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    budget = float("inf") if cpu_seconds is None else cpu_seconds
    bar = progress_bar("generator", config.steps, done=training.steps_done, per_step=config.batch_size)
    with bar as advance, _stop_requested() as stop, run_log:
        started, steps, spent = time.monotonic(), 0, 0.0
        while (
            training.steps_done < config.steps and not stop and time.monotonic() < deadline and spent < budget
        ):
            before = time.process_time()
            numbers = training.step()
            spent += time.process_time() - before
            steps += 1
            advance(1)
            wrong = training.monitor.divergence(numbers) or training.broken_weights()
            ended = training.steps_done == config.steps or spent >= budget
            due = ended or training.steps_done % config.interval == 0
            if due and not wrong:
                speed = steps * config.batch_size / (time.monotonic() - started)
                seen = training.finished()
                numbers |= {"images_per_second": speed, "cpu_seconds": spent}
                wrong = _evaluate(training, seen, sample_monitor, numbers, run_log, best)
                run_log.grid(training.steps_done, training.sample_grid(grid_columns, seen), grid_columns)
            if wrong:
                lost = training.steps_done
                _roll_back(training, wrong, best if best.exists() else last, run_log)
                advance(training.steps_done - lost)
            if wrong or due:
                save_training(last, training)
        save_training(last, training)
    if best.exists():
        load_averaged(best, training)
    return training


def _evaluate(
    training: GANTraining,
    finished: ConditionalGenerator,
    sample_monitor: SampleMonitor | None,
    numbers: dict[str, float],
    run_log: RunLog,
    best: Path,
) -> str:
    """Log the numbers, evaluate samples, keep the best checkpoint; what is wrong, or nothing."""
    if sample_monitor is None:
        run_log.scalars(training.steps_done, numbers)
        return ""
    quality = sample_monitor(training.samples(sample_monitor.labels, finished))
    found = {"kid": quality.kid, "recall": quality.recall, "diversity": quality.diversity}
    run_log.scalars(training.steps_done, numbers | found)
    wrong = training.monitor.collapse(quality, sample_monitor.noise)
    if not wrong and training.monitor.remember(
        training.steps_done, quality, sample_monitor.noise, sample_monitor.floor
    ):
        save_training(best, training)
    return wrong


def _roll_back(training: GANTraining, wrong: str, good: Path, run_log: RunLog) -> None:
    """Restore the last good checkpoint, its averaged generator in both places."""
    lost, rollbacks = training.steps_done, training.monitor.rollbacks
    if rollbacks:
        run_log.event(lost, f"{wrong}; for the second time: stopped")
        raise GateError(
            f"step {lost:,}: {wrong}, for the second time: expected a training that stays alive; its last "
            f"good checkpoint is {good}; try smaller --generator-lr, --discriminator-lr, or another --preset"
        )
    load_training(good, training)
    training.monitor.rollbacks = rollbacks + 1
    average_into(training.generator.module, training.ema, 0.0)
    event = f"{wrong}; rolled back to step {training.steps_done:,}"
    run_log.event(lost, event)
    log.warning("step %s: %s", f"{lost:,}", event)


@contextmanager
def _stop_requested() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM (the main thread gets them) instead of dying in the middle of a step."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
