"""A training split blended with synthetic images, from a generator or a file: two commands want it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


def blended_training_set(
    splits: "Splits", ratio: float, *, generator: str | None, synthetic: Path | None, seed: int, device: str
) -> tuple["LabeledImages", str]:
    """The blend, and where its synthetic images are from, in words.

    Raises:
        GateError: the generator was trained on images of the test split, or the file holds some.
        UsageError, DataError: a ratio, class, generator or file that does not fit.
    """
    from synthaug.augment.balance import blend_plan
    from synthaug.augment.blend import blend
    from synthaug.generators.sampling import collect_for

    plan = blend_plan(list(splits.train.counts().values()), ratio)
    if not sum(plan):
        return splits.train, "none"
    if synthetic is not None:
        return blend(splits.train, read_synthetic(synthetic, splits), ratio, seed), str(synthetic)
    synthesizer = open_generator(generator, splits, device)
    pool = collect_for(synthesizer, splits.class_names, plan, seed)
    return blend(splits.train, pool, ratio, seed), f"{synthesizer.name} {synthesizer.card.sha256[:12]}"


def open_generator(generator: str | None, splits: "Splits", device: str) -> "Synthesizer":
    """The generator asked for, or the shipped one that makes these classes, held to be fit for these splits.

    Raises:
        GateError: it was trained on images of the test split.
    """
    from synthaug.augment.fingerprint import refuse_leak
    from synthaug.generators.sampling import Synthesizer, shipped_for

    synthesizer = Synthesizer(generator or shipped_for(splits.class_names), device)
    name, card = synthesizer.name, synthesizer.card
    refuse_leak(splits.test, card.training_images, f"generator {name}")
    if generator is None and splits.name not in card.data.lower():
        log.warning("generator %s was chosen by its class names; it was trained on %s", name, card.data)
    return synthesizer


def read_synthetic(path: Path, splits: "Splits") -> "LabeledImages":
    """Synthetic images of a file: of a blended one those that are marked synthetic.

    Raises:
        GateError: some of them are test images, or come from a shipped generator that saw test images.
    """
    import numpy as np

    from synthaug.augment.fingerprint import SeenImages, refuse_leak
    from synthaug.augment.formats.registry import read_images
    from synthaug.generators.sampling import Synthesizer, shipped

    images = read_images(path)
    if images.synthetic.any():
        images = images.take(images.synthetic)
    refuse_leak(splits.test, SeenImages.of(images), str(path))
    makers = set() if images.provenance is None else set(np.unique(images.provenance["generator"]).tolist())
    for name in shipped():
        card = Synthesizer(name).card
        if card.sha256.encode() in makers:
            refuse_leak(splits.test, card.training_images, f"generator {name}, which made {path}")
    return images
