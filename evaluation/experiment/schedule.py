"""Conducting an experiment: which trainings wait for which.

Every training depends on its unit and its arm alone, so that neither the order, nor how many run side by
side, nor a stop in the middle changes a result. What is finished is in a file and not redone.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from synthaug.augment.errors import DataError
from synthaug.evaluation.experiment.arms import (
    AUGMENTED,
    Arm,
    Recipe,
    classical_arms,
    competing_arms,
    donor_arms,
    synthetic_arms,
)
from synthaug.evaluation.experiment.data import ExperimentData, plan_of
from synthaug.evaluation.experiment.design import Amount, Design, Unit
from synthaug.evaluation.experiment.procedures import train_cell
from synthaug.evaluation.experiment.processes import SideBySide, side_by_side
from synthaug.evaluation.experiment.results import (
    TrainingResult,
    cell_path,
    has_cell,
    read_result,
    write_cell,
)

Told = Callable[[str], None]
Task = tuple[Unit, Arm]


def conduct(
    lab: ExperimentData,
    design: Design,
    *,
    ratios: tuple[float, ...],
    choice: str,
    jobs: int = 1,
    on_progress: Told = lambda text: None,
) -> list[TrainingResult]:
    """Every cell: synthetic images first, then classical arms, then what is built on the best of them.

    Args:
        choice: of arms, "core" or "full".
        jobs: processes.
        told: in words of what was done.

    Raises:
        DataError: too few images of a class, labelled or synthetic; no test image of one; unlabelled images
            that are all labelled here, or a donor's.
    """
    if not all(lab.splits.test.counts().values()):
        raise DataError(f"test images {lab.splits.test.counts()}: expected some of every class")
    _check_unlabelled(lab, design)
    some = classical_arms(choice)[0].recipe  # plans do not depend on the recipe
    made_of = synthetic_arms(some, ratios, choice)
    with side_by_side(lab, jobs) as processes:
        _make_pools(lab, design, made_of, processes, on_progress)
        impossible = _impossible(lab, design, made_of, on_progress)
        first = [*classical_arms(choice), *donor_arms(donor=lab.has_donor, choice=choice)]
        cells = _make_cells(lab, [(u, arm) for u in design.units() for arm in first], processes, on_progress)
        second: list[Task] = []
        for amount in design.amounts:
            base = best_recipe(cells, amount)
            arms = synthetic_arms(base, ratios, choice)
            arms += competing_arms(
                base, donor=lab.has_donor, unlabelled=lab.unlabelled is not None, choice=choice
            )
            arms = [arm for arm in arms if arm.way not in impossible]
            second += [(unit, arm) for unit in design.units(amount) for arm in arms]
        return cells + _make_cells(lab, second, processes, on_progress)


def best_recipe(cells: Iterable[TrainingResult], amount: Amount) -> Recipe:
    """The reference for this many labels: "balanced + augmentation", unless validation knows a better one.

    Better is a mean validation AUROC higher by more than one standard error of the paired difference.
    Where validation images are easy all recipes look alike on them, and the plainest one that is ahead by
    chance would be an easy opponent.
    """
    found: dict[Recipe, dict[Unit, float]] = {}
    for cell in cells:
        if cell.arm.role == "classical" and cell.unit.amount == amount:
            found.setdefault(cell.arm.recipe, {})[cell.unit] = cell.val_auroc
    best = max(found, key=lambda recipe: float(np.mean([*found[recipe].values()])))
    if AUGMENTED not in found or len(found[AUGMENTED]) < 2:
        return best
    ahead = np.array([found[best][unit] - area for unit, area in found[AUGMENTED].items()])
    return best if ahead.mean() > ahead.std(ddof=1) / len(ahead) ** 0.5 else AUGMENTED


def trainings(
    design: Design, *, ratios: tuple[float, ...], choice: str, has_donor: bool, unlabelled: bool = False
) -> tuple[list[str], int]:
    """Names of the arms (with the plainest recipe in place of the best), and how many classifiers that is."""
    recipe = classical_arms(choice)[-1].recipe
    arms = [*classical_arms(choice), *synthetic_arms(recipe, ratios, choice)]
    arms += competing_arms(recipe, donor=has_donor, unlabelled=unlabelled, choice=choice)
    shared = donor_arms(donor=has_donor, choice=choice)
    total = sum(arm.classifiers for arm in arms) * len(list(design.units()))
    total += len(shared) * design.donors * design.inits
    return [arm.name for arm in [*arms, *shared]], total


def _check_unlabelled(lab: ExperimentData, design: Design) -> None:
    """Raise `DataError` where a recipient has no image without a label."""
    if lab.unlabelled is None:
        return
    for unit in design.units():
        if unit.init == 0 and not len(lab.unlabelled_images(unit)):
            raise DataError(
                f"{len(lab.unlabelled)} unlabelled images: with {unit.amount} all are labelled or the "
                "donor's, expected others: give another data set or fewer labels"
            )


def _make_pools(
    lab: ExperimentData, design: Design, arms: Sequence[Arm], processes: SideBySide, on_progress: Told
) -> None:
    """What is not there yet, or too few for ratios and amounts that came later: the same images and more."""
    sources = dict.fromkeys(lab.source(unit) for unit in design.units())
    wanted = {source: lab.wanted(source, arms, design) for source in sources}
    tasks = [(source, counts) for source, counts in wanted.items() if not lab.has_pool(source, counts)]
    for source in processes.run(_make_pool, tasks):
        on_progress(f"synthetic images for {source}")


def _make_pool(lab: ExperimentData, source: Unit, wanted: list[int]) -> Unit:
    lab.make_pool(source, wanted)
    return source


def _impossible(lab: ExperimentData, design: Design, arms: Sequence[Arm], on_progress: Told) -> set[str]:
    """Ways of training without the synthetic images they need, or without any use for them.

    Raises:
        DataError: there are too few for a blend.
    """
    lacking, idle = set[str](), {arm.way for arm in arms}
    for unit in design.units():
        if unit.init:
            continue
        real, have = lab.labelled(unit), lab.pool_counts(unit)
        for arm in arms:
            wanted = dict(zip(have, plan_of(real, arm), strict=True))
            if any(wanted.values()):
                idle.discard(arm.way)
            if all(have[name] >= n for name, n in wanted.items()):
                continue
            if arm.way == "blend":
                raise DataError(
                    f"synthetic images {have}: ratio {arm.ratio:g} needs {wanted}, make more of them"
                )
            lacking.add(arm.way)
    for arm in arms:
        if arm.way in lacking:
            on_progress(f"no {arm.name}: the synthetic images lack a class for it")
    return lacking | idle


def _make_cells(
    lab: ExperimentData, tasks: Iterable[Task], processes: SideBySide, on_progress: Told
) -> list[TrainingResult]:
    """Cells in the order of the tasks, from their files where they are finished."""
    paths = {cell_path(lab.folder, unit, arm): (unit, arm) for unit, arm in tasks}
    for unit, arm, area in processes.run(
        _make_cell, [task for path, task in paths.items() if not has_cell(path, task[1])]
    ):
        on_progress(f"{unit}, {arm.name}: validation AUROC {area:.3f}")
    return [read_result(path) for path in paths]


def _make_cell(lab: ExperimentData, unit: Unit, arm: Arm) -> tuple[Unit, Arm, float]:
    cell = train_cell(lab, unit, arm)
    write_cell(lab.folder, cell)
    return unit, arm, cell.val_auroc
