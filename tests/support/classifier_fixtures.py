"""Images of two grey levels and a training of a few steps."""

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.training import ClassifierConfig

FABRIC = Fabric(accelerator="cpu", devices=1)


def bright_or_dark(dark: int, bright: int, *, seed: int = 0) -> LabeledImages:
    """Noise about one of two grey levels, 28 px: a few steps learn it, fewer do not."""
    labels = np.repeat([0, 1], [dark, bright])
    noise = np.random.default_rng(seed).normal(0, 25, (len(labels), 1, 28, 28))
    pixels = (noise + 128 + 8 * np.where(labels == 1, 1, -1)[:, None, None, None]).clip(0, 255)
    return LabeledImages(pixels.astype(np.uint8), labels, ("dark", "bright"))


TRAIN, VAL = bright_or_dark(30, 10), bright_or_dark(12, 12, seed=1)
QUICK = ClassifierConfig(steps=6, batch_size=8, interval=3, augment=False)
