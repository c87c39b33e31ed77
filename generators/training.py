"""Training a conditional GAN: read `train_generator` first, then `GANTraining.step`."""

import copy
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.progress import progress_bar
from synthaug.augment.transforms import to_unit_range
from synthaug.generators.architectures.resnet import ConditionalGenerator, ProjectionDiscriminator
from synthaug.generators.checkpoint import load_training, save_training
from synthaug.generators.diffaugment import diffaugment
from synthaug.generators.objectives import objective
from synthaug.generators.presets import GANConfig
from synthaug.generators.runlog import RunLog
from synthaug.generators.value_range import to_uint8


def train_generator(
    images: LabeledImages,
    config: GANConfig,
    run: Path,
    *,
    fabric: Fabric,
    resume: bool = False,
    minutes: float | None = None,
    grid_columns: int = 8,
) -> "GANTraining":
    """Train until `config.steps` updates (or `minutes`) are done, or SIGINT/SIGTERM asks to stop.

    Writes into `run`: log.jsonl, TensorBoard events, samples/*.png, checkpoints/last.safetensors (everything
    that `resume` needs). Stopped early, `steps_done` is below `config.steps`.

    Args:
        images: labelled training images of any imbalance: every batch holds the classes in equal parts.
        resume: go on from the checkpoint in `run`, to the weights of a training that was never interrupted.
        grid_columns: images of each class in a sample grid.

    Raises:
        DataError: a class without images, sides not divisible by 4, or `resume` without a whole checkpoint.
        UsageError: an objective that there is not.
    """
    training = GANTraining(images, config, fabric)
    checkpoint = run / "checkpoints" / "last.safetensors"
    if resume:
        load_training(checkpoint, training)
    log = RunLog(run, first_step=training.steps_done)
    deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    bar = progress_bar("generator", config.steps, done=training.steps_done, per_step=config.batch_size)
    with bar as advance, _stop_requested() as stop, log:
        started, first = time.monotonic(), training.steps_done
        while training.steps_done < config.steps and not stop and time.monotonic() < deadline:
            losses = training.step()
            advance(1)
            if training.steps_done % config.interval == 0 or training.steps_done == config.steps:
                speed = (training.steps_done - first) * config.batch_size / (time.monotonic() - started)
                log.scalars(training.steps_done, losses | {"images_per_second": speed})
                log.grid(training.steps_done, training.sample_grid(grid_columns), grid_columns)
                save_training(checkpoint, training)
        save_training(checkpoint, training)
    return training


def check_images(images: LabeledImages) -> None:
    """Raise `DataError` for images that no training can take: not square, or a class without any."""
    _, height, width = images.image_shape
    if height != width or height % 4:
        raise DataError(f"images of {width}x{height}: expected square with a side divisible by 4, add --size")
    for name, count in images.counts().items():
        if not count:
            raise DataError(f"class {name!r} has no training image: expected at least one of every class")


