"""One conditional GAN in training: read `GANTraining.step`. The loop around it is `loop.train_generator`."""

import copy

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.generators.architectures.family import ConditionalGenerator
from synthaug.generators.config import GANConfig
from synthaug.generators.objectives import objective, r1_penalty
from synthaug.generators.training.adaptive_augment import AdaptiveAugment
from synthaug.generators.training.adaptive_r1 import AdaptiveR1Weight
from synthaug.generators.training.batches import Batches
from synthaug.generators.training.batchnorm import recalibrate_batchnorm
from synthaug.generators.training.diffaugment import diffaugment
from synthaug.generators.training.monitor import TrainingMonitor
from synthaug.generators.training.networks import average_into, build_networks, build_optimizer, clip_weights
from synthaug.generators.value_range import to_uint8

SAMPLED_AT_ONCE = 64  # images; more do not fit a core's cache
EMA_RAMPUP = 0.08  # the half-life of the EMA is at most this fraction of the images seen so far
RECALIBRATED = 2048  # images for the statistics of batch norm


def check_images(images: LabeledImages) -> None:
    """Raise `DataError` for images that no training can take: not square, or a class without any."""
    _, height, width = images.image_shape
    if height != width or height % 4:
        raise DataError(f"images of {width}x{height}: expected square with a side divisible by 4, add --size")
    for name, count in images.counts().items():
        if not count:
            raise DataError(f"class {name!r} has no training image: expected at least one of every class")


def random_numbers(*key: int) -> torch.Generator:
    """A generator on the CPU whose numbers depend on the whole key.

    PyTorch's own takes 32 bits of a seed and drops the others; numpy's SeedSequence mixes them all.
    """
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


