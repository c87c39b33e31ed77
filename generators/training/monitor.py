"""Monitoring of a training: divergence, collapse, and the best checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from synthaug.augment.images import LabeledImages

MAX_LOGIT = 1e6  # mean absolute logit; a Wasserstein critic's stand at some hundreds
COLLAPSED = 0.5  # below this fraction of the best recall or diversity so far
EVALUATIONS = 2
MIN_PEAK = 0.1  # least recall or diversity reached before whose loss counts as a collapse


class SampleQuality(Protocol):
    """Fidelity and diversity of samples; see `synthaug.evaluation.fidelity.monitor`."""

    @property
    def kid(self) -> float:
        """Kernel distance to held-out real images, lower is better."""

    @property
    def recall(self) -> float:
        """Fraction of real images within the manifold of the samples, 0 to 1."""

    @property
    def diversity(self) -> float:
        """Spread within the least diverse class, as a fraction of the real images' spread."""


class SampleMonitor(Protocol):
    """Evaluates samples of `labels`, given as (N, C, H, W) uint8."""

    @property
    def val(self) -> LabeledImages:
        """The held-out real images that it compares with."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) the classes to sample."""

    @property
    def noise(self) -> float:
        """Standard deviation of KID: smaller differences are not significant."""

    @property
    def floor(self) -> float:
        """KID of the training images: lower values of samples are not better."""

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> SampleQuality:
        """Evaluate samples."""


@dataclass
class TrainingMonitor:
    """State of the monitoring, all numbers, kept in checkpoints.

    Attributes:
        lowest_kid: of all evaluations.
        best_step: of the evaluation whose weights are kept.
        best_recall, best_diversity: highest of all evaluations, not of one.
        rollbacks: how often the training was rolled back.
        alarms: consecutive evaluations that found a collapse.
    """

    lowest_kid: float = math.inf
    best_step: int = 0
    best_recall: float = 0.0
    best_diversity: float = 0.0
    rollbacks: int = 0
    alarms: int = 0

    def as_state(self) -> list[float]:
        """As numbers for a checkpoint, in the order of the fields."""
        return [float(value) for value in astuple(self)]

    @classmethod
    def of_state(cls, numbers: list[float]) -> "TrainingMonitor":
        """The monitor that `as_state` described."""
        kid, step, recall, diversity, rollbacks, alarms = numbers
        return cls(kid, int(step), recall, diversity, int(rollbacks), int(alarms))

    def divergence(self, numbers: Mapping[str, float]) -> str:
        """Why a training with these losses and logits has diverged; empty where it has not."""
        for name, value in numbers.items():
            if not math.isfinite(value):
                return f"divergence: {name} is {value}"
        for name in ("real logit", "fake logit"):
            if abs(numbers.get(name, 0.0)) > MAX_LOGIT:
                return f"divergence: {name} {numbers[name]:.3g}, expected within ±{MAX_LOGIT:.0e}"
        return ""

    def collapse(self, quality: SampleQuality, noise: float = 0.0) -> str:
        """What collapsed since earlier evaluations while KID rose; empty where nothing did.

        Two consecutive evaluations are required, as single ones recover early in training.
        """
        if not math.isfinite(quality.kid):
            return f"divergence: KID of the samples is {quality.kid}"
        found = self._lost(quality, noise)
        self.alarms = self.alarms + 1 if found else 0
        return found if self.alarms >= EVALUATIONS else ""

    def _lost(self, quality: SampleQuality, noise: float) -> str:
        if not quality.kid - self.lowest_kid > max(noise, abs(self.lowest_kid)):
            return ""  # KID is about as low as ever
        for name, now, best in (
            ("recall", quality.recall, self.best_recall),
            ("diversity", quality.diversity, self.best_diversity),
        ):
            if best >= MIN_PEAK and now < COLLAPSED * best:
                kid = f"KID {quality.kid:.3g} of {self.lowest_kid:.3g}"
                return f"collapse: {name} {now:.2f} of {best:.2f}, {kid}"
        return ""

    def remember(
        self, step: int, quality: SampleQuality, noise: float = 0.0, floor: float = -math.inf
    ) -> bool:
        """Record an evaluation; whether its weights are the ones to keep.

        These are of the latest evaluation with the lowest KID, up to noise and not below the floor: KID in a
        classifier's features reaches the floor early, while texture, which they ignore, still improves.
        """
        self.best_recall = max(self.best_recall, quality.recall)
        self.best_diversity = max(self.best_diversity, quality.diversity)
        if quality.kid > max(self.lowest_kid, floor) + noise or self.alarms:
            return False
        self.lowest_kid, self.best_step = min(quality.kid, self.lowest_kid), step
        return True
