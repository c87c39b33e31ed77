"""Progressive growing: both networks start at 4×4 and fade in one doubling of the side after the other.

Karras et al. 2018, with a final tanh (theirs is linear and clipped when an image is saved) and the batch
statistic over the whole batch, as in the paper's text. Images have their full side at every stage: the
generator enlarges what it made, the discriminator shrinks what it gets.
"""

import math
from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthaug.generators.architectures.family import (
    Architecture,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DiscriminatorSize,
    GeneratorSize,
    constrain,
    halvings,
    with_label,
    with_label_planes,
)

LEAKY_GAIN = math.sqrt(2)  # He et al. 2015


class ProgressiveGenerator(ConditionalGenerator):
    """Nearest up-sampling and two 3×3 convolutions per stage, leaky ReLU and pixel norm after each.

    `width` feature maps at 128 px, doubling as the side halves, at most 4 × `width`. Published width: 128
    (512 maps up to 32 px, 256 at 64 px, 128 at 128 px), with a `latent_dim` of 512.
    """

    progress: Tensor

    def __init__(self, **size: Unpack[GeneratorSize]):
        super().__init__(**size)
        self.sides = halvings(self.image_size)
        maps, first_side = [maps_at(side, self.width) for side in self.sides], self.sides[0]
        self.first_shape = (maps[0], first_side, first_side)
        self.norm = PixelNorm()
        first_values, gain = math.prod(self.first_shape), LEAKY_GAIN / first_side
        self.stem = EqualisedLinear(self.latent_dim + self.num_classes, first_values, gain)
        self.first = nn.Sequential(nn.LeakyReLU(0.2), PixelNorm(), *convolution(maps[0], maps[0]))
        self.blocks = nn.ModuleList(
            nn.Sequential(*convolution(c_in, c_out), *convolution(c_out, c_out))
            for c_in, c_out in pairwise(maps)
        )
        self.to_image = nn.ModuleList(EqualisedConv2d(c, self.channels, 1, gain=1.0) for c in maps)
        self.register_buffer("progress", torch.ones(()))  # saved with the weights; fresh: full grown

    def grow(self, progress: float) -> None:
        """Set the fraction of the training that is done, 0 to 1: see `stage_at`."""
        self.progress.fill_(progress)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1], of blocks before the last stage."""
        stage, alpha = stage_at(float(self.progress), len(self.sides))
        h = self.stem(self.norm(with_label(latents, labels, self.num_classes))).view(-1, *self.first_shape)
        h = before = self.first(h.contiguous(memory_format=torch.channels_last))
        for block in self.blocks[:stage]:
            before = F.interpolate(h, scale_factor=2)
            h = block(before)
        images = self.to_image[stage](h)
        if alpha < 1:  # 1×1 convolutions and nearest up-sampling commute
            images = torch.lerp(self.to_image[stage - 1](before), images, alpha)
        return F.interpolate(torch.tanh(images), scale_factor=self.image_size // self.sides[stage])


class ProgressiveDiscriminator(ConditionalDiscriminator):
    """The generator's mirror: two 3×3 convolutions per stage, leaky ReLU, average pooling; batch statistic.

    Feature maps as in the generator. Published width: 128.
    """

    progress: Tensor

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        super().__init__(**size)
        self.sides = halvings(self.image_size)
        maps, last_side = [maps_at(side, self.width) for side in self.sides], self.sides[0]
        self.from_image = nn.ModuleList(EqualisedConv2d(self.channels + self.num_classes, c, 1) for c in maps)
        self.blocks = nn.ModuleList(
            nn.Sequential(*convolution(c, c, norm=False), *convolution(c, c_below, norm=False))
            for c_below, c in pairwise(maps)
        )
        self.last = nn.Sequential(
            *convolution(maps[0] + 1, maps[0], norm=False),
            nn.Flatten(),
            EqualisedLinear(maps[0] * last_side**2, maps[0]),
            nn.LeakyReLU(0.2),
        )
        constrain(self, self.spectral)
        for layer in self.modules() if self.spectral else []:
            if isinstance(layer, EqualisedConv2d | EqualisedLinear):
                layer.scale = 1.0  # the spectral norm is the scale
        self.score = EqualisedLinear(maps[0], 1, gain=1.0)
        self.register_buffer("progress", torch.ones(()))

    @property
    def depends_on_batch(self) -> bool:
        """Always: how much the images of a batch differ is what the batch statistic tells."""
        return True

    def grow(self, progress: float) -> None:
        """Set the fraction of the training that is done, 0 to 1: see `stage_at`."""
        self.progress.fill_(progress)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        stage, alpha = stage_at(float(self.progress), len(self.sides))
        h = self._maps_from(images, labels, stage)
        for level in range(stage, 0, -1):
            h = F.avg_pool2d(self.blocks[level - 1](h), 2)
            if level == stage and alpha < 1:
                h = torch.lerp(self._maps_from(images, labels, stage - 1), h, alpha)
        logits: Tensor = self.score(self.last(with_batch_deviation(h))).squeeze(1)
        return logits

    def _maps_from(self, images: Tensor, labels: Tensor, stage: int) -> Tensor:
        """(N, C, H, W) -> feature maps at the side of a stage."""
        shrunk = F.avg_pool2d(images, self.image_size // self.sides[stage])
        shrunk = with_label_planes(shrunk, labels, self.num_classes)
        shrunk = shrunk.contiguous(memory_format=torch.channels_last)
        return F.leaky_relu(self.from_image[stage](shrunk), 0.2)


class EqualisedConv2d(nn.Conv2d):
    """Convolution of weights N(0, 1), scaled by He's constant at run time: all learn at the same rate."""

    def __init__(self, c_in: int, c_out: int, kernel_size: int, gain: float = LEAKY_GAIN):
        super().__init__(c_in, c_out, kernel_size, padding=kernel_size // 2)
        self.scale = gain / math.sqrt(c_in * kernel_size**2)
        unit_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        maps: Tensor = self._conv_forward(x, self.weight * self.scale, self.bias)
        return maps


class EqualisedLinear(nn.Linear):
    """The same for a fully connected layer."""

    def __init__(self, n_in: int, n_out: int, gain: float = LEAKY_GAIN):
        super().__init__(n_in, n_out)
        self.scale = gain / math.sqrt(n_in)
        unit_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in) -> (N, n_out)."""
        return F.linear(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """Scales the features of each pixel to a mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> the same shape."""
        mean_square = x.float().square().mean(dim=1, keepdim=True)  # half precision would lose the 1e-8
        return x * torch.rsqrt(mean_square + 1e-8).to(x.dtype)


def convolution(c_in: int, c_out: int, norm: bool = True) -> list[nn.Module]:
    """A 3×3 convolution and what follows it: leaky ReLU, and in the generator pixel norm."""
    after = [nn.LeakyReLU(0.2), PixelNorm()] if norm else [nn.LeakyReLU(0.2)]
    return [EqualisedConv2d(c_in, c_out, 3), *after]


def stage_at(progress: float, stages: int) -> tuple[int, float]:
    """Share of the training -> (stage, how far it has faded in, 0 to 1).

    The training is divided equally among the stages; each but the first fades in during its first half.
    At a border the new stage weighs nothing, so it does not matter to which side rounding takes a progress.
    """
    position = progress * stages
    stage = min(int(position), stages - 1)
    return stage, min(1.0, 2 * (position - stage)) if stage else 1.0


def maps_at(side: int, width: int) -> int:
    """Feature maps at a side: `width` at 128 px, doubling as the side halves, at most 4 × `width`."""
    return max(1, min(4 * width, width * 128 // side))


def with_batch_deviation(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C + 1, H, W): one map of the features' mean standard deviation over the batch."""
    deviation = torch.sqrt(x.float().var(dim=0, correction=0) + 1e-8).mean().to(x.dtype)
    return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)


def unit_weights(layer: nn.Conv2d | nn.Linear) -> None:
    """Initial weights N(0, 1), no bias."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


ARCHITECTURE = Architecture(
    generator=ProgressiveGenerator,
    discriminator=ProgressiveDiscriminator,
    paper="Karras et al. 2018, Progressive growing of GANs for improved quality, stability and variation",
    label="one-hot beside the latent, before its pixel norm; one plane per class at every from-image layer",
    norms=("none",),
    refuses={
        "wgan": "clipping to ± 0.01 erases a critic whose weights are held near unit variance; use wgan-gp"
    },
)