class GANTraining:
    """Both networks, their optimisers, the averaged generator, the step count: all that a checkpoint holds.

    Step t draws its images, latents and augmentations from (config.seed, t) alone, so that a resumed
    training needs no random state to continue to the same weights. (After a rollback, from
    (config.seed, rollbacks, t): the same numbers would lead to the same end.)

    Args:
        images: labelled training images.
        unlabelled: more images of the same shape, their labels not looked at: the discriminator judges them,
            and as many fakes, without a class.
        held_out: real images that neither network learns from: by their logits the augmentation probability
            is adapted. None keeps it fixed.

    Raises:
        DataError: images that no training can take.
        UsageError: a recipe that cannot work.
    """

    def __init__(
        self,
        images: LabeledImages,
        config: GANConfig,
        fabric: Fabric,
        unlabelled: LabeledImages | None = None,
        held_out: LabeledImages | None = None,
    ):
        check_images(images)
        channels, side, _ = images.image_shape
        classes = len(images.class_names)
        self.images, self.config, self.fabric = images, config, fabric
        self.batches = Batches(images, unlabelled, config)
        self.held_out = None if held_out is None else Batches(held_out, None, config)
        self.objective = objective(config.objective)
        generator, discriminator = build_networks(
            config, num_classes=classes, image_size=side, channels=channels
        )
        known = self.batches.of_classes()
        generator.fit_class_statistics(known)
        discriminator.fit_class_statistics(known)
        self.ema = copy.deepcopy(generator).requires_grad_(False).eval().to(fabric.device)
        g_optimizer = build_optimizer(config, generator.parameters(), config.generator_lr)
        d_optimizer = build_optimizer(config, discriminator.parameters(), config.discriminator_lr)
        self.generator, self.g_optimizer = fabric.setup(generator, g_optimizer)
        self.discriminator, self.d_optimizer = fabric.setup(discriminator, d_optimizer)
        self.r1_weight = AdaptiveR1Weight(config, side, classes)
        self.augmentation = AdaptiveAugment(config)
        self.monitor = TrainingMonitor()
        self.steps_done = 0

    def step(self) -> dict[str, float]:
        """Update the discriminator, possibly several times, then the generator; losses, mean logits."""
        rng = random_numbers(self.config.seed, self.monitor.rollbacks, self.steps_done)
        self._grow()
        for k in range(self.config.discriminator_steps):
            real, labels = (x.to(self.fabric.device) for x in self.batches.draw(rng, self.steps_done))
            latents = torch.randn(self.config.batch_size, self.ema.input_dim, generator=rng)
            # the last fakes serve the generator's own update too
            with torch.set_grad_enabled(k == self.config.discriminator_steps - 1):
                fake = self.generator(latents.to(real.device), labels[: len(latents)])
            numbers = self._update_discriminator(real, fake.detach(), labels, rng)
        self.discriminator.requires_grad_(False)
        seen = self._seen(self.batches.with_unknown(fake), labels, rng)
        loss = self.objective.generator(self.discriminator(seen, labels))
        self.g_optimizer.zero_grad()
        self.fabric.backward(loss)
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        self.steps_done += 1
        self._average()
        return numbers | {"generator": loss.item()}

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor, rng: torch.Generator
    ) -> dict[str, float]:
        real, fake = (self._seen(x, labels, rng) for x in (real, self.batches.with_unknown(fake)))
        if self.discriminator.module.depends_on_batch:
            of_real, of_fake = self.discriminator(real, labels), self.discriminator(fake, labels)
        else:
            of_real, of_fake = self.discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
        self._observe_overfitting(of_real, of_fake, rng)
        loss = self.objective.discriminator(of_real, of_fake)
        penalty = self._penalties(real, fake, labels, of_real, of_fake, rng)
        self.d_optimizer.zero_grad()
        self.fabric.backward(loss + penalty)
        self.d_optimizer.step()
        if self.objective.clip is not None:
            clip_weights(self.discriminator.module, self.objective.clip)
        return {
            "discriminator": loss.item(),
            "penalty": penalty.item(),
            "r1": self.r1_weight.mean,
            "augmented": self.augmentation.p,
            "real logit": of_real.mean().item(),
            "fake logit": of_fake.mean().item(),
        }

    def _seen(self, images: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
        """Images as the discriminator sees them: prepared and augmented."""
        prepared = self.discriminator.module.prepare(images, labels)
        return diffaugment(prepared, self.config.diffaugment, rng, self.augmentation.p)

    @torch.no_grad()
    def _observe_overfitting(self, of_real: Tensor, of_fake: Tensor, rng: torch.Generator) -> None:
        """Evaluate the discriminator on held-out images, where that is due."""
        if self.held_out is None or not self.config.diffaugment or not self.augmentation.due(self.steps_done):
            return
        held_out, labels = (x.to(self.fabric.device) for x in self.held_out.draw(rng, self.steps_done))
        of_held_out = self.discriminator(self._seen(held_out, labels, rng), labels)
        known = self.config.batch_size  # unlabelled images stand behind them
        self.augmentation.observe(of_real[:known], of_held_out, of_fake[:known])

    def _penalties(
        self,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        of_real: Tensor,
        of_fake: Tensor,
        rng: torch.Generator,
    ) -> Tensor:
        """Sum of the penalties in the discriminator's loss, a scalar."""
        config, penalty = self.config, torch.zeros((), device=real.device)
        network = self.discriminator.module  # bare: Fabric's wrapper forbids an inner backward pass
        with self.fabric.autocast():
            if self.objective.penalty is not None:
                penalty = penalty + self.objective.penalty(lambda x: network(x, labels), real, fake, rng)
            if config.r1:
                self.r1_weight.observe(of_real.detach(), of_fake.detach(), labels)
            if config.r1 and self.steps_done % config.r1_every == 0:
                weights = self.r1_weight.updated(labels) * config.r1_every
                penalty = penalty + r1_penalty(lambda x: network(x, labels), real, weights)
        return penalty

    def _grow(self) -> None:
        progress = self.steps_done / self.config.steps
        for network in (self.generator.module, self.discriminator.module, self.ema):
            network.grow(progress)

    def _average(self) -> None:
        """Update the EMA of the generator, with the half-life ramped up (Karras et al. 2022, EDM)."""
        batch, halflife = self.config.batch_size, self.config.ema_halflife
        seen = self.steps_done * batch
        decay = 0.5 ** (batch / min(halflife, EMA_RAMPUP * seen)) if halflife else 0.0
        average_into(self.ema, self.generator.module, decay)
        self.ema.grow(self.steps_done / self.config.steps)

    def broken_weights(self) -> str:
        """Which network's weights contain NaN or Inf, in words; empty where neither does."""
        for name in ("generator", "discriminator"):
            for parameter in getattr(self, name).module.parameters():
                if not torch.isfinite(parameter).all():
                    return f"divergence: a weight of the {name} contains NaN or Inf"
        return ""

    def finished(self) -> ConditionalGenerator:
        """The EMA generator with recalibrated batch norm, from latents that depend on the seed alone."""
        if not self.config.ema_halflife:
            return self.ema
        rng = random_numbers(self.config.seed, RECALIBRATED)
        labels = self.batches.draw_labels(rng, RECALIBRATED).to(self.fabric.device)
        latents = torch.randn(RECALIBRATED, self.ema.input_dim, generator=rng).to(self.fabric.device)
        with self.fabric.autocast():
            return recalibrate_batchnorm(self.ema, latents, labels)

    @torch.no_grad()
    def samples(
        self, labels: npt.NDArray[np.int64], generator: ConditionalGenerator | None = None
    ) -> npt.NDArray[np.uint8]:
        """Images of the same latents at every call, (N, C, H, W).

        Args:
            generator: what `finished` gave, where it is at hand already.
        """
        generator = generator or self.finished()
        rng = random_numbers(self.config.seed)
        latents = torch.randn(len(labels), self.ema.input_dim, generator=rng).to(self.fabric.device)
        asked = torch.from_numpy(labels).to(self.fabric.device)
        parts = zip(torch.split(latents, SAMPLED_AT_ONCE), torch.split(asked, SAMPLED_AT_ONCE), strict=True)
        return np.concatenate([to_uint8(generator(z, label)) for z, label in parts])

    def sample_grid(
        self, columns: int = 8, generator: ConditionalGenerator | None = None
    ) -> npt.NDArray[np.uint8]:
        """`columns` samples of every class, (classes × columns, C, H, W)."""
        return self.samples(np.repeat(np.arange(len(self.images.class_names)), columns), generator)
