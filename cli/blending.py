"""A training split blended with synthetic images, from a generator or a file: two commands want it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages, Splits


def blended_training_set(
    splits: "Splits", ratio: float, *, generator: str | None, synthetic: Path | None, seed: int, device: str
) -> tuple["LabeledImages", str]:
    """The blend, and where its synthetic images are from, in words.

    Raises:
        GateError: the generator was trained on images of the test split.
        UsageError, DataError: a ratio, class, generator or file that does not fit.
    """
    from synthaug.augment.balance import blend_plan
    from synthaug.augment.blend import blend
    from synthaug.augment.fingerprint import refuse_leak
    from synthaug.augment.formats import read_images
    from synthaug.generators.sampling import Synthesizer, collect_for, shipped_for

    plan = blend_plan(list(splits.train.counts().values()), ratio)
    if not sum(plan):
        return splits.train, "none"
    if synthetic is not None:
        return blend(splits.train, read_images(synthetic), ratio, seed), str(synthetic)
    synthesizer = Synthesizer(generator or shipped_for(splits.class_names), device)
    name = synthesizer.path.stem
    refuse_leak(splits.test, synthesizer.card.training_images, f"generator {name}")
    pool = collect_for(synthesizer, splits.class_names, plan, seed)
    return blend(splits.train, pool, ratio, seed), f"{name} {synthesizer.card.sha256[:12]}"


def counts_by_origin(images: "LabeledImages") -> dict[str, dict[str, int]]:
    """Images per class, real and synthetic apart."""
    return {
        "real": images.take(~images.synthetic).counts(),
        "synthetic": images.take(images.synthetic).counts(),
    }
