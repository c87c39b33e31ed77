"""The arms of an experiment: what each trains on, by a procedure of `procedures.PROCEDURES`."""

from dataclasses import dataclass
from typing import Literal

from synthaug.augment.errors import UsageError

Role = Literal["classical", "synthetic", "shown", "competitor", "ceiling"]


@dataclass(frozen=True)
class Recipe:
    """How real images alone are made the most of.

    Attributes:
        mixup: α of its Beta distribution (Zhang et al. 2018); 0 is off.
        class_weights: in the loss, by inverse frequency.
    """

    name: str
    balanced: bool = False
    augment: bool = False
    mixup: float = 0.0
    class_weights: bool = False


REAL = Recipe("real")
BALANCED = Recipe("balanced sampling", balanced=True)
AUGMENTED = Recipe("balanced + augmentation", balanced=True, augment=True)
MIXED = Recipe("balanced + augmentation + mixup", balanced=True, augment=True, mixup=0.2)
WEIGHTED = Recipe("class weights + augmentation", augment=True, class_weights=True)

CLASSICAL = {"core": (REAL, AUGMENTED), "full": (REAL, BALANCED, AUGMENTED, MIXED, WEIGHTED)}


@dataclass(frozen=True)
class Arm:
    """One training strategy that is compared with the others.

    Attributes:
        role: *classical* arms are the reference, *synthetic* arms decide the verdict, *shown* ones never do
            (nobody throws real images away), *competitors* are what could be done instead, the *ceiling* has
            all labels.
        procedure: of training, a key of `procedures.PROCEDURES`.
        recipe: what is done with the real images.
        ratio: share of the training images that is synthetic.
        by_donor: trained once per donor split and initial weights: no labelled subset goes in.
    """

    name: str
    role: Role
    procedure: str
    recipe: Recipe
    ratio: float = 0.0
    by_donor: bool = False

    @property
    def classifiers(self) -> int:
        """How many are trained for it, one after the other."""
        return 2 if self.procedure in ("ensemble", "pseudo-labelled") else 1

    @property
    def slug(self) -> str:
        """For file names."""
        return self.name.replace(" + ", "+").replace(" ", "-").replace("'", "")


def classical_arms(choice: str) -> list[Arm]:
    """Arms without synthetic images; "core" are two of them, "full" is every one."""
    return [Arm(recipe.name, "classical", "real", recipe) for recipe in CLASSICAL[choice]]


def recipe_named(name: str, choice: str) -> Recipe:
    """The recipe of a classical arm.

    Raises:
        UsageError: there is none of this name among the arms.
    """
    recipes = {recipe.name: recipe for recipe in CLASSICAL[choice]}
    if name not in recipes:
        raise UsageError(f"--reference {name} with --arms {choice}: expected one of {', '.join(recipes)}")
    return recipes[name]


def synthetic_arms(base: Recipe, ratios: tuple[float, ...], choice: str) -> list[Arm]:
    """The best classical recipe with synthetic images, by every procedure asked for."""
    arms = [Arm(with_ratio(base, ratio), "synthetic", "blend", base, ratio) for ratio in ratios]
    if choice == "full":
        arms.append(Arm(f"{base.name} + synthetic for rare classes", "synthetic", "rare", base))
        arms.append(Arm(f"pre-trained on synthetic, then {base.name}", "synthetic", "pretrained", base))
    return [*arms, Arm(SYNTHETIC_ONLY, "shown", "synthetic", base, 1.0)]


def competing_arms(base: Recipe, *, donor: bool, unlabelled: bool = False, choice: str) -> list[Arm]:
    """What else could be done for as much or less.

    Args:
        donor: there are a donor's labelled images, so a classifier could be shared instead of a generator.
        unlabelled: there are images without labels, which a classifier could label itself.
    """
    if choice != "full":
        return []
    arms = [Arm(f"ensemble of two, {base.name}", "competitor", "ensemble", base)]
    if donor:
        arms += [
            Arm(DONOR_TUNED, "competitor", "fine-tuned", base),
            Arm(DISTILLED, "competitor", "distilled", base),
        ]
    if unlabelled:
        arms.append(Arm(f"pseudo-labels, {base.name}", "competitor", "pseudo-labelled", base))
    return arms


def donor_arms(*, donor: bool, choice: str) -> list[Arm]:
    """What no labelled subset goes into: the ceiling, the donor's own classifier."""
    if choice != "full":
        return []
    arms = [Arm(CEILING, "ceiling", "all labels", AUGMENTED, by_donor=True)]
    if donor:
        arms.append(Arm(DONOR, "competitor", "donor", AUGMENTED, by_donor=True))
    return arms


SYNTHETIC_ONLY = "synthetic only"
CEILING = "all labels, balanced + augmentation"
DONOR = "the donor's classifier"
DONOR_TUNED = "the donor's classifier, fine-tuned"
DISTILLED = "distilled from the donor's classifier"
CHOSEN = "synthetic, ratio chosen on validation"


def with_ratio(base: Recipe, ratio: float) -> str:
    """The name of an arm that blends."""
    return f"{base.name} + synthetic {ratio:g}"


def check_ratios(ratios: tuple[float, ...]) -> None:
    """Raise `UsageError` for no ratio, one given twice, or one that is not a blend."""
    if not ratios or len(set(ratios)) < len(ratios) or not all(0 < ratio < 1 for ratio in ratios):
        raise UsageError(f"synthetic ratios {ratios}: expected numbers between 0 and 1, each once")