class GANTraining:
    """Both networks, their optimisers, the averaged generator, the step count: all that a checkpoint holds.

    Step t draws its images, latents and augmentations from (config.seed, t) alone, so that a resumed
    training needs no random state to continue to the same weights.
    """

    def __init__(self, images: LabeledImages, config: GANConfig, fabric: Fabric):
        check_images(images)
        channels, height, _ = images.image_shape
        self.rows_of_class = [np.flatnonzero(images.labels == c) for c in range(len(images.class_names))]
        self.images, self.config, self.fabric = images, config, fabric
        self.objective = objective(config.objective)
        size = {"num_classes": len(images.class_names), "image_size": height, "channels": channels}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            generator = ConditionalGenerator(**size, latent_dim=config.latent_dim, width=config.width)
            discriminator = ProjectionDiscriminator(
                **size, width=config.width, spectral=self.objective.spectral_norm
            )
        generator = generator.to(memory_format=torch.channels_last)
        discriminator = discriminator.to(memory_format=torch.channels_last)
        self.ema = copy.deepcopy(generator).requires_grad_(False).eval().to(fabric.device)
        betas = self.objective.betas
        g_optimizer = torch.optim.Adam(generator.parameters(), lr=config.generator_lr, betas=betas)
        d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=config.discriminator_lr, betas=betas)
        self.generator, self.g_optimizer = fabric.setup(generator, g_optimizer)
        self.discriminator, self.d_optimizer = fabric.setup(discriminator, d_optimizer)
        self.steps_done = 0

    def step(self) -> dict[str, float]:
        """One update of the generator (after the objective's number of discriminator updates); the losses."""
        rng = torch.Generator().manual_seed((self.config.seed << 32) + self.steps_done)
        for k in range(self.objective.discriminator_steps):
            real, labels = self._real_batch(rng)
            latents = torch.randn(len(real), self.config.latent_dim, generator=rng).to(real.device)
            last = k == self.objective.discriminator_steps - 1
            with torch.set_grad_enabled(last):  # the last fakes serve the generator's own update too
                fake = self.generator(latents, labels)
            d_loss, penalty = self._update_discriminator(real, fake.detach(), labels, rng)
        self.discriminator.requires_grad_(False)
        fake_seen = diffaugment(fake, self.config.diffaugment, rng)
        g_loss = self.objective.generator(self.discriminator(fake_seen, labels))
        self.g_optimizer.zero_grad()
        self.fabric.backward(g_loss)
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        self.steps_done += 1
        self._average()
        return {"discriminator": d_loss, "penalty": penalty, "generator": g_loss.item()}

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor, rng: torch.Generator
    ) -> tuple[float, float]:
        real, fake = (diffaugment(x, self.config.diffaugment, rng) for x in (real, fake))
        logits = self.discriminator(torch.cat([real, fake]), labels.repeat(2))
        loss = self.objective.discriminator(*logits.chunk(2))
        penalty = torch.zeros((), device=loss.device)
        if self.objective.penalty is not None:
            critic = self.discriminator.module  # bare: Fabric's wrapper forbids the inner backward pass
            with self.fabric.autocast():
                penalty = self.objective.penalty(lambda x: critic(x, labels), real, fake, rng)
        self.d_optimizer.zero_grad()
        self.fabric.backward(loss + penalty)
        self.d_optimizer.step()
        return loss.item(), penalty.item()

    def _real_batch(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A class-balanced batch: (N, C, H, W) in [-1, 1] and labels (N,)."""
        classes = len(self.rows_of_class)
        labels = (torch.arange(self.config.batch_size) + self.steps_done * self.config.batch_size) % classes
        draw = torch.rand(len(labels), generator=rng, dtype=torch.float64).numpy()
        members = [self.rows_of_class[label] for label in labels.tolist()]
        rows = np.array([rows[int(u * len(rows))] for rows, u in zip(members, draw, strict=True)])
        real = 2 * to_unit_range(self.images.pixels[rows]) - 1
        return real.to(self.fabric.device), labels.to(self.fabric.device)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged generator; a young average forgets faster (Karras et al. 2022, edm)."""
        seen = self.steps_done * self.config.batch_size
        decay = 0.5 ** (self.config.batch_size / min(self.config.ema_halflife, 0.05 * seen))
        current = self.generator.module.state_dict()
        for name, averaged in self.ema.state_dict().items():
            if averaged.is_floating_point():
                averaged.lerp_(current[name], 1 - decay)
            else:
                averaged.copy_(current[name])

    @torch.no_grad()
    def sample_grid(self, columns: int = 8) -> npt.NDArray[np.uint8]:
        """The averaged generator's images of the same latents at every call, (classes × columns, C, H, W)."""
        classes = len(self.rows_of_class)
        rng = torch.Generator().manual_seed(self.config.seed)
        latents = torch.randn(classes * columns, self.config.latent_dim, generator=rng)
        labels = torch.arange(classes).repeat_interleave(columns)
        images = self.ema(latents.to(self.fabric.device), labels.to(self.fabric.device))
        return to_uint8(images)


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
