"""Real images blended with synthetic ones, from memory, a file or a generator."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthaug._api.generator import Generator, opened, shipped_generators
from synthaug._api.load import Images, as_images
from synthaug.augment.balance import blend_plan, sampling_plan
from synthaug.augment.blend import add_synthetic, match_classes
from synthaug.augment.blend import blend as blend_to_ratio
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.fingerprint import SeenImages, refuse_leak
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.generators.sampling import Synthesizer, collect_for

log = logging.getLogger("synthaug")


def blend(
    real: LabeledImages,
    synthetic: Images,
    *,
    ratio: float | None = None,
    balance: bool = False,
    add: bool = False,
    seed: int = 0,
) -> LabeledImages:
    """One training set of real and synthetic images; classes are matched by name.

    Say how many synthetic images by one of `ratio`, `balance` and `add`. The result's
    `counts_by_origin()` gives the exact counts.

    Args:
        real: the training images.
        synthetic: images to choose from, in memory or a file; they are brought to the size, channels and bit
            depth of the real ones.
        ratio: share of the result that is synthetic, in [0, 1]: 0 real only, 0.5 half and half, 1 synthetic
            only. Minority classes are filled first.
        balance: fill every class up to the largest one.
        add: take every synthetic image of a class that the real ones have.
        seed: of the choice among the synthetic images.

    Raises:
        UsageError: none or several of `ratio`, `balance` and `add`.
        DataError: too few synthetic images of a class.
    """
    if [ratio is not None, balance, add].count(True) != 1:
        raise UsageError("blend: expected one of ratio=0.5, balance=True and add=True")
    pool = as_images(synthetic, ReadOptions())
    if ratio is not None:
        return blend_to_ratio(real, pool, ratio, seed)
    if balance:
        return add_synthetic(real, pool, sampling_plan(real.labels, len(real.class_names)), seed)
    matched = match_classes(pool, real.class_names)
    return add_synthetic(real, matched, list(matched.counts().values()), seed)


@dataclass(frozen=True)
class Blending:
    """How the training split of a data set is blended with synthetic images.

    Attributes:
        ratio: share of the blend that is synthetic, or "auto" where a caller tries several.
        balance: fill every class up to the largest instead.
        add: synthetic images to add, all of them, instead.
        generator: where synthetic images are from; None is the shipped generator that makes the classes.
        synthetic: synthetic images made before, instead of a generator.
    """

    ratio: float | str = 0.0
    balance: bool = False
    add: Images | None = None
    generator: str | Path | Generator | None = None
    synthetic: Images | None = None

    def check(self) -> None:
        """Raise `UsageError` for choices that exclude each other."""
        ways = [self.ratio not in (0, 0.0, "0"), self.balance, self.add is not None]
        if sum(ways) > 1:
            raise UsageError("--synthetic-ratio, --balance and --add: expected one of them")
        if self.generator is not None and self.synthetic is not None:
            raise UsageError("--generator and --synthetic: expected one of them, or none")
        if self.add is not None and (self.generator is not None or self.synthetic is not None):
            raise UsageError("--add: it names the synthetic images, leave --generator and --synthetic out")
        if self.ratio != "auto":
            as_ratio(self.ratio)

    @property
    def wanted(self) -> bool:
        """Whether there are to be synthetic images at all."""
        return self.ratio == "auto" or as_ratio(self.ratio) > 0 or self.balance or self.add is not None

    def needed(self, splits: Splits, ratio: float | None = None) -> list[int]:
        """Synthetic images of each class.

        Args:
            ratio: of those that "auto" tries; None for the blending's own.
        """
        return self._plan(splits.train, ratio, self._given(splits))

    def training_set(
        self, splits: Splits, ratio: float | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> tuple[LabeledImages, str]:
        """The blended training split, and where its synthetic images are from, in words.

        Raises:
            GateError: the generator, or the synthetic images, know images of the test split.
            UsageError, DataError: a ratio, class, generator or file that does not fit.
        """
        pool = self._given(splits)
        plan = self._plan(splits.train, ratio, pool)
        if not sum(plan):
            return splits.train, "none"
        ratio = None if self.balance or self.add is not None else ratio
        if pool is not None:
            origin = "given" if isinstance(self._source, LabeledImages) else str(self._source)
        else:
            synthesizer = fitting_generator(self.generator, splits, device)
            pool = collect_for(synthesizer, splits.class_names, plan, seed)
            origin = f"{synthesizer.name} {synthesizer.card.sha256[:12]}"
        if ratio is None:
            return add_synthetic(splits.train, pool, plan, seed), origin
        return blend_to_ratio(splits.train, pool, ratio, seed), origin

    @property
    def _source(self) -> Images | None:
        """The synthetic images that were made before, if any."""
        return self.add if self.add is not None else self.synthetic

    def _given(self, splits: Splits) -> LabeledImages | None:
        """Those images, read once, in the classes of the data set."""
        if self._source is None:
            return None
        return match_classes(synthetic_images(self._source, splits), splits.class_names)

    def _plan(self, train: LabeledImages, ratio: float | None, pool: LabeledImages | None) -> list[int]:
        have = None if pool is None else list(pool.counts().values())
        if self.add is not None and have is not None:
            return have
        if self.balance:
            return sampling_plan(train.labels, len(train.class_names))
        asked = as_ratio(self.ratio) if ratio is None else ratio
        return blend_plan(list(train.counts().values()), asked, have)


def as_ratio(ratio: float | str) -> float:
    """A synthetic ratio as a number.

    Raises:
        UsageError: it is not a number from 0 to 1.
    """
    try:
        value = float(ratio)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"synthetic ratio {ratio}: expected auto, or 0 (real only) to 1 (synthetic only)")
    return value


def fitting_generator(
    generator: str | Path | Generator | None, splits: Splits, device: str = "cpu"
) -> Synthesizer:
    """The generator asked for, or the shipped one that makes these classes, checked against these splits.

    Raises:
        GateError: it was trained on images of the test split.
    """
    synthesizer = opened(generator, splits.class_names).synthesizer(device)
    name, card = synthesizer.name, synthesizer.card
    refuse_leak(splits.test, card.training_images, f"generator {name}")
    if generator is None and splits.name not in card.data.lower():
        log.warning("generator %s was chosen by its class names; it was trained on %s", name, card.data)
    return synthesizer


def synthetic_images(synthetic: Images, splits: Splits) -> LabeledImages:
    """Synthetic images in memory or of a file: of a blended set those that are marked synthetic.

    Raises:
        GateError: some of them are test images, or come from a shipped generator that saw test images.
    """
    name = "synthetic images" if isinstance(synthetic, LabeledImages) else str(synthetic)
    images = synthetic if isinstance(synthetic, LabeledImages) else read_images(Path(synthetic))
    if images.synthetic.any():
        images = images.take(images.synthetic)
    if not len(images):
        raise DataError(f"{name}: no images, expected synthetic ones")
    refuse_leak(splits.test, SeenImages.of(images), name)
    makers = set() if images.provenance is None else set(np.unique(images.provenance["generator"]).tolist())
    for known in shipped_generators():
        card = known.card
        if card.sha256.encode() in makers:
            refuse_leak(splits.test, card.training_images, f"generator {known.name}, which made {name}")
    return images
