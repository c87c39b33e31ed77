"""Arms beside their reference: the classical recipe that the other subsets recommend to each subset."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.experiment.arms import Recipe
from synthaug.evaluation.experiment.choice import reference_recipes
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult, amounts_of

REFERENCE = "recipe chosen on validation"  # name of the reference where subsets have different ones


def with_reference(
    results: Sequence[TrainingResult], val: LabeledImages, fixed: Recipe | None = None
) -> tuple[list[TrainingResult], dict[Amount, str]]:
    """The results that are built on their unit's reference, and the reference's name for each amount.

    Where all subsets of an amount have one recipe, names stay. Else the reference and what is built on it are
    named after `REFERENCE`, whatever recipe stands behind it in each subset.

    Args:
        fixed: see `reference_recipes`.
    """
    kept: list[TrainingResult] = []
    names: dict[Amount, str] = {}
    for amount in amounts_of(results):
        recipes = reference_recipes(results, amount, val, fixed)
        shared = set(recipes.values())
        names[amount] = REFERENCE if len(shared) > 1 else next(iter(shared)).name
        for result in results:
            if result.unit.amount == amount and not result.arm.by_donor:
                kept += _beside(result, recipes, names[amount])
    return [*kept, *(result for result in results if result.arm.by_donor)], names


def _beside(result: TrainingResult, recipes: Mapping[Unit, Recipe], name: str) -> list[TrainingResult]:
    """The result by the names of its amount; none where it is built on another recipe."""
    arm, recipe = result.arm, recipes[result.unit]
    if arm.role == "classical":
        as_reference = replace(result, arm=replace(arm, name=name))
        return [result, as_reference] if name == REFERENCE and arm.recipe == recipe else [result]
    if arm.recipe != recipe:
        return []
    if name == REFERENCE:
        arm = replace(arm, name=arm.name.replace(recipe.name, name))
    return [replace(result, arm=arm)]
