"""A training's own watch: is it still alive, is it getting worse, which checkpoint was the best?"""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import LabeledImages

EXPLODED = 1e6  # mean absolute logit; a Wasserstein critic's stand at some hundreds
FELL_AWAY = 0.5  # of the best recall or diversity so far
LOOKS_IN_A_ROW = 2
WORTH_LOSING = 0.1  # recall or diversity that a training must once have had to be said to have lost it


class Vitals(Protocol):
    """What a look at the samples finds; see `synthaug.evaluation.fidelity.monitor`."""

    @property
    def kid(self) -> float:
        """Kernel distance to held-out real images, lower is better."""

    @property
    def recall(self) -> float:
        """Share of the real images that the samples reach, 0 to 1."""

    @property
    def diversity(self) -> float:
        """Spread within the least diverse class, as a share of the real images' spread."""


class Judge(Protocol):
    """Looks at samples: made in `labels`, given as (N, C, H, W) uint8."""

    @property
    def val(self) -> LabeledImages:
        """The held-out real images that it compares with."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) the classes to sample."""

    @property
    def noise(self) -> float:
        """Differences of KID up to this are none."""

    @property
    def floor(self) -> float:
        """KID of the training images themselves: no sample need be nearer."""

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Vitals:
        """What they are worth."""


@dataclass
class TrainingMonitor:
    """What it has seen so far, all numbers, so that a checkpoint can hold it.

    Attributes:
        lowest_kid: of all looks.
        best_step: of the look whose weights are to be kept.
        best_recall, best_diversity: highest seen, not of one look.
        rollbacks: how often the training was put back.
        alarms: looks in a row that found a collapse.
    """

    lowest_kid: float = math.inf
    best_step: int = 0
    best_recall: float = 0.0
    best_diversity: float = 0.0
    rollbacks: int = 0
    alarms: int = 0

    def as_numbers(self) -> list[float]:
        """For a checkpoint, in the order of the fields."""
        return [float(value) for value in astuple(self)]

    @classmethod
    def of_numbers(cls, numbers: list[float]) -> "TrainingMonitor":
        """What `as_numbers` gave."""
        kid, step, recall, diversity, rollbacks, alarms = numbers
        return cls(kid, int(step), recall, diversity, int(rollbacks), int(alarms))

    def divergence(self, numbers: Mapping[str, float]) -> str:
        """Why a training with these losses and logits is beyond help; empty where it is not."""
        for name, value in numbers.items():
            if not math.isfinite(value):
                return f"divergence: {name} is {value}"
        for name in ("real logit", "fake logit"):
            if abs(numbers.get(name, 0.0)) > EXPLODED:
                return f"divergence: {name} {numbers[name]:.3g}, expected within ±{EXPLODED:.0e}"
        return ""

    def collapse(self, vitals: Vitals, noise: float = 0.0) -> str:
        """What fell away since earlier looks, while the images became worse; empty where nothing did.

        It takes two looks in a row: a young training stumbles and gets up again.
        """
        if not math.isfinite(vitals.kid):
            return f"divergence: KID of the samples is {vitals.kid}"
        found = self._fell_away(vitals, noise)
        self.alarms = self.alarms + 1 if found else 0
        return found if self.alarms >= LOOKS_IN_A_ROW else ""

    def _fell_away(self, vitals: Vitals, noise: float) -> str:
        if not vitals.kid - self.lowest_kid > max(noise, abs(self.lowest_kid)):
            return ""  # the distribution is about as near as ever: what varied more had been noise
        for name, now, best in (
            ("recall", vitals.recall, self.best_recall),
            ("diversity", vitals.diversity, self.best_diversity),
        ):
            if best >= WORTH_LOSING and now < FELL_AWAY * best:
                return (
                    f"collapse: {name} {now:.2f} of {best:.2f}, KID {vitals.kid:.3g} of {self.lowest_kid:.3g}"
                )
        return ""

    def remember(self, step: int, vitals: Vitals, noise: float = 0.0, floor: float = -math.inf) -> bool:
        """Take in a look without a finding; whether its weights are the ones to keep.

        They are those of the latest look with the lowest KID, but for noise and for what is below the floor:
        KID in a classifier's features is soon there, while texture, which they do not see, goes on getting
        better.
        """
        self.best_recall = max(self.best_recall, vitals.recall)
        self.best_diversity = max(self.best_diversity, vitals.diversity)
        if vitals.kid > max(self.lowest_kid, floor) + noise or self.alarms:
            return False
        self.lowest_kid, self.best_step = min(vitals.kid, self.lowest_kid), step
        return True
