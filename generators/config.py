"""Everything that a training depends on, in one flat record."""

from dataclasses import dataclass, fields
from typing import Any

from synthaug.augment.errors import UsageError

OFF_AT_0 = (
    "beta1",
    "beta2",
    "r1",
    "logit_gap",
    "ema_halflife",
    "diffaugment_share",
    "overfit",
    "noise_from",
)
BEFORE: dict[str, Any] = {"window_floor": False, "noise_from": 0}  # of runs older than these fields


@dataclass(frozen=True)
class GANConfig:
    """A recipe: architecture, objective, optimisation, regularisation and augmentation.

    Attributes:
        architecture: a name in `architectures.ARCHITECTURES`.
        objective: a name in `objectives.OBJECTIVES`.
        steps: updates of the generator.
        batch_size: images per update of either network.
        latent_dim: numbers in a latent.
        width: the unit of the architecture's feature maps; time and file size grow with its square.
        window_floor: bound each class from below where its grey levels are clipped, as in windowed CT
            (`light` only, see `statistics.WindowStatistics`).
        noise_from: side in pixels of the first feature maps that get a plane of noise (StyleGAN: Karras et
            al. 2019), whose strength depends on latent and class; 0: none (`light` only).
        optimizer: adam or rmsprop.
        generator_lr, discriminator_lr: learning rates.
        beta1, beta2: Adam's moments; RMSprop takes beta2.
        discriminator_steps: updates of the discriminator per update of the generator.
        spectral_norm: constrain the discriminator's layers to spectral norm 1 (Miyato et al. 2018), also
            where the architecture would not.
        r1: initial weight γ of the R1 penalty on the discriminator's gradient at real images (Mescheder
            et al. 2018), for images of 64 × 64; it scales with the number of pixels.
        logit_gap: mean logit of real images of a class minus that of fakes that the γ of the class is adapted
            to (`adaptive_r1.AdaptiveR1Weight`); 0 keeps γ fixed.
        r1_every: steps between two R1 penalties, each scaled by as much (lazy: Karras et al. 2020).
        ema_halflife: half-life in images of the exponential moving average of the generator's weights, which
            is what is kept (Yazıcı et al. 2019); 0 keeps the last weights.
        balanced: every batch holds every class equally often, whatever the data; else as the data have them.
        diffaugment: steps of `diffaugment.AUGMENTATIONS` (Zhao et al. 2020).
        diffaugment_share: initial probability p that an image is augmented; below 1, as in ADA (Karras et al.
            2020): a small discriminator that only sees augmented images separates nothing.
        overfit: target of the overfitting measure r, 0 to 1, above which p grows
            (`adaptive_augment.AdaptiveAugment`); 0 keeps p, as a training without held-out images does.
        interval: steps between checkpoints, log lines, sample grids and evaluations by the monitor.
        seed: every random number of step t comes from (seed, t); below 2³².

    Numbers that may be 0 are off then.

    Raises:
        UsageError: a number out of its range.
    """

    architecture: str = "light"
    objective: str = "bce"
    steps: int = 10_000
    batch_size: int = 32
    latent_dim: int = 64
    width: int = 16
    window_floor: bool = True
    noise_from: int = 0
    optimizer: str = "adam"
    generator_lr: float = 1e-3
    discriminator_lr: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.99
    discriminator_steps: int = 1
    spectral_norm: bool = False
    r1: float = 10.0
    logit_gap: float = 0.2
    r1_every: int = 8
    ema_halflife: float = 100_000.0
    balanced: bool = True
    diffaugment: tuple[str, ...] = ("translation", "cutout")
    diffaugment_share: float = 0.3
    overfit: float = 0.5
    interval: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "seed" or isinstance(value, str | bool | tuple):
                continue
            least = "0 or more" if field.name in OFF_AT_0 else "more than 0"
            if not (value >= 0 if least == "0 or more" else value > 0):
                raise UsageError(f"{field.name} {value}: expected {least}")
        if max(self.beta1, self.beta2) >= 1:
            raise UsageError(f"beta1 {self.beta1}, beta2 {self.beta2}: expected below 1")
        if self.optimizer not in ("adam", "rmsprop"):
            raise UsageError(f"optimizer {self.optimizer!r}: expected adam or rmsprop")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"seed {self.seed}: expected 0 to {2**32 - 1}")
