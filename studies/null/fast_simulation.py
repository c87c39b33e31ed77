"""The simulation of `simulated.py` for tens of thousands of experiments: all trainings of one at a time.

Choice, differences, Holm's correction and the verdict are the product's own functions; only what images
contribute to AUROC is computed for all trainings together (a test holds it against `contributions`), and what
the report describes besides is left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from simulated import NAMES, OWN, PAIRED_SD, RATIOS, SKILL, SLOPE, TEST, Simulation

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.experiment.arms import AUGMENTED, CLASSICAL, Recipe
from synthaug.evaluation.experiment.choice import Scored, cross_fitted, path
from synthaug.evaluation.experiment.design import Unit
from synthaug.evaluation.gain.comparison import ALPHA, Verdict, verdict_of
from synthaug.evaluation.gain.winner import selection_adjusted
from synthaug.evaluation.hierarchy import Difference, HolmStep, holm, nested_difference

Values = npt.NDArray[np.float64]
CHOSEN = "chosen"


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Attributes:
        differences: of every arm that decides, by name: its ratio, "other 0" and "other 1", "chosen".
        steps: after Holm.
    """

    differences: dict[str, Difference]
    steps: dict[str, HolmStep]

    @property
    def decisive(self) -> str:
        """The arm of the verdict, as `decisive_gain` has it."""
        found = {name: verdict_of(step.estimate, step.rejected) for name, step in self.steps.items()}
        verdict = self.verdict
        shown = [name for name, word in found.items() if word == verdict]
        extreme = min if verdict == "harms" else max
        return extreme(shown, key=lambda name: self.differences[name].value)

    @property
    def verdict(self) -> Verdict:
        found = {verdict_of(step.estimate, step.rejected) for step in self.steps.values()}
        order: tuple[Verdict, ...] = ("helps", "harms", "no evidence")
        return next(word for word in order if word in found)

    @property
    def adjusted(self) -> float | None:
        """Of the decisive arm, where there is evidence."""
        if self.verdict == "no evidence":
            return None
        difference, estimate = self.differences[self.decisive], self.steps[self.decisive].estimate
        error = float(np.hypot(difference.over_trainings, difference.over_patients))
        return selection_adjusted(difference.value, error, (estimate.high - estimate.low) / 2)


class Experiment:
    """All trainings of one simulated experiment."""

    def __init__(self, simulation: Simulation, number: int):
        self.simulation = simulation
        self.units = list(simulation.design.units())
        self.recipes = list(CLASSICAL[simulation.choice])
        self.ratios = RATIOS[simulation.ratios]
        others = 2 if simulation.choice == "full" else 0
        self.names = [f"{ratio:g}" for ratio in self.ratios] + [f"other {k}" for k in range(others)]
        rng = np.random.default_rng([number, *simulation.key])
        self.val, self.test = (_images(n) for n in (simulation.val, TEST))
        trainings = len(self.recipes) + len(self.names), len(self.units)
        worth = rng.normal(0, PAIRED_SD / 2**0.5, trainings)
        of_generator = rng.normal(0, simulation.of_generator, simulation.donors)
        donors = [unit.donor for unit in self.units]
        worth[len(self.recipes) :] += simulation.gain + of_generator[donors]
        self.on_val, self.on_test = (
            _scored(rng, SKILL + worth / SLOPE, part.labels) for part in (self.val, self.test)
        )

    def outcome(self, subsets: int | None = None, alpha: float = ALPHA) -> Outcome:
        """The comparison of the arms, of the first subsets only where a number is given."""
        chosen = [k for k, unit in enumerate(self.units) if subsets is None or unit.subset < subsets]
        units = [self.units[k] for k in chosen]
        references = self._references(units, chosen)
        rows = np.array([self.recipes.index(references[unit]) for unit in units])
        ratios = self._ratios(units, chosen, rows)
        of_arm = {name: np.full(len(units), len(self.recipes) + k) for k, name in enumerate(self.names)}
        of_arm[CHOSEN] = np.array(
            [
                rows[k] if not ratios[unit] else len(self.recipes) + self.ratios.index(ratios[unit])
                for k, unit in enumerate(units)
            ]
        )
        values, contributed = self.on_test
        paths = [path(unit) for unit in units]
        differences = {
            name: nested_difference(
                paths,
                values[arm, chosen] - values[rows, chosen],
                contributed[arm, chosen] - contributed[rows, chosen],
                self.test.labels,
            )
            for name, arm in of_arm.items()
        }
        return Outcome(differences, holm(differences, alpha))

    def _references(self, units: list[Unit], columns: list[int]) -> dict[Unit, Recipe]:
        if self.simulation.fixed:
            return dict.fromkeys(units, AUGMENTED)
        options = {recipe: self._of_val(row, units, columns) for row, recipe in enumerate(self.recipes)}
        return cross_fitted(options, AUGMENTED, self.val)

    def _ratios(
        self, units: list[Unit], columns: list[int], rows: npt.NDArray[np.int64]
    ) -> dict[Unit, float]:
        options = {0.0: self._of_val(rows, units, columns)}
        options |= {
            ratio: self._of_val(len(self.recipes) + k, units, columns) for k, ratio in enumerate(self.ratios)
        }
        return cross_fitted(options, 0.0, self.val)

    def _of_val(
        self, rows: int | npt.NDArray[np.int64], units: list[Unit], columns: list[int]
    ) -> dict[Unit, Scored]:
        values, contributed = self.on_val
        return dict(
            zip(units, zip(values[rows, columns], contributed[rows, columns], strict=True), strict=True)
        )


def _images(n: int) -> LabeledImages:
    return LabeledImages(np.zeros((n, 1, 1, 1), np.uint8), np.arange(n) % 2, NAMES)


def _scored(rng: np.random.Generator, skill: Values, labels: npt.NDArray[np.int64]) -> tuple[Values, Values]:
    """AUROC (arms, units) of trainings of this skill, and what each image contributes (arms, units, N)."""
    hardness = rng.normal(size=len(labels))
    logits = OWN * rng.standard_normal((*skill.shape, len(labels)), np.float32)
    logits += hardness + skill[..., None] * (labels - 0.5)
    return area_contributions(labels, logits.reshape(-1, len(labels)), skill.shape)


def area_contributions(
    labels: npt.NDArray[np.int64], scores: Values, shape: tuple[int, ...]
) -> tuple[Values, Values]:
    """`influence.contributions` of AUROC for many trainings of two classes, scores (T, N) without ties."""
    order = np.argsort(scores, axis=1)
    positive = labels[order]
    n_positive = int(labels.sum())
    n_negative = len(labels) - n_positive
    outranks = np.where(
        positive, np.cumsum(1 - positive, axis=1) / n_negative, 1 - np.cumsum(positive, axis=1) / n_positive
    )
    areas = (outranks * positive).sum(axis=1) / n_positive
    centred = (outranks - areas[:, None]) / np.where(positive, n_positive, n_negative)
    contributed = np.empty_like(centred)
    np.put_along_axis(contributed, order, centred, axis=1)
    return areas.reshape(shape), contributed.reshape(*shape, -1)
