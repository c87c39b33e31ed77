"""Grey levels in use against levels declared: 12 bits of a detector are often kept in 16."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
DEPTHS = (8, 10, 12, 14, 16)  # bits per level that detectors and formats have


def bits_in_use(highest: float) -> int:
    """Bits that levels from 0 to `highest` need: the next depth that detectors have."""
    return next(bits for bits in DEPTHS if highest <= 2**bits - 1 or bits == 16)


def scale_of(bits: int) -> float:
    """What takes levels of so many bits to those of 16, white to white."""
    return 65535.0 / float(2**bits - 1)


def in_full_range(pixels: Pixels, bits: int) -> Pixels:
    """uint16 levels of so many bits as levels of 16, white to white; 16 stay as they are."""
    if bits >= 16:
        return pixels
    scaled: Pixels = np.rint(pixels * scale_of(bits)).clip(0, 65535).astype(np.uint16)
    return scaled


def as_used(where: object, images: LabeledImages, options: ReadOptions) -> LabeledImages:
    """Images of 16 bits with the levels that are in use as those of 16; of 8 as they are.

    Args:
        where: what a line about it calls the file.
    """
    if images.pixels.dtype == np.uint8 or not len(images) or options.rules < 2:
        return images
    bits = options.levels or bits_in_use(float(images.pixels.max()))
    if options.levels is None:
        say_levels(where, bits)
    scaled = in_full_range(images.pixels, bits)
    return replace(images, pixels=scaled, by_rules=images.by_rules or bits < 16)


def from_numbers(what: str, values: npt.NDArray[Any]) -> Pixels:
    """Levels kept as fractions or signed numbers: [0, 1] or 0 to 255 as uint8, whole ones to 65535 as uint16.

    Raises:
        DataError: others, which have no black and white.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (low >= 0 and high <= 65535):  # refuses NaN too
        raise DataError(f"{what} from {low:g} to {high:g}, expected [0, 1], 0 to 255 or uint16")
    if high <= 1 and values.dtype.kind == "f":
        values, high = values * 255, 255.0
    return cast(Pixels, values.round().astype(np.uint8 if high <= 255 else np.uint16))


def say_levels(where: object, bits: int) -> None:
    """One line, where fewer levels are in use than are declared."""
    if bits < 16:
        log.warning(
            "%s: found grey levels up to %d in 16 bits, read as %d bits with white at %d: --levels 16 takes "
            "them as declared",
            *(where, 2**bits - 1, bits, 2**bits - 1),
        )


def warn_of_unequal(where: object, highest: Sequence[float], classes: Sequence[str]) -> None:
    """One warning where classes differ in the bits that their levels need: that alone tells them apart.

    Args:
        highest: the highest level of each image that has 16 bits, NaN of others.
        classes: the class of each image.
    """
    top: dict[str, float] = {}
    for name, level in zip(classes, highest, strict=True):
        if level == level:
            top[name] = max(level, top.get(name, 0.0))
    if len({bits_in_use(level) for level in top.values()}) > 1:
        log.warning(
            "%s: classes differ in their grey levels (%s), which tells them apart: bring all to one range",
            where,
            _by_class({name: f"up to {level:g}" for name, level in sorted(top.items())}),
        )


def by_class(deep: Sequence[bool], classes: Sequence[str]) -> str:
    """How many images of each class have 16 bits, for a warning: "normal 0 of 3, abnormal 6 of 6"."""
    return _by_class({name: f"{n} of {total}" for name, (n, total) in _counted(deep, classes).items()})


def tells_apart(deep: Sequence[bool], classes: Sequence[str]) -> bool:
    """Whether the share of images with 16 bits differs between two classes by more than a tenth."""
    if not classes:
        return False
    shares = [n / total for n, total in _counted(deep, classes).values()]
    return max(shares) - min(shares) > 0.1


def _counted(deep: Sequence[bool], classes: Sequence[str]) -> dict[str, tuple[int, int]]:
    total = Counter(classes)
    of_deep = Counter(name for is_deep, name in zip(deep, classes, strict=True) if is_deep)
    return {name: (of_deep[name], total[name]) for name in sorted(total)}


def _by_class(texts: Mapping[str, str]) -> str:
    some = [f"{name} {text}" for name, text in list(texts.items())[:6]]
    return ", ".join(some) + (", …" if len(texts) > 6 else "")
