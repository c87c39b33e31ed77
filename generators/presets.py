"""Training recipes by name. Adding one touches this file only.

The published ones are as their papers (or, where a paper leaves something open, its authors' code) give them:
no averaging of weights, no augmentation, no balancing, unless the paper has it. Three exceptions favour them
on a processor: `sngan` and `medgan` have half of the published feature maps, `progressive` an eighth, and
`monai` takes batches of 64 instead of 300; otherwise they would see too few images to learn.
"""

from dataclasses import dataclass, replace

from synthaug.augment.errors import UsageError
from synthaug.generators.config import GANConfig


@dataclass(frozen=True)
class Preset:
    """A named recipe with the paper it follows."""

    config: GANConfig
    paper: str


PLAIN = GANConfig(  # what the published recipes have in common
    batch_size=64,
    beta2=0.9,
    window_floor=False,
    noise_from=0,
    r1=0,
    logit_gap=0,
    overfit=0,
    ema_halflife=0,
    balanced=False,
    diffaugment=(),
)
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
        GANConfig(),
        "light pair, strong R1 (Mescheder 2018) on standardised pixels, DiffAugment (Zhao 2020), EMA",
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
            architecture="resnet",
            objective="hinge",
            spectral_norm=True,
            width=32,
            generator_lr=2e-4,
            discriminator_lr=2e-4,
            discriminator_steps=5,
        ),
        "residual, hinge, spectral norm, projection, five critic steps (Miyato 2018, Miyato & Koyama 2018)",
    ),
    "medgan": Preset(
        replace(DCGAN, architecture="sndcgan", width=32),
        "transposed convolutions against a spectrally normalised discriminator (Miyato 2018), non-saturating",
    ),
    "monai": Preset(
        replace(DCGAN, architecture="monai", width=8, latent_dim=64, discriminator_steps=5),
        "MONAI's MedNIST tutorial: its Generator and Discriminator, cross-entropy, five discriminator steps",
    ),
    "progressive": Preset(
        replace(
            PLAIN,
            architecture="progressive",
            objective="wgan-gp",
            width=16,
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
