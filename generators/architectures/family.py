"""What all generator/discriminator families have in common: two interfaces, and the label's encoding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from synthaug.augment.errors import UsageError

UNKNOWN = -1  # the label of an image of unknown class


class GeneratorSize(TypedDict):
    """The arguments of every generator, see `ConditionalGenerator`."""

    num_classes: int
    image_size: int
    channels: int
    latent_dim: int
    width: int


class DiscriminatorSize(TypedDict):
    """The arguments of every discriminator, see `ConditionalDiscriminator`."""

    num_classes: int
    image_size: int
    channels: int
    width: int
    norm: str
    spectral: bool


class ConditionalGenerator(nn.Module):
    """(latents (N, Z + M) standard normal, labels (N,) int64) -> images (N, C, H, W) in [-1, 1].

    The first Z numbers are the latent; the other M, in families that take noise, are its pixels.

    Args:
        num_classes: how many labels there are.
        image_size: side in pixels.
        channels: 1 (grey) or 3 (RGB).
        latent_dim: Z.
        width: what the family scales its feature maps by; parameters and time grow with its square.
    """

    def __init__(self, *, num_classes: int, image_size: int, channels: int, latent_dim: int, width: int):
        super().__init__()
        self.num_classes, self.image_size, self.channels = num_classes, image_size, channels
        self.latent_dim, self.width = latent_dim, width

    @property
    def input_dim(self) -> int:
        """Z + M."""
        return self.latent_dim

    @property
    def size(self) -> dict[str, int]:
        """The arguments that build this network again."""
        names = ("num_classes", "image_size", "channels", "latent_dim", "width")
        return {name: getattr(self, name) for name in names}

    def grow(self, progress: float) -> None:
        """Adapt to the fraction of the training that is done, 0 to 1 (progressive growing)."""

    def fit_class_statistics(self, images_of_class: Sequence[Tensor]) -> None:
        """Store statistics of the real images of each class, (N, C, H, W) in [-1, 1]."""


class ConditionalDiscriminator(nn.Module):
    """(images (N, C, H, W) in [-1, 1], labels (N,) int64) -> logits (N,); any real number (a critic's score).

    A label of `UNKNOWN` asks for the unconditional logit: is this an image of the data set at all?

    Args:
        norm: what normalises the feature maps: a key of `NORMS`.
        spectral: constrain the layers below the output to spectral norm 1 (Miyato et al. 2018).
    """

    def __init__(
        self, *, num_classes: int, image_size: int, channels: int, width: int, norm: str, spectral: bool
    ):
        super().__init__()
        self.num_classes, self.image_size, self.channels, self.width = (
            num_classes,
            image_size,
            channels,
            width,
        )
        self.norm, self.spectral = norm, spectral

    @property
    def depends_on_batch(self) -> bool:
        """Whether logits depend on the batch: real and fake images must then be in separate batches."""
        return self.norm == "batch"

    def prepare(self, images: Tensor, labels: Tensor) -> Tensor:
        """Input of `forward` for images (N, C, H, W) in [-1, 1]: the identity in most families.

        Augmentation and gradient penalties act on its output.
        """
        return images

    def grow(self, progress: float) -> None:
        """As for the generator."""

    def fit_class_statistics(self, images_of_class: Sequence[Tensor]) -> None:
        """As for the generator."""


@dataclass(frozen=True)
class Architecture:
    """A family by name.

    Attributes:
        generator: builds the generator from the arguments of `ConditionalGenerator`.
        discriminator: builds the discriminator from the arguments of `ConditionalDiscriminator`.
        paper: that it follows.
        label: how the class enters, where the published network has none.
        options: fields of `GANConfig` that its generator takes besides those of `ConditionalGenerator`.
        norms: keys of `NORMS` that its discriminator can carry, the published one first.
        spectral: whether the published discriminator is under spectral norm.
        size_step: the side of an image is a multiple of this.
        refuses: objectives that it cannot be trained with, and why.
    """

    generator: Callable[..., ConditionalGenerator]
    discriminator: Callable[..., ConditionalDiscriminator]
    paper: str
    label: str
    norms: tuple[str, ...]
    spectral: bool = False
    size_step: int = 4
    options: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "layer": lambda channels: nn.GroupNorm(1, channels),  # over (C, H, W), each image by itself
}


def halvings(image_size: int, smallest: int = 4) -> list[int]:
    """Sides from the smallest feature map to the image: 64 -> [4, 8, 16, 32, 64]; 28 -> [7, 14, 28]."""
    sides = [image_size]
    while sides[0] % 2 == 0 and sides[0] >= 2 * smallest:
        sides.insert(0, sides[0] // 2)
    return sides


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(N,) int64 -> (N, K) float32; a row of zeros where the label is `UNKNOWN`."""
    known = (labels != UNKNOWN).unsqueeze(1)
    return F.one_hot(labels.clamp(min=0), num_classes).float() * known


def with_label(latents: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """(N, Z), (N,) -> (N, Z + K): the label beside the latent (Mirza & Osindero 2014)."""
    return torch.cat([latents, one_hot(labels, num_classes).to(latents.dtype)], dim=1)


def with_label_planes(images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """(N, C, H, W), (N,) -> (N, C + K, H, W): one plane for each class, of ones for the image's own."""
    planes = one_hot(labels, num_classes).to(images.dtype)[:, :, None, None]
    return torch.cat([images, planes.expand(-1, -1, *images.shape[-2:])], dim=1)


def constrain(network: nn.Module, spectral: bool) -> None:
    """Put every convolution and linear layer of a (part of a) discriminator under spectral norm, if asked."""
    for module in list(network.modules()) if spectral else []:
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)


def normal_weights(network: nn.Module, deviation: float = 0.02) -> None:
    """DCGAN's initial weights: N(0, 0.02²), scales of norms N(1, 0.02²), no bias (Radford et al. 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, deviation)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d | nn.GroupNorm) and module.affine:
            nn.init.normal_(module.weight, 1.0, deviation)
        if getattr(module, "bias", None) is not None and isinstance(module.bias, Tensor):
            nn.init.zeros_(module.bias)


def check_size(name: str, architecture: Architecture, image_size: int) -> None:
    """Raise `UsageError` for a side that the family cannot make."""
    if image_size % architecture.size_step or image_size < 8:
        raise UsageError(
            f"{name}: {image_size} px, expected a multiple of {architecture.size_step} from 8 px, add --size"
        )
