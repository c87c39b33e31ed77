"""A training small enough for a test: two classes no one could mix up, tiny networks, four steps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.images import LabeledImages
from synthaug.generators.config import GANConfig
from synthaug.generators.runs import Source

SOURCE = Source("tiny train split", "CC0")
TINY = GANConfig(
    steps=4, batch_size=8, latent_dim=8, width=4, interval=2, diffaugment=("translation", "cutout")
)


def on_cpu(precision: Any = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)


def dark_and_bright(per_class: tuple[int, int] = (18, 2), side: int = 28, channels: int = 1) -> LabeledImages:
    """`per_class` images of either class."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], per_class)
    noise = rng.integers(0, 60, (len(labels), channels, side, side))
    pixels = noise + 190 * labels[:, None, None, None]
    return LabeledImages(pixels.astype(np.uint8), labels, ("dark", "bright"))


def checkpoint_of(run: Path) -> Path:
    return run / "checkpoints" / "last.safetensors"


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
