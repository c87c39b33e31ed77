"""Real images and synthetic ones in one training set, in a stated proportion."""

from dataclasses import replace

import numpy as np

from synthaug.augment.balance import blend_plan
from synthaug.augment.errors import DataError
from synthaug.augment.images import Indices, LabeledImages, concatenate
from synthaug.augment.transforms import matching


def blend(
    real: LabeledImages, synthetic: LabeledImages, synthetic_ratio: float, seed: int = 0
) -> LabeledImages:
    """Every real image (none at ratio 1) and as many synthetic ones as `blend_plan` asks, by class.

    Synthetic images are matched to the real ones by class name and brought to their size and channels.

    Args:
        synthetic: a pool to choose from at random; all its images count as synthetic in the result, whatever
            their own flag says.
        synthetic_ratio: share of the result that is synthetic, in [0, 1].
        seed: of the choice.

    Raises:
        DataError: the pool holds fewer images of a class than the plan needs.
        UsageError: a ratio outside [0, 1], or one that a pool that lacks classes cannot reach.
    """
    pool = match_classes(synthetic, real.class_names)
    plan = blend_plan(list(real.counts().values()), synthetic_ratio, list(pool.counts().values()))
    try:
        blended = add_synthetic(real, pool, plan, seed)
    except DataError as error:
        raise DataError(f"synthetic ratio {synthetic_ratio:g}: {error}, or lower the ratio") from None
    return blended.take(np.arange(len(real), len(blended))) if synthetic_ratio == 1 else blended


def add_synthetic(real: LabeledImages, synthetic: LabeledImages, plan: list[int], seed: int) -> LabeledImages:
    """Every real image and plan[label] of the pool's images of each class, chosen at random.

    Raises:
        DataError: the pool lacks a class, or holds fewer images of one than the plan needs.
    """
    if not sum(plan):
        return real
    pool = match_classes(synthetic, real.class_names)
    rng = np.random.default_rng(seed)
    chosen: list[Indices] = []
    for label, wanted in enumerate(plan):
        rows = np.flatnonzero(pool.labels == label)
        if len(rows) < wanted:
            name, lacking = real.class_names[label], wanted - len(rows)
            raise DataError(
                f"{len(rows)} synthetic images of class {name!r}: expected {wanted}, make {lacking} more"
            )
        chosen.append(rng.choice(rows, wanted, replace=False))
    added = matching(pool.take(np.concatenate(chosen)), real)
    return concatenate([real, replace(added, synthetic=np.ones(len(added), dtype=bool))])


def match_classes(images: LabeledImages, class_names: tuple[str, ...]) -> LabeledImages:
    """The images relabelled to another list of class names, by name; images of other classes are left out.

    Raises:
        DataError: the two lists have no name in common.
    """
    if images.class_names == class_names:
        return images
    lower = [name.lower() for name in class_names]
    target = np.array([lower.index(n.lower()) if n.lower() in lower else -1 for n in images.class_names])
    if (target < 0).all():
        raise DataError(
            f"synthetic classes {', '.join(images.class_names)}: "
            f"expected names among {', '.join(class_names)}"
        )
    labels = target[images.labels]
    kept = images.take(labels >= 0)
    return LabeledImages(
        kept.pixels, labels[labels >= 0], class_names, kept.synthetic, kept.groups, kept.provenance
    )
