"""Residual conditional GAN: upsampling generator with conditional batch norm, projection discriminator.

Generator blocks after Miyato et al. 2018 (SNGAN), conditioned by class *and* latent in every layer
(Chen et al. 2019, self-modulation). Nearest-neighbour upsampling followed by a convolution, since
transposed convolutions leave checkerboards (Odena et al. 2016). The discriminator takes the label by
projection (Miyato & Koyama 2018) and carries no normalisation of its own, so that the same network serves
WGAN-GP as it is and hinge under spectral normalisation.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from synthaug.generators.architectures.family import (
    UNKNOWN,
    Architecture,
    ConditionalDiscriminator,
    ConditionalGenerator,
    halvings,
)


def channels_at(resolution: int, width: int) -> int:
    """Feature maps at a resolution: `width` at 64 px, doubling as the side halves, at most 4 × `width`."""
    return int(min(4 * width, width * max(1.0, 64 / resolution)))


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose scale and shift are a linear function of a condition (de Vries et al. 2017)."""

    def __init__(self, channels: int, condition_dim: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale_shift = nn.Linear(condition_dim, 2 * channels)
        nn.init.zeros_(self.scale_shift.weight)
        nn.init.zeros_(self.scale_shift.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, C, H, W) normalised, then scaled and shifted by what `condition` (N, D) says."""
        scale, shift = self.scale_shift(condition)[:, :, None, None].chunk(2, dim=1)
        normalised: Tensor = self.norm(x) * (1 + scale) + shift
        return normalised


class GeneratorBlock(nn.Module):
    """Residual block that doubles the side."""

    def __init__(self, c_in: int, c_out: int, condition_dim: int):
        super().__init__()
        self.norm1 = ConditionalBatchNorm2d(c_in, condition_dim)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = ConditionalBatchNorm2d(c_out, condition_dim)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.skip = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, c_in, H, W), (N, D) -> (N, c_out, 2H, 2W)."""
        h = F.interpolate(F.relu(self.norm1(x, condition)), scale_factor=2)
        h = self.conv2(F.relu(self.norm2(self.conv1(h), condition)))
        residual: Tensor = h + F.interpolate(self.skip(x), scale_factor=2)  # 1x1 is cheaper before upsampling
        return residual


class ResidualGenerator(ConditionalGenerator):
    """`width` is the number of feature maps at 64 px."""

    def __init__(
        self, *, num_classes: int, image_size: int, channels: int, latent_dim: int = 128, width: int = 32
    ):
        super().__init__(
            num_classes=num_classes,
            image_size=image_size,
            channels=channels,
            latent_dim=latent_dim,
            width=width,
        )
        sides = halvings(image_size)
        maps = [channels_at(side, width) for side in sides]
        condition_dim = latent_dim + 32
        self.embed = nn.Embedding(num_classes, 32)
        self.stem = nn.Linear(condition_dim, maps[0] * sides[0] ** 2)
        self.blocks = nn.ModuleList(
            GeneratorBlock(c_in, c_out, condition_dim) for c_in, c_out in pairwise(maps)
        )
        self.last_norm = nn.BatchNorm2d(maps[-1])
        self.to_image = nn.Conv2d(maps[-1], channels, 3, padding=1)
        self.first_shape = (maps[0], sides[0], sides[0])

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1]."""
        condition = torch.cat([latents, self.embed(labels)], dim=1)  # (N, Z + 32)
        h = self.stem(condition).view(-1, *self.first_shape)
        h = h.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            h = block(h, condition)
        images: Tensor = torch.tanh(self.to_image(F.relu(self.last_norm(h))))
        return images


class DiscriminatorBlock(nn.Module):
    """Residual block that halves the side (rounding up): one strided convolution, half the cost of two."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 4, stride=2, padding=1)
        self.skip = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, ceil(H / 2), ceil(W / 2))."""
        x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))  # odd sides (7 px) get one more row and column
        residual: Tensor = self.conv(F.leaky_relu(x, 0.2)) + self.skip(F.avg_pool2d(x, 2))
        return residual


class ProjectionDiscriminator(ConditionalDiscriminator):
    """`width` is the number of feature maps at 64 px."""

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int,
        channels: int,
        width: int = 32,
        norm: str = "none",
        spectral: bool,
    ):
        super().__init__(
            num_classes=num_classes,
            image_size=image_size,
            channels=channels,
            width=width,
            norm=norm,
            spectral=spectral,
        )
        sides = [image_size]
        while sides[-1] > 4:
            sides.append((sides[-1] + 1) // 2)
        maps = [channels_at(side, width) for side in sides]
        self.from_image = nn.Conv2d(channels, maps[0], 3, padding=1)
        self.blocks = nn.ModuleList(DiscriminatorBlock(c_in, c_out) for c_in, c_out in pairwise(maps))
        features = 4 * maps[-1]
        self.features = nn.Linear(
            maps[-1] * sides[-1] ** 2, features
        )  # keeps where things are: anatomy has a place
        self.score = nn.Linear(features, 1)
        self.embed = nn.Embedding(num_classes, features)
        if spectral:
            # The two output layers stay free: under norm 1 too, logits never reach the hinge's margin.
            for module in [m for m in self.modules() if isinstance(m, nn.Conv2d)] + [self.features]:
                spectral_norm(module)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        h = self.from_image(images.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h)
        phi = F.leaky_relu(self.features(F.leaky_relu(h, 0.2).flatten(1)), 0.2)  # (N, features)
        of_class = self.embed(labels.clamp(min=0)) * (labels != UNKNOWN).unsqueeze(1)  # (N, features)
        logits: Tensor = self.score(phi).squeeze(1) + (of_class * phi).sum(dim=1)
        return logits


ARCHITECTURE = Architecture(
    generator=ResidualGenerator,
    discriminator=ProjectionDiscriminator,
    paper="Miyato et al. 2018; Miyato & Koyama 2018",
    label="class and latent scale and shift every norm; projection in the discriminator",
    norms=("none",),
)
