"""The light pair, the default: small networks for a high number of updates per second.

At equal time on a CPU, more updates of shallow networks beat fewer of deep residual ones. The generator has
one convolution per resolution, its norms scaled and shifted by class and latent (Chen et al. 2019); the
discriminator folds patches into channels, so that it convolves nothing at the highest resolution, and takes
the label by projection (Miyato & Koyama 2018).

Both contain the mean and the standard deviation of every class (`statistics`): the generator's output is
scaled by them, the discriminator sees images standardised by them, with fine detail amplified where a class
has little of it. A class of low contrast, such as CT with most grey levels clipped, then has gradients as
large as a class of high contrast.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthaug.generators.architectures.family import (
    UNKNOWN,
    Architecture,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DiscriminatorSize,
    GeneratorSize,
    constrain,
    halvings,
)
from synthaug.generators.architectures.statistics import DetailStatistics, Statistics, WindowStatistics

EMBEDDED = 32  # dimensions of the class embedding
PATCH = 2  # px; side of the patches that the discriminator folds into channels


class SelfModulatedNorm(nn.Module):
    """Batch norm whose scale and shift are linear in a condition; initially the identity."""

    def __init__(self, channels: int, condition_dim: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale_shift = nn.Linear(condition_dim, 2 * channels)

    def init_identity(self) -> None:
        """Scale 1 and shift 0, whatever the condition."""
        nn.init.zeros_(self.scale_shift.weight)
        nn.init.zeros_(self.scale_shift.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, C, H, W) normalised, then scaled and shifted by linear functions of `condition` (N, D)."""
        h = self.norm(x)
        scale, shift = self.scale_shift(condition)[:, :, None, None].to(h.dtype).chunk(2, dim=1)
        return torch.addcmul(shift, h, 1 + scale)


