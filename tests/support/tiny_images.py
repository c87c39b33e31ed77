"""Tiny random images in memory, the same for the same arguments."""

import numpy as np

from synthaug.augment.images import PROVENANCE, LabeledImages

GENERATOR = "0123456789abcdef" * 4


def tiny_images(
    per_class: tuple[int, ...] = (3, 3),
    *,
    side: int = 8,
    channels: int = 1,
    dtype: type = np.uint8,
    class_names: tuple[str, ...] | None = None,
    synthetic: bool = False,
    patients: int = 0,
    seed: int = 0,
) -> LabeledImages:
    """Random pixels, all different; classes take turns. `patients`: images of one class per patient."""
    draw = np.random.default_rng([seed, side, channels, synthetic])
    n = sum(per_class)
    turns = [(k, label) for label, count in enumerate(per_class) for k in range(count)]
    turns.sort()
    labels = np.array([label for _, label in turns], np.int64)
    origins = np.array([(GENERATOR.encode(), seed, k) for k in range(n)], PROVENANCE) if synthetic else None
    names = np.array([f"P{label}-{k // patients}" for k, label in turns]) if patients else None
    return LabeledImages(
        pixels=draw.integers(0, np.iinfo(dtype).max, (n, channels, side, side), dtype, endpoint=True),
        labels=labels,
        class_names=class_names or ("normal", "abnormal", "other")[: len(per_class)],
        synthetic=np.full(n, synthetic),
        groups=names,
        provenance=origins,
    )
