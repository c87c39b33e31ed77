"""What validation images choose in an experiment: for every training from the trainings of the others.

A choice among k trainings is lucky: the luck of a training shows on validation and on test images alike, so
that the best of several looks better on test images than it is, however many test images there are. The
option of a training is therefore chosen without it: from the other members of the outermost level that is
repeated (donors, else labelled subsets, else initial weights). Cross-fitting keeps what the option is worth
and drops its luck (Varma & Simon 2006; Chernozhukov et al. 2018).
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from scipy import special

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.experiment.arms import AUGMENTED, Recipe
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.hierarchy import (
    Path,
    cluster_means,
    nested_difference,
    outermost,
    without_interaction,
)
from synthaug.evaluation.influence import (
    Values,
    contributions,
    patients_of_rarest_class,
    variance_over_patients,
)
from synthaug.evaluation.statistics import student_quantile

Option = TypeVar("Option")
Scored = tuple[float, Values]  # a score on validation images and what each of them contributes
Lead = tuple[float, float]  # of one option over another, and the one that is needed
OF_ONE_ERROR = float(special.ndtr(-1))


def reference_recipes(
    results: Iterable[TrainingResult], amount: Amount, val: LabeledImages, fixed: Recipe | None = None
) -> dict[Unit, Recipe]:
    """The reference for every unit of an amount of labels: the recipe that its other subsets recommend.

    It is "balanced + augmentation", unless another recipe has a higher mean validation AUROC by more than one
    standard error of the paired difference, which covers other subsets and other validation patients. Where
    validation images are easy all recipes look alike on them, and a recipe that is ahead by chance would be a
    weak reference on test images.

    Args:
        fixed: the reference of every unit, chosen before the experiment.
    """
    by_recipe: dict[Recipe, dict[Unit, Scored]] = {}
    for result in results:
        if result.arm.role == "classical" and result.unit.amount == amount:
            by_recipe.setdefault(result.arm.recipe, {})[result.unit] = scored(result, val)
    if fixed is not None:
        return dict.fromkeys(by_recipe[fixed], fixed)
    default = AUGMENTED if AUGMENTED in by_recipe else next(iter(by_recipe))
    return cross_fitted(by_recipe, default, val)


def cross_fitted(
    options: Mapping[Option, Mapping[Unit, Scored]], default: Option, val: LabeledImages
) -> dict[Unit, Option]:
    """For every unit, the option that the units of the other clusters choose, as `best_option` does.

    Args:
        options: scores of the trainings of each option, by unit, the same units for all of them.
        default: the option that needs no evidence.

    Returns:
        By unit; the default itself where nothing is repeated.
    """
    units = sorted(options[default])
    depth, clusters = outermost([path(unit) for unit in units])
    if clusters < 2:
        return dict.fromkeys(units, default)
    names = sorted({path(unit)[: depth + 1] for unit in units})
    leads: dict[Option, list[Lead]] = {
        option: [lead(by_unit, options[default], val, without=name) for name in names]
        if clusters == 2
        else leads_without_each(by_unit, options[default], val, depth)
        for option, by_unit in options.items()
        if option != default
    }
    chosen = {
        name: _taken({option: each[k] for option, each in leads.items()}, default)
        for k, name in enumerate(names)
    }
    return {unit: chosen[path(unit)[: depth + 1]] for unit in units}


def best_option(
    options: Mapping[Option, Mapping[Unit, Scored]], default: Option, val: LabeledImages
) -> Option:
    """The option of the highest mean score, if it leads the default by more than one standard error.

    The rule by which Breiman et al. (1984, section 3.4.3) choose the size of a tree. The first among equals.
    """
    return _taken(
        {
            option: lead(by_unit, options[default], val)
            for option, by_unit in options.items()
            if option != default
        },
        default,
    )


def _taken(leads: Mapping[Option, Lead], default: Option) -> Option:
    if not leads:
        return default
    best = max(leads, key=lambda option: leads[option][0])
    value, error = leads[best]
    return best if value > error else default


def leads_without_each(
    ours: Mapping[Unit, Scored], theirs: Mapping[Unit, Scored], val: LabeledImages, depth: int
) -> list[Lead]:
    """`lead` without each of three or more clusters at a depth of the hierarchy, in their order."""
    units = sorted(theirs)
    paths = [path(unit) for unit in units]
    values = cluster_means([ours[unit][0] - theirs[unit][0] for unit in units], paths, depth)
    contributed = cluster_means([ours[unit][1] - theirs[unit][1] for unit in units], paths, depth)
    n = len(values) - 1
    means = (values.sum() - values) / n
    squares = ((values**2).sum() - values**2 - n * means**2) / (n - 1)
    try:
        patients_of_rarest_class(val.labels, val.groups)
    except DataError:
        return [(float(mean), np.inf) for mean in means]
    of_means = variance_over_patients((contributed.sum(axis=0) - contributed) / n, val.labels, val.groups)
    of_each = variance_over_patients(contributed, val.labels, val.groups)
    of_trainings = np.maximum(squares, 0) / n * one_error(n) ** 2
    errors = np.sqrt(of_trainings + without_interaction(of_means, of_each.sum() - of_each, n))
    return list(zip(means.tolist(), errors.tolist(), strict=True))


def lead(
    ours: Mapping[Unit, Scored], theirs: Mapping[Unit, Scored], val: LabeledImages, without: Path = ()
) -> Lead:
    """Mean paired difference of two options' scores and its error over trainings (`one_error`) and patients.

    With one cluster the error is that over patients alone; it is infinite where a class has one patient.

    Args:
        without: the cluster whose units are left out.
    """
    units = sorted(ours.keys() & theirs.keys())
    units = [unit for unit in units if not without or path(unit)[: len(without)] != without]
    paths = [path(unit) for unit in units]
    values = [ours[unit][0] - theirs[unit][0] for unit in units]
    contributed = [ours[unit][1] - theirs[unit][1] for unit in units]
    try:
        if outermost(paths)[1] > 1:
            found = nested_difference(paths, values, contributed, val.labels, val.groups)
            of_trainings = found.over_trainings * one_error(found.clusters)
            return found.value, float(np.hypot(of_trainings, found.over_patients))
        mean = cluster_means(contributed, paths, 0)[0]
        return float(np.mean(values)), float(variance_over_patients(mean, val.labels, val.groups)) ** 0.5
    except DataError:
        return float(np.mean(values)), np.inf


def one_error(clusters: int) -> float:
    """Standard errors that an option which is worth nothing leads by in 16 % of the cases.

    One, where the error is known; more where it is that of a few trainings, which may agree by chance.
    """
    return student_quantile(OF_ONE_ERROR, clusters - 1)


def scored(result: TrainingResult, val: LabeledImages) -> Scored:
    """Validation AUROC and what each image contributes to it."""
    return contributions(auroc, val.labels, result.val)


def path(unit: Unit) -> tuple[int, int, int]:
    """Its place in the hierarchy, outermost level first."""
    return unit.donor, unit.subset, unit.init
