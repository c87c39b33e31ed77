"""SNDCGAN: DCGAN's generator against a spectrally normalised discriminator (Miyato et al. 2018).

With 128 px and three channels, the form that MedGAN-like projects use for skin lesions and lung CT.
"""

from typing import Unpack

import torch
from torch import Tensor, nn

from synthaug.generators.architectures.dcgan import DCGANGenerator
from synthaug.generators.architectures.family import (
    Architecture,
    ConditionalDiscriminator,
    DiscriminatorSize,
    constrain,
    halvings,
    normal_weights,
    with_label_planes,
)


class SNDCGANDiscriminator(ConditionalDiscriminator):
    """Pairs of a 3×3 convolution and a 4×4 strided one, leaky ReLU 0.1, no norm of the feature maps.

    The paper's table 3: `width` maps at full side, doubling as the side halves, at most 8 × `width`.
    Published width: 64 (64, 128, 256, 512). The linear layer to the logit stays free of the spectral norm,
    as in all our families; the paper holds it too.
    """

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        super().__init__(**size)
        sides = halvings(self.image_size)
        maps = [self.width * min(2**k, 8) for k in range(len(sides))]
        c_in, layers = self.channels + self.num_classes, []
        for c in maps[:-1]:
            layers += [nn.Conv2d(c_in, c, 3, padding=1), nn.LeakyReLU(0.1)]
            layers += [nn.Conv2d(c, c, 4, stride=2, padding=1), nn.LeakyReLU(0.1)]
            c_in = c
        layers += [nn.Conv2d(c_in, maps[-1], 3, padding=1), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(maps[-1] * sides[0] ** 2, 1)
        normal_weights(self)
        constrain(self.layers, self.spectral)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        h = with_label_planes(images, labels, self.num_classes)
        h = self.layers(h.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.score(h.flatten(1)).squeeze(1)
        return logits


ARCHITECTURE = Architecture(
    generator=DCGANGenerator,
    discriminator=SNDCGANDiscriminator,
    paper="Miyato et al. 2018, Spectral normalization for generative adversarial networks",
    label="one-hot beside the latent, one plane per class beside the image (Mirza & Osindero 2014)",
    norms=("none",),
    spectral=True,
)
