"""The networks of MONAI's MedNIST GAN tutorial, built from MONAI's own blocks.

MONAI is imported where a network is built: it takes seconds, and listing the families should not.
"""

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
    halvings,
    normal_weights,
    with_label,
    with_label_planes,
)

MONAI_NORMS = {"instance": "INSTANCE", "layer": ("GROUP", {"num_groups": 1}), "none": None}


class MONAIGenerator(ConditionalGenerator):
    """Transposed 3×3 convolutions, each followed by a residual unit, sigmoid at the end.

    `width` feature maps in the last hidden layer, doubling as the side halves, down to 8×8 (7×7 for 28 px).
    Published width: 8, with a `latent_dim` of 64: (64, 8, 8), then 32, 16, 8 maps and a 64 px image.
    """

    def __init__(self, **size: Unpack[GeneratorSize]):
        from monai.networks.nets.generator import Generator

        super().__init__(**size)
        first_side, *larger = halvings(self.image_size, smallest=7)
        maps = [self.width * 2**k for k in reversed(range(len(larger)))]
        self.network = Generator(
            latent_shape=(self.latent_dim + self.num_classes,),
            start_shape=(self.width * 2 ** len(larger), first_side, first_side),
            channels=[*maps, self.channels],
            strides=[2] * len(larger) + [1],
        )
        normal_weights(self)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, Z) standard normal, (N,) int64 -> (N, C, H, W) in [-1, 1]."""
        # The tutorial's images are in [0, 1].
        images: Tensor = 2 * torch.sigmoid(self.network(with_label(latents, labels, self.num_classes))) - 1
        return images


class MONAIDiscriminator(ConditionalDiscriminator):
    """Residual units of one strided 5×5 convolution, instance norm, dropout 0.25 and parametric ReLU.

    `width` feature maps at half the image's side, doubling until 4×4. Published width: 8 (8, 16, 32 and 64
    maps for 64 px). The tutorial's last sigmoid is left to the objective.
    """

    def __init__(self, **size: Unpack[DiscriminatorSize]):
        from monai.networks.nets.classifier import Discriminator

        super().__init__(**size)
        sides = [self.image_size]
        while sides[-1] > 4:
            sides.append((sides[-1] + 1) // 2)  # a 5×5 kernel of stride 2 rounds odd sides up
        steps = len(sides) - 1
        self.network = Discriminator(
            in_shape=(self.channels + self.num_classes, self.image_size, self.image_size),
            channels=(*(self.width * 2**k for k in range(steps)), 1),
            strides=(*[2] * steps, 1),
            num_res_units=1,
            kernel_size=5,
            norm=MONAI_NORMS[self.norm],
            last_act=None,
        )
        repeatable_dropout(self.network)
        normal_weights(self)
        constrain(self.network.net, self.spectral)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) int64 -> (N,) logits."""
        h = with_label_planes(images, labels, self.num_classes)
        logits: Tensor = self.network(h.contiguous(memory_format=torch.channels_last)).squeeze(1)
        return logits


class RepeatableDropout(nn.Module):
    """Dropout whose next mask is part of the saved state, so that a resumed training draws the same ones."""

    next_seed: Tensor

    def __init__(self, p: float):
        super().__init__()
        self.p = p
        self.register_buffer("next_seed", torch.randint(2**31, ()))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; zeroes a fraction `p` and scales the rest by 1 / (1 - p) while training."""
        if not self.training:
            return x
        rng = torch.Generator(x.device).manual_seed(int(self.next_seed))
        self.next_seed += 1
        keep = torch.rand(x.shape, generator=rng, device=x.device) >= self.p
        return x * keep / (1 - self.p)


def repeatable_dropout(network: nn.Module) -> None:
    """Put `RepeatableDropout` in the place of each of a network's dropout layers."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, RepeatableDropout(child.p))


ARCHITECTURE = Architecture(
    generator=MONAIGenerator,
    discriminator=MONAIDiscriminator,
    paper="MONAI tutorials, mednist_GAN_tutorial (Cardoso et al. 2022)",
    label="one-hot beside the latent, one plane per class beside the image (Mirza & Osindero 2014)",
    norms=("instance", "layer", "none"),
)
