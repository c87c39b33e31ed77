"""Experiments without trainings: what networks would answer, drawn from a model whose true gain is known.

A network's log odds of an image are `SKILL` and its luck, where the image is abnormal, plus how hard the
image is for everybody, plus noise of its own. Luck is one number of each training, shared by validation and
test images: it is what selection on validation images picks up. A donor's generator has luck, too, which all
trainings with its images share. All arms are worth the same in a null; else those with synthetic images have
a true gain.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.experiment.arms import AUGMENTED, Arm, Recipe, classical_arms, synthetic_arms
from synthaug.evaluation.experiment.choice import reference_recipes
from synthaug.evaluation.experiment.design import Amount, Design, Unit
from synthaug.evaluation.experiment.results import TrainingResult

Values = npt.NDArray[np.float64]

RATIOS = {1: (0.5,), 3: (0.25, 0.5, 0.75), 5: (0.1, 0.25, 0.5, 0.75, 0.9)}
SKILL = 1.5  # between the classes, in standard deviations of how hard images are
OWN = 0.7  # noise of one network on one image, in the same unit
PAIRED_SD = 0.02  # of AUROC differences of two trainings, by luck alone
TEST, TRAIN = 200, 4000
TENTH = Amount(0.1)
NAMES = ("normal", "abnormal")


def area(skill: float) -> float:
    """True AUROC of a network."""
    return float(stats.norm.cdf(skill / (2 * (1 + OWN**2)) ** 0.5))


SLOPE = (area(SKILL + 0.01) - area(SKILL - 0.01)) / 0.02  # AUROC per unit of skill


@dataclass(frozen=True)
class Simulation:
    """One kind of experiment.

    Attributes:
        subsets: labelled subsets, of each donor.
        ratios: how many.
        donors: 1 is the scenario "own".
        choice: of arms, "core" or "full".
        val: validation images.
        gain: true AUROC gain of every arm with synthetic images.
        of_generator: standard deviation between donors of what a generator adds, in AUROC.
        fixed: the reference is "balanced + augmentation", whatever validation images say.
    """

    subsets: int
    ratios: int = 3
    donors: int = 1
    choice: str = "core"
    val: int = 500
    gain: float = 0.0
    of_generator: float = 0.0
    fixed: bool = False

    @property
    def design(self) -> Design:
        return Design((TENTH,), self.subsets, 1, self.donors)

    @property
    def key(self) -> list[int]:
        """Of the random numbers: no two kinds share any."""
        design = [self.subsets, self.ratios, self.donors, self.val]
        return [*design, self.choice == "full", round(1e4 * self.gain), self.fixed]

    def draw(self, number: int) -> tuple[list[TrainingResult], Splits]:
        """Every training of one experiment, in the order of `conduct`, and its images."""
        networks = Networks(np.random.default_rng([number, *self.key]), self)
        units = list(self.design.units())
        results = [networks.train(unit, arm) for unit in units for arm in classical_arms(self.choice)]
        recipes = reference_recipes(results, TENTH, networks.splits.val, AUGMENTED if self.fixed else None)
        results += [networks.train(unit, arm) for unit in units for arm in self.blended(recipes[unit])]
        return results, networks.splits

    def blended(self, recipe: Recipe) -> list[Arm]:
        """The arms with synthetic images that decide."""
        arms = synthetic_arms(recipe, RATIOS[self.ratios], self.choice)
        return [arm for arm in arms if arm.role == "synthetic"]


class Networks:
    """All networks of one experiment."""

    def __init__(self, rng: np.random.Generator, simulation: Simulation):
        self.rng, self.simulation = rng, simulation
        train, val, test = (images(n) for n in (TRAIN, simulation.val, TEST))
        self.splits = Splits(train, val, test, name="simulated")
        self.hardness = [rng.normal(size=len(part)) for part in (val, test)]
        self.generators = rng.normal(0, simulation.of_generator or 1e-12, simulation.donors)

    def train(self, unit: Unit, arm: Arm) -> TrainingResult:
        """What would have come of it."""
        worth = self.rng.normal(0, PAIRED_SD / 2**0.5)
        if arm.role == "synthetic":
            worth += self.simulation.gain + self.generators[unit.donor]
        val, test = (
            probabilities(self.rng, SKILL + worth / SLOPE, part.labels, hardness)
            for part, hardness in zip((self.splits.val, self.splits.test), self.hardness, strict=True)
        )
        counts = {"real": dict.fromkeys(NAMES, round(TENTH.value * TRAIN / 2))}
        return TrainingResult(unit, arm, counts, 0.5, 0.5, val, test, [])


def images(n: int) -> LabeledImages:
    return LabeledImages(np.zeros((n, 1, 1, 1), np.uint8), np.arange(n) % 2, NAMES)


def probabilities(
    rng: np.random.Generator, skill: float, labels: npt.NDArray[np.int64], hardness: Values
) -> Values:
    """(N, 2)."""
    logits = skill * (labels - 0.5) + hardness + OWN * rng.normal(size=len(labels))
    abnormal = 1 / (1 + np.exp(-logits))
    return np.stack([1 - abnormal, abnormal], axis=1)
