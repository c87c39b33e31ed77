"""One conditional GAN in training: read `GANTraining.step`. The loop around it is `loop.train_generator`."""

import copy

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import to_unit_range
from synthaug.generators.architectures.family import UNKNOWN
from synthaug.generators.config import GANConfig
from synthaug.generators.diffaugment import diffaugment
from synthaug.generators.objectives import lecam_penalty, objective, r1_penalty
from synthaug.generators.players import average_into, build_optimizer, build_players, clip_weights
from synthaug.generators.value_range import to_uint8
from synthaug.generators.watch import Watch

SAMPLED_AT_ONCE = 64  # images; more do not fit a core's cache
LECAM_DECAY = 0.99


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
    training needs no random state to continue to the same weights. (After a rollback, from
    (config.seed, rollbacks, t): the same numbers would lead to the same end.)

    Args:
        images: labelled training images.
        unlabelled: more images of the same shape, their labels not looked at: the discriminator judges them,
            and as many fakes, without a class.

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
    ):
        check_images(images)
        channels, side, _ = images.image_shape
        classes = len(images.class_names)
        self.rows_of_class = [np.flatnonzero(images.labels == c) for c in range(classes)]
        self.images, self.unlabelled, self.config, self.fabric = images, unlabelled, config, fabric
        self.objective = objective(config.objective)
        generator, discriminator = build_players(
            config, num_classes=classes, image_size=side, channels=channels
        )
        self.ema = copy.deepcopy(generator).requires_grad_(False).eval().to(fabric.device)
        g_optimizer = build_optimizer(config, generator.parameters(), config.generator_lr)
        d_optimizer = build_optimizer(config, discriminator.parameters(), config.discriminator_lr)
        self.generator, self.g_optimizer = fabric.setup(generator, g_optimizer)
        self.discriminator, self.d_optimizer = fabric.setup(discriminator, d_optimizer)
        self.mean_logits = torch.zeros(2, device=fabric.device)  # of real and fake images, for LeCam
        self.watch = Watch()
        self.steps_done = 0

    def step(self) -> dict[str, float]:
        """Update the discriminator as often as the recipe says, then the generator; losses, mean logits."""
        t = self.steps_done + (self.watch.rollbacks << 30)
        rng = torch.Generator().manual_seed((self.config.seed << 32) + t)
        self._grow()
        for k in range(self.config.discriminator_steps):
            real, labels = self._real_batch(rng)
            latents = torch.randn(self.config.batch_size, self.config.latent_dim, generator=rng)
            # the last fakes serve the generator's own update too
            with torch.set_grad_enabled(k == self.config.discriminator_steps - 1):
                fake = self.generator(latents.to(real.device), labels[: len(latents)])
            numbers = self._update_discriminator(real, fake.detach(), labels, rng)
        self.discriminator.requires_grad_(False)
        seen = diffaugment(self._unknown_too(fake), self.config.diffaugment, rng)
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
        real = diffaugment(real, self.config.diffaugment, rng)
        fake = diffaugment(self._unknown_too(fake), self.config.diffaugment, rng)
        if self.discriminator.module.judges_batches:
            of_real, of_fake = self.discriminator(real, labels), self.discriminator(fake, labels)
        else:
            of_real, of_fake = self.discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
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
            "real logit": of_real.mean().item(),
            "fake logit": of_fake.mean().item(),
        }

    def _penalties(
        self,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        of_real: Tensor,
        of_fake: Tensor,
        rng: torch.Generator,
    ) -> Tensor:
        """Sum of what the objective and the recipe add to the discriminator's loss, a scalar."""
        network, config = (
            self.discriminator.module,
            self.config,
        )  # bare: Fabric forbids an inner backward pass
        penalty = torch.zeros((), device=real.device)
        with self.fabric.autocast():
            if self.objective.penalty is not None:
                penalty = penalty + self.objective.penalty(lambda x: network(x, labels), real, fake, rng)
            if config.r1 and self.steps_done % config.r1_every == 0:
                weight = config.r1 * config.r1_every
                penalty = penalty + weight * r1_penalty(lambda x: network(x, labels), real)
        if config.lecam:
            means = torch.stack([of_real.mean(), of_fake.mean()]).detach().float()
            self.mean_logits.lerp_(means, 1 - LECAM_DECAY if self.steps_done else 1.0)
            penalty = penalty + config.lecam * lecam_penalty(of_real, of_fake, *self.mean_logits)
        return penalty

    def _real_batch(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [-1, 1] and labels (N,), unlabelled ones (half as many) at the end."""
        n = self.config.batch_size
        draw = torch.rand(n, generator=rng, dtype=torch.float64).numpy()
        if self.config.balanced:
            wanted = (np.arange(n) + self.steps_done * n) % len(self.rows_of_class)
            members = [self.rows_of_class[label] for label in wanted]
            rows = np.array([rows[int(u * len(rows))] for rows, u in zip(members, draw, strict=True)])
        else:
            rows = (draw * len(self.images)).astype(np.int64)
        pixels, labels = to_unit_range(self.images.pixels[rows]), torch.from_numpy(self.images.labels[rows])
        if self.unlabelled is not None:
            more = torch.randint(len(self.unlabelled), (n // 2,), generator=rng).numpy()
            pixels = torch.cat([pixels, to_unit_range(self.unlabelled.pixels[more])])
            labels = torch.cat([labels, torch.full((n // 2,), UNKNOWN)])
        return (2 * pixels - 1).to(self.fabric.device), labels.to(self.fabric.device)

    def _unknown_too(self, fake: Tensor) -> Tensor:
        """The fakes, and half of them once more where the labels of the batch end in unknown ones."""
        return fake if self.unlabelled is None else torch.cat([fake, fake[: len(fake) // 2]])

    def _grow(self) -> None:
        progress = self.steps_done / self.config.steps
        for network in (self.generator.module, self.discriminator.module, self.ema):
            network.grow(progress)

    def _average(self) -> None:
        """Move the averaged generator; a young average forgets faster (Karras et al. 2022, edm)."""
        batch, halflife = self.config.batch_size, self.config.ema_halflife
        seen = self.steps_done * batch
        decay = 0.5 ** (batch / min(halflife, 0.05 * seen)) if halflife else 0.0
        average_into(self.ema, self.generator.module, decay)
        self.ema.grow(self.steps_done / self.config.steps)

    @torch.no_grad()
    def samples(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The averaged generator's images of the same latents at every call, (N, C, H, W)."""
        rng = torch.Generator().manual_seed(self.config.seed)
        latents = torch.randn(len(labels), self.config.latent_dim, generator=rng).to(self.fabric.device)
        asked = torch.from_numpy(labels).to(self.fabric.device)
        parts = zip(torch.split(latents, SAMPLED_AT_ONCE), torch.split(asked, SAMPLED_AT_ONCE), strict=True)
        return np.concatenate([to_uint8(self.ema(z, label)) for z, label in parts])

    def sample_grid(self, columns: int = 8) -> npt.NDArray[np.uint8]:
        """`columns` samples of every class, (classes × columns, C, H, W)."""
        return self.samples(np.repeat(np.arange(len(self.rows_of_class)), columns))
