"""Training recipes by name. Adding one touches this file only.

The published ones are as their papers (or, where a paper leaves something open, its authors' code) give them:
no averaging of weights, no augmentation, no balancing, unless the paper has it.
"""

from dataclasses import dataclass, replace

from synthaug.augment.errors import UsageError
from synthaug.generators.config import GANConfig


@dataclass(frozen=True)
class Preset:
    """A named recipe with the paper it follows."""

    config: GANConfig
    paper: str


PLAIN = GANConfig(ema_halflife=0, balanced=False, batch_size=64)  # what the published recipes have in common
DCGAN = replace(
    PLAIN,
    architecture="dcgan",
    objective="bce",
    width=64,
    latent_dim=100,
    generator_lr=2e-4,
    discriminator_lr=2e-4,
    beta1=0.5,
    beta2=0.999,
)
VANILLA = replace(DCGAN, architecture="mlp", width=128)

PRESETS = {
    "synthaug": Preset(
        GANConfig(spectral_norm=True, diffaugment=("translation", "cutout")),
        "hinge + spectral norm (Miyato 2018), projection (Miyato & Koyama 2018), DiffAugment (Zhao 2020)",
    ),
    "vanilla": Preset(VANILLA, "fully connected pair, non-saturating (Goodfellow 2014)"),
    "lsgan": Preset(replace(VANILLA, objective="lsgan"), "fully connected pair, least squares (Mao 2017)"),
    "wgan": Preset(
        replace(
            VANILLA,
            objective="wgan",
            optimizer="rmsprop",
            generator_lr=5e-5,
            discriminator_lr=5e-5,
            beta2=0.99,
            discriminator_steps=5,
        ),
        "fully connected pair, Wasserstein with clipped weights, RMSprop, five critic steps (Arjovsky 2017)",
    ),
    "wgan-gp": Preset(
        replace(
            VANILLA,
            objective="wgan-gp",
            generator_lr=1e-4,
            discriminator_lr=1e-4,
            beta1=0.0,
            beta2=0.9,
            discriminator_steps=5,
        ),
        "fully connected pair, Wasserstein with gradient penalty, five critic steps (Gulrajani 2017)",
    ),
    "dcgan": Preset(DCGAN, "transposed convolutions, batch norm, non-saturating (Radford 2015)"),
    "sngan": Preset(
        replace(
            PLAIN,
            spectral_norm=True,
            width=64,
            generator_lr=2e-4,
            discriminator_lr=2e-4,
            discriminator_steps=5,
        ),
        "residual, hinge, spectral norm, projection, five critic steps (Miyato 2018, Miyato & Koyama 2018)",
    ),
    "medgan": Preset(
        replace(DCGAN, architecture="sndcgan"),
        "transposed convolutions against a spectrally normalised discriminator (Miyato 2018), non-saturating",
    ),
    "monai": Preset(
        replace(DCGAN, architecture="monai", width=32, latent_dim=64, batch_size=64, beta2=0.999),
        "MONAI's MedNIST tutorial: its Generator and Discriminator, binary cross-entropy",
    ),
    "progressive": Preset(
        replace(
            PLAIN,
            architecture="progressive",
            objective="wgan-gp",
            width=64,
            latent_dim=512,
            batch_size=16,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            beta2=0.99,
            ema_halflife=10_000,
        ),
        "grown from 4 px, Wasserstein with gradient penalty, averaged weights (Karras 2018)",
    ),
}


def preset(name: str) -> GANConfig:
    """The configuration called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name].config