class NoisePlane(nn.Module):
    """Adds one plane of noise to all feature maps, its strength linear in a condition and zero at first.

    As in StyleGAN (Karras et al. 2019), but with a strength for each latent: grain is a property of some
    images of a class, such as noisy CT slices.
    """

    def __init__(self, channels: int, condition_dim: int, side: int):
        super().__init__()
        self.side = side
        self.strength = nn.Linear(condition_dim, channels)

    def init_identity(self) -> None:
        """Strength 0, whatever the condition."""
        nn.init.zeros_(self.strength.weight)
        nn.init.zeros_(self.strength.bias)

    def forward(self, x: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """(N, C, H, W) plus noise (N, H · W) by what `condition` (N, D) says."""
        strength = self.strength(condition)[:, :, None, None].to(x.dtype)
        return torch.addcmul(x, strength, noise.view(-1, 1, self.side, self.side).to(x.dtype))


class UpsamplingConv(nn.Conv2d):
    """Nearest-neighbour upsampling by 2, then a 3×3 convolution: no checkerboard (Odena et al. 2016).

    Computed as the equivalent transposed 4×4 convolution, whose weights are sums of the nine: 4 products per
    pixel instead of 9.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(channels_in, channels_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', 2 H, 2 W)."""
        nine = self.weight.flip(2, 3).transpose(0, 1)  # (C, C', 3, 3)
        sixteen = torch.stack([F.pad(nine, (a, 1 - a, b, 1 - b)) for a in (0, 1) for b in (0, 1)]).sum(dim=0)
        return F.conv_transpose2d(x, sixteen, self.bias, stride=2, padding=1)


class LightGenerator(ConditionalGenerator):
    """`width` is the number of feature maps at the two highest resolutions; it doubles below, up to 4 ×.

    Args:
        window_floor: bound classes from below, see `WindowStatistics`.
        noise_from: side in pixels of the first feature maps that get noise, see `NoisePlane`; 0: none.
        size: of `ConditionalGenerator`.
    """

    def __init__(self, *, window_floor: bool = False, noise_from: int = 0, **size: Unpack[GeneratorSize]):
        super().__init__(**size)
        self.window_floor, self.noise_from = window_floor, noise_from
        sides = halvings(self.image_size)
        maps = [
            min(4 * self.width, max(self.width, self.width * self.image_size // (2 * side))) for side in sides
        ]
        condition_dim = self.latent_dim + EMBEDDED
        self.statistics = WindowStatistics(self.num_classes) if window_floor else Statistics(self.num_classes)
        self.embed = nn.Embedding(self.num_classes, EMBEDDED)
        self.stem = nn.Linear(condition_dim, maps[0] * sides[0] ** 2)
        self.first_shape = (maps[0], sides[0], sides[0])
        self.norms = nn.ModuleList(SelfModulatedNorm(c, condition_dim) for c in maps)
        self.convs = nn.ModuleList(UpsamplingConv(a, b) for a, b in pairwise(maps))
        self.to_image = nn.Conv2d(maps[-1], self.channels, 3, padding=1)
        self.noise_sides = {str(k): side for k, side in enumerate(sides) if 0 < noise_from <= side}
        self.noises = nn.ModuleDict(
            {k: NoisePlane(maps[int(k)], condition_dim, side) for k, side in self.noise_sides.items()}
        )
        glorot_weights(self)

    @property
    def input_dim(self) -> int:
        """Z + M: a latent, then a plane of noise for each side from `noise_from`."""
        return self.latent_dim + sum(side**2 for side in self.noise_sides.values())

    @property
    def size(self) -> dict[str, int]:
        """As in every family, and the two options where they are on."""
        options = {"window_floor": self.window_floor, "noise_from": self.noise_from}
        return super().size | {name: value for name, value in options.items() if value}

    def fit_class_statistics(self, images_of_class: Sequence[Tensor]) -> None:
        """Keep the statistics of each class."""
        self.statistics.fit(images_of_class)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z + M) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1]."""
        pixels = [side**2 for side in self.noise_sides.values()]
        latents, *noise = torch.split(latents, [self.latent_dim, *pixels], dim=1)
        planes = dict(zip(self.noise_sides, noise, strict=True))
        condition = torch.cat([latents, self.embed(labels)], dim=1)  # (N, Z + 32)
        h = self.stem(condition).view(-1, *self.first_shape)
        h = h.contiguous(memory_format=torch.channels_last)
        for k, norm in enumerate(self.norms):
            h = norm(h, condition)
            if str(k) in planes:
                h = self.noises[str(k)](h, planes[str(k)], condition)
            h = F.relu(h)
            h = self.convs[k](h) if k < len(self.convs) else self.to_image(h)
        mean, deviation = self.statistics.of(labels)
        images = torch.tanh(torch.atanh(mean) + deviation * h.float())
        return self.statistics.bounded(images, labels)


class LightDiscriminator(ConditionalDiscriminator):
    """`width` is the number of feature maps after the patches, doubling as the side halves, up to 8 ×."""

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        super().__init__(**size)
        sides = [self.image_size // PATCH]
        while sides[-1] > 4:
            sides.append((sides[-1] + 1) // 2)
        maps = [self.width * min(8, 2**k) for k in range(len(sides))]
        self.statistics = DetailStatistics(self.num_classes)
        self.patches = nn.PixelUnshuffle(PATCH)
        self.stem = nn.Conv2d(PATCH**2 * self.channels, maps[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(maps))
        glorot_weights(self)
        constrain(self, self.spectral)
        features = maps[-1] * sides[-1] ** 2
        self.score = nn.Linear(features, 1)
        self.embed = nn.Embedding(self.num_classes, features)
        glorot_weights(self.score)

    def fit_class_statistics(self, images_of_class: Sequence[Tensor]) -> None:
        """Keep the statistics of each class."""
        self.statistics.fit(images_of_class)

    def prepare(self, images: Tensor, labels: Tensor) -> Tensor:
        """Standardised by the statistics of their class, fine detail lifted."""
        return self.statistics.standardised(images, labels)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) as `prepare` gives them, (N,) int64 -> (N,) logits."""
        h = self.patches(images).contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.stem(h), 0.2)
        for down in self.downs:
            h = F.pad(h, (0, h.shape[-1] % 2, 0, h.shape[-2] % 2))  # odd sides (7 px) get one more
            h = F.leaky_relu(down(h), 0.2)
        with torch.autocast(h.device.type, enabled=False):  # sums of thousands
            phi = h.flatten(1).float()  # (N, features); keeps where things are: anatomy has a place
            of_class = (self.embed(labels.clamp(min=0)) * phi).sum(dim=1) / phi.shape[1] ** 0.5
            logits: Tensor = self.score(phi).squeeze(1) + of_class * (labels != UNKNOWN)
        return logits


def glorot_weights(network: nn.Module) -> None:
    """Glorot's uniform initial weights, no bias; embeddings stay standard normal."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, SelfModulatedNorm | NoisePlane):
            module.init_identity()


ARCHITECTURE = Architecture(
    generator=LightGenerator,
    discriminator=LightDiscriminator,
    paper="ours, after Chen et al. 2019 (self-modulation) and Miyato & Koyama 2018 (projection)",
    label="class and latent scale and shift every norm; standardised pixels; projection in the discriminator",
    norms=("none",),
    options=("window_floor", "noise_from"),
)
