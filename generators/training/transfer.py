"""Starting from another generator's weights; classes are matched by name, new ones start at the mean."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.generators.architectures import architecture
from synthaug.generators.architectures.family import ConditionalDiscriminator, ConditionalGenerator
from synthaug.generators.checkpoint import GeneratorCard, load_generator
from synthaug.generators.config import GANConfig

if TYPE_CHECKING:
    from synthaug.generators.training.gan import GANTraining

LEARNING_RATES = ("generator_lr", "discriminator_lr")


@dataclass(frozen=True)
class Origin:
    """A finished generator to go on from (Wang et al. 2018, "Transferring GANs").

    Attributes:
        name: for messages.
        card: of the generator file.
        generator: its weights.
        discriminator: of the same run's last checkpoint; empty where only the generator file is at hand.
    """

    name: str
    card: GeneratorCard
    generator: dict[str, Tensor]
    discriminator: dict[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> "Origin":
        """A generator file; the discriminator too, where it lies in the folder of its run.

        Raises:
            DataError: the file is missing, truncated, or something else than a generator.
        """
        generator, card = load_generator(path)
        beside = path.parent / "checkpoints" / "last.safetensors"
        discriminator = {}
        if beside.is_file():
            try:
                with safe_open(beside, framework="pt") as file:
                    names = [n for n in file.keys() if n.startswith("discriminator.")]  # noqa: SIM118
                    discriminator = {n.removeprefix("discriminator."): file.get_tensor(n) for n in names}
            except (OSError, SafetensorError) as error:
                raise DataError(f"{beside}: expected a checkpoint, could not read it: {error}") from None
        return cls(str(path), card, generator.state_dict(), discriminator)

    def recipe(self, config: GANConfig) -> GANConfig:
        """The configuration with the network that the weights fit.

        Another architecture than the configuration's keeps the learning rates it was trained with: those of
        the light pair are twenty times what a residual network tolerates.
        """
        steps = {name: self.card.config[name] for name in LEARNING_RATES if name in self.card.config}
        return replace(
            config,
            architecture=self.card.architecture,
            width=self.card.size["width"],
            latent_dim=self.card.size["latent_dim"],
            noise_from=self.card.size.get("noise_from", config.noise_from),
            **steps if self.card.architecture != config.architecture else {},
        )

    def refuse_misfit(self, images: LabeledImages, config: GANConfig) -> None:
        """Raise `UsageError` for images of another size or number of channels, or another network."""
        channels, side, _ = images.image_shape
        size = {"image_size": side, "channels": channels}
        mine = size | {"width": config.width, "latent_dim": config.latent_dim}
        differ = [
            f"{name} {self.card.size[name]} there, {mine[name]} here"
            for name in mine
            if mine[name] != self.card.size[name]
        ]
        if self.card.architecture != config.architecture:
            differ.insert(0, f"architecture {self.card.architecture} there, {config.architecture} here")
        if differ:
            raise UsageError(f"--init-from {self.name}: {'; '.join(differ)}: expected the same")

    def load_into(self, training: "GANTraining") -> None:
        """Copy the weights into a training's networks.

        Raises:
            UsageError: see `refuse_misfit`.
        """
        self.refuse_misfit(training.images, training.config)
        ours = {name.lower(): label for label, name in enumerate(training.images.class_names)}
        pairs = [
            (theirs, ours[name.lower()])
            for theirs, name in enumerate(self.card.class_names)
            if name.lower() in ours
        ]
        for network in (training.generator.module, training.ema):
            _take_over(network, self.generator, _class_axes(training, "generator"), pairs)
        if self.discriminator:
            network = training.discriminator.module
            axes = _class_axes(training, "discriminator")
            if _fits(network.state_dict(), self.discriminator, axes):
                _take_over(network, self.discriminator, axes, pairs)


def _class_axes(training: "GANTraining", which: str) -> dict[str, int]:
    """Tensor name -> the axis that grows when a class is added; its last K entries are the classes."""
    network = getattr(training, which).module
    family = architecture(training.config.architecture)
    if which == "generator":
        size = {name: value for name, value in network.size.items() if name != "num_classes"}
    else:
        names = ("image_size", "channels", "width", "norm", "spectral")
        size = {name: getattr(network, name) for name in names}
    with torch.random.fork_rng(devices=[]):
        shapes = [
            {
                name: tensor.shape
                for name, tensor in getattr(family, which)(num_classes=k, **size).state_dict().items()
            }
            for k in (2, 3)
        ]
    return {
        name: axis
        for name, shape in shapes[0].items()
        for axis in range(len(shape))
        if shape[axis] != shapes[1][name][axis] and not _is_power_iteration(name)
    }


def _fits(ours: dict[str, Tensor], theirs: dict[str, Tensor], axes: dict[str, int]) -> bool:
    """Whether both state dicts are of one network up to the number of classes and the image statistics."""
    names, others = ({n for n in tensors if not _is_statistic(n)} for tensors in (ours, theirs))
    return names == others and all(
        ours[name].shape == theirs[name].shape or name in axes or _is_power_iteration(name) for name in names
    )


def _is_statistic(name: str) -> bool:
    """Statistics of the images that a network was built for."""
    return name.startswith("statistics.")


def _is_power_iteration(name: str) -> bool:
    """The power-iteration vectors of spectral norm, which converge again within a few steps."""
    return name.endswith(("0._u", "0._v"))


@torch.no_grad()
def _take_over(
    network: ConditionalGenerator | ConditionalDiscriminator,
    theirs: dict[str, Tensor],
    axes: dict[str, int],
    pairs: list[tuple[int, int]],
) -> None:
    """Copy tensors; along a class axis, entry by entry as `pairs` of (their label, our label) say."""
    for name, ours in network.state_dict().items():
        if _is_statistic(name):
            continue  # of the new images in both networks
        if name not in theirs:
            continue  # noise, which the other generator was without, starts with strength 0
        source = theirs[name].to(ours.device)
        axis = axes.get(name)
        if axis is None:
            if ours.shape == source.shape:
                ours.copy_(source)
            continue
        # everything before the classes (a latent, colours) is as many on both sides
        mine, other = ours.movedim(axis, 0), source.movedim(axis, 0)
        before = len(mine) - network.num_classes
        classes_there = other[before:]
        mine[:before] = other[:before]
        mine[before:] = classes_there.mean(dim=0)
        for their_label, our_label in pairs:
            mine[before + our_label] = classes_there[their_label]
