"""Training recipes by name. Adding one touches this file only."""

from dataclasses import dataclass, field

from synthaug.augment.errors import UsageError


@dataclass(frozen=True)
class GANConfig:
    """Everything that a training depends on besides the images and the random seed's stream.

    Attributes:
        objective: a name in `objectives.OBJECTIVES`, looked up when the training starts.
        steps: updates of the generator.
        batch_size: images per update, the same number of every class (up to rounding).
        latent_dim: numbers in a latent.
        width: feature maps at 64 px, see `architectures.resnet`.
        generator_lr, discriminator_lr: Adam's step sizes; the discriminator's is larger where it takes one
            step per generator step (two time-scale rule, Heusel et al. 2017).
        ema_halflife: images after which a weight's share in the averaged generator has halved.
        diffaugment: steps of `diffaugment.AUGMENTATIONS`; empty turns it off.
        interval: steps between a checkpoint, a log line and a sample grid.
        seed: every random number of step t comes from (seed, t); below 2³².

    Raises:
        UsageError: a number out of its range.
    """

    objective: str = "hinge"
    steps: int = 10_000
    batch_size: int = 32
    latent_dim: int = 128
    width: int = 24
    generator_lr: float = 5e-5
    discriminator_lr: float = 4e-4
    ema_halflife: float = 10_000.0
    diffaugment: tuple[str, ...] = field(default=())
    interval: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name not in ("objective", "diffaugment", "seed") and not value > 0:
                raise UsageError(f"{name} {value}: expected more than 0")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"seed {self.seed}: expected 0 to {2**32 - 1}")


@dataclass(frozen=True)
class Preset:
    """A named recipe with the paper it follows."""

    config: GANConfig
    paper: str


PRESETS = {
    "synthaug": Preset(
        GANConfig(objective="hinge", diffaugment=("translation", "cutout")),
        "hinge + spectral norm (Miyato 2018), projection (Miyato & Koyama 2018), DiffAugment (Zhao 2020)",
    ),
    "wgan-gp": Preset(
        GANConfig(objective="wgan-gp", generator_lr=1e-4, discriminator_lr=1e-4),
        "Wasserstein with gradient penalty, five critic steps (Gulrajani 2017), EMA",
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
