"""DCGAN: transposed convolutions up, strided convolutions down (Radford et al. 2015)."""

from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor, nn

from synthaug.generators.architectures.family import (
    NORMS,
    Architecture,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DiscriminatorSize,
    GeneratorSize,
    constrain,
    halvings,
    normal_weights,
    with_label,
    with_label_planes,
)


class DCGANGenerator(ConditionalGenerator):
    """4×4 transposed convolutions with batch norm and ReLU, tanh at the end.

    `width` feature maps at half the image's side, doubling as the side halves. Published width: 64 (512, 256,
    128 and 64 maps for 64 px), as in the authors' face model and every port since; the paper's figure for
    bedrooms has 128. The first layer makes 4×4, or what repeated halving of the side ends in: 7×7 for 28 px.
    """

    def __init__(self, **size: Unpack[GeneratorSize]):
        super().__init__(**size)
        first_side, maps = sides_and_maps(self.image_size, self.width)
        maps.reverse()  # most first
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(self.latent_dim + self.num_classes, maps[0], first_side, bias=False)
        ]
        for c_in, c_out in pairwise(maps):
            layers += [nn.BatchNorm2d(c_in), nn.ReLU()]
            layers += [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(maps[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(maps[-1], self.channels, 4, stride=2, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        normal_weights(self)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1]."""
        h = with_label(latents, labels, self.num_classes)[:, :, None, None]  # (N, Z + K, 1, 1)
        images: Tensor = self.layers(h.contiguous(memory_format=torch.channels_last))
        return images


class DCGANDiscriminator(ConditionalDiscriminator):
    """The generator's mirror: 4×4 strided convolutions, norm (not in the first layer), leaky ReLU 0.2.

    `width` feature maps at half the image's side, doubling as the side halves. Published width: 64.
    """

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        super().__init__(**size)
        last_side, maps = sides_and_maps(self.image_size, self.width)
        first = nn.Conv2d(self.channels + self.num_classes, self.width, 4, stride=2, padding=1)
        layers: list[nn.Module] = [first, nn.LeakyReLU(0.2)]
        for c_in, c_out in pairwise(maps):
            layers += [nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=self.norm == "none")]
            layers += [NORMS[self.norm](c_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Conv2d(maps[-1], 1, last_side)
        normal_weights(self)
        constrain(self.layers, self.spectral)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        h = with_label_planes(images, labels, self.num_classes)
        logits: Tensor = self.score(self.layers(h.contiguous(memory_format=torch.channels_last))).flatten()
        return logits


def sides_and_maps(image_size: int, width: int) -> tuple[int, list[int]]:
    """The smallest side, and the feature maps from half the image's side down to it."""
    sides = halvings(image_size)
    return sides[0], [width * 2**k for k in range(len(sides) - 1)]


ARCHITECTURE = Architecture(
    generator=DCGANGenerator,
    discriminator=DCGANDiscriminator,
    paper="Radford et al. 2015, Unsupervised representation learning with deep convolutional GANs",
    label="one-hot beside the latent, one plane per class beside the image (Mirza & Osindero 2014)",
    norms=("batch", "layer", "instance", "none"),
)
