"""Everything that a training depends on, in one flat record."""

from dataclasses import dataclass, fields

from synthaug.augment.errors import UsageError

OFF_AT_0 = ("beta1", "beta2", "r1", "logit_gap", "ema_halflife", "diffaugment_share", "overfit")


@dataclass(frozen=True)
class GANConfig:
    """A recipe: two networks, what they want, how they learn, what helps them where images are few.

    Attributes:
        architecture: a name in `architectures.ARCHITECTURES`.
        objective: a name in `objectives.OBJECTIVES`.
        steps: updates of the generator.
        batch_size: images per update of either network.
        latent_dim: numbers in a latent.
        width: the unit of the architecture's feature maps; time and file size grow with its square.
        optimizer: adam or rmsprop.
        generator_lr, discriminator_lr: step sizes.
        beta1, beta2: Adam's moments; RMSprop takes beta2.
        discriminator_steps: updates of the discriminator per update of the generator.
        spectral_norm: constrain the discriminator's layers to spectral norm 1 (Miyato et al. 2018), also
            where the architecture would not.
        r1: weight γ of the penalty on the discriminator's slope at real images (Mescheder et al. 2018) that a
            training starts with, for images of 64 × 64; it goes with the number of pixels.
        logit_gap: mean logit of real images of a class minus that of fakes that the γ of the class is steered
            to (`adaptive_r1.AdaptiveR1Weight`); 0 keeps γ.
        r1_every: steps between two such penalties, each as much stronger (lazy: Karras et al. 2020).
        ema_halflife: images after which a weight's share in the averaged generator, the one that is kept, has
            halved (Yazıcı et al. 2019); 0 keeps the last weights.
        balanced: every batch holds every class equally often, whatever the data; else as the data have them.
        diffaugment: steps of `diffaugment.AUGMENTATIONS` (Zhao et al. 2020).
        diffaugment_share: of the images that are augmented, at first. Few, as ADA found (Karras et al. 2020):
            where all are, a small discriminator sees nothing any more.
        overfit: how far the discriminator may know its images by heart, 0 to 1, before the share grows
            (`share.AugmentationShare`); 0 keeps the share, as a training without held-out images does.
        interval: steps between a checkpoint, a log line, a sample grid and a look at the health.
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
