"""The vanilla GAN's fully connected pair: every pixel at once, no idea of neighbourhood.

The paper gives no layer sizes; these are the ones that the field's baselines use: 100-128-256-512-784
against 784-512-256-1 for 28 px grey, and the same hidden layers between other ends for other images.
"""

import math
from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor, nn

from synthaug.generators.architectures.family import (
    Architecture,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DiscriminatorSize,
    GeneratorSize,
    constrain,
    one_hot,
    with_label,
)


class MLPGenerator(ConditionalGenerator):
    """Linear layers with batch norm (not after the first) and leaky ReLU, tanh at the end.

    Hidden layers of 1, 2 and 4 × `width`; published width: 128, with a `latent_dim` of 100.
    """

    def __init__(self, **size: Unpack[GeneratorSize]):
        super().__init__(**size)
        self.shape = (self.channels, self.image_size, self.image_size)
        layers = [nn.Linear(self.latent_dim + self.num_classes, self.width), nn.LeakyReLU(0.2)]
        for n_in, n_out in pairwise((self.width, 2 * self.width, 4 * self.width)):
            layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(4 * self.width, math.prod(self.shape)), nn.Tanh())

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1]."""
        images: Tensor = self.layers(with_label(latents, labels, self.num_classes))
        return images.view(-1, *self.shape)


class MLPDiscriminator(ConditionalDiscriminator):
    """Linear layers with leaky ReLU, no norm. Hidden layers of 4 and 2 × `width`; published width: 128."""

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        super().__init__(**size)
        sizes = (self.channels * self.image_size**2 + self.num_classes, 4 * self.width, 2 * self.width)
        hidden = [layer for size in pairwise(sizes) for layer in (nn.Linear(*size), nn.LeakyReLU(0.2))]
        self.hidden = nn.Sequential(*hidden)
        self.score = nn.Linear(2 * self.width, 1)
        constrain(self.hidden, self.spectral)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        pixels = images.flatten(1)
        label = one_hot(labels, self.num_classes).to(pixels.dtype)
        logits: Tensor = self.score(self.hidden(torch.cat([pixels, label], dim=1))).squeeze(1)
        return logits


ARCHITECTURE = Architecture(
    generator=MLPGenerator,
    discriminator=MLPDiscriminator,
    paper="Goodfellow et al. 2014, Generative adversarial nets",
    label="one-hot beside the latent and beside the flattened pixels (Mirza & Osindero 2014)",
    norms=("none",),
)
