"""Conducting an experiment: which trainings wait for which.

Every training depends on its unit and its arm alone, so that neither the order, nor how many run side by
side, nor a stop in the middle changes a result. What is finished is in a file and not redone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from synthaug.augment.errors import DataError
from synthaug.augment.files.processes import ProcessPool
from synthaug.augment.images import Splits
from synthaug.augment.progress import progress_bar
from synthaug.evaluation.experiment.arms import (
    Arm,
    Recipe,
    classical_arms,
    competing_arms,
    donor_arms,
    synthetic_arms,
)
from synthaug.evaluation.experiment.choice import reference_recipes
from synthaug.evaluation.experiment.data import ExperimentData, plan_of
from synthaug.evaluation.experiment.design import Design, Unit
from synthaug.evaluation.experiment.procedures import train_cell
from synthaug.evaluation.experiment.results import (
    TrainingResult,
    cell_path,
    has_cell,
    read_result,
    write_cell,
)

OnProgress = Callable[[str], None]
Task = tuple[Unit, Arm]


def conduct(
    data: ExperimentData,
    design: Design,
    *,
    ratios: tuple[float, ...],
    choice: str,
    reference: Recipe | None = None,
    jobs: int = 1,
    on_progress: OnProgress = lambda text: None,
) -> list[TrainingResult]:
    """Every cell: synthetic images first, then classical arms, then what is built on the best of them.

    Args:
        choice: of arms, "core" or "full".
        reference: the recipe that synthetic images are added to; None: chosen by `reference_recipes`.
        jobs: processes.
        on_progress: called in words of what was done.

    Raises:
        DataError: too few images of a class, labelled or synthetic; fewer than two test patients of one;
            unlabelled images that are all labelled here, or a donor's.
    """
    _check_held_out(data.splits)
    _check_unlabelled(data, design)
    some = classical_arms(choice)[0].recipe  # plans do not depend on the recipe
    made_of = synthetic_arms(some, ratios, choice)
    with one_thread(), ProcessPool(data, jobs) as pool:
        _make_pools(data, design, made_of, pool, on_progress)
        impossible = _impossible(data, design, made_of, on_progress)
        first = [*classical_arms(choice), *donor_arms(donor=data.has_donor, choice=choice)]
        cells = _make_cells(data, [(u, arm) for u in design.units() for arm in first], pool, on_progress)
        second: list[Task] = []
        for amount in design.amounts:
            recipes = reference_recipes(cells, amount, data.splits.val, reference)
            for unit in design.units(amount):
                arms = synthetic_arms(recipes[unit], ratios, choice)
                arms += competing_arms(
                    recipes[unit],
                    donor=data.has_donor,
                    unlabelled=data.unlabelled is not None,
                    choice=choice,
                )
                second += [(unit, arm) for arm in arms if arm.procedure not in impossible]
        return cells + _make_cells(data, second, pool, on_progress)


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


def _check_held_out(splits: Splits) -> None:
    """Raise `DataError` where the comparison would fail after all trainings: a class without its patients."""
    for name, images, least in (("validation", splits.val, 1), ("test", splits.test, 2)):
        patients = np.arange(len(images)) if images.groups is None else images.groups
        counts = {
            class_name: len(np.unique(patients[images.labels == label]))
            for label, class_name in enumerate(images.class_names)
        }
        if min(counts.values()) < least:
            what = "images" if images.groups is None else "patients"
            raise DataError(
                f"{name} {what} {counts}: expected {least} or more of every class, add {name} images or "
                "leave the class out"
            )


def _check_unlabelled(data: ExperimentData, design: Design) -> None:
    """Raise `DataError` where a recipient has no image without a label."""
    if data.unlabelled is None:
        return
    for unit in design.units():
        if unit.init == 0 and not len(data.unlabelled_images(unit)):
            raise DataError(
                f"{len(data.unlabelled)} unlabelled images: with {unit.amount} all are labelled or the "
                "donor's, expected others: give another data set or fewer labels"
            )


def _make_pools(
    data: ExperimentData, design: Design, arms: Sequence[Arm], pool: ProcessPool, on_progress: OnProgress
) -> None:
    """What is not there yet, or too few for ratios and amounts that came later: the same images and more."""
    sources = dict.fromkeys(data.source(unit) for unit in design.units())
    wanted = {source: data.wanted(source, arms, design) for source in sources}
    tasks = [(source, counts) for source, counts in wanted.items() if not data.has_pool(source, counts)]
    for source in _run(pool, _make_pool, tasks):
        on_progress(f"synthetic images for {source}")


def _run(pool: ProcessPool, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Results as they are finished, with a progress bar."""
    with progress_bar("trainings", len(tasks), unit="trainings") as advance:
        for result in pool.run(work, tasks, ordered=False):
            advance(1)
            yield result


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute with a single thread, as in a worker process: sums depend on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _make_pool(data: ExperimentData, source: Unit, wanted: list[int]) -> Unit:
    data.make_pool(source, wanted)
    return source


def _impossible(
    data: ExperimentData, design: Design, arms: Sequence[Arm], on_progress: OnProgress
) -> set[str]:
    """Ways of training without the synthetic images they need, or without any use for them.

    Raises:
        DataError: there are too few for a blend.
    """
    lacking, idle = set[str](), {arm.procedure for arm in arms}
    for unit in design.units():
        if unit.init:
            continue
        real, have = data.labelled(unit), data.pool_counts(unit)
        for arm in arms:
            wanted = dict(zip(have, plan_of(real, arm), strict=True))
            if any(wanted.values()):
                idle.discard(arm.procedure)
            if all(have[name] >= n for name, n in wanted.items()):
                continue
            if arm.procedure == "blend":
                raise DataError(
                    f"synthetic images {have}: ratio {arm.ratio:g} needs {wanted}, make more of them"
                )
            lacking.add(arm.procedure)
    for arm in arms:
        if arm.procedure in lacking:
            on_progress(f"no {arm.name}: the synthetic images lack a class for it")
    return lacking | idle


def _make_cells(
    data: ExperimentData, tasks: Iterable[Task], pool: ProcessPool, on_progress: OnProgress
) -> list[TrainingResult]:
    """Cells in the order of the tasks, from their files where they are finished."""
    paths = {cell_path(data.folder, unit, arm): (unit, arm) for unit, arm in tasks}
    for unit, arm, area in _run(
        pool, _make_cell, [task for path, task in paths.items() if not has_cell(path, task[1])]
    ):
        on_progress(f"{unit}, {arm.name}: validation AUROC {area:.3f}")
    return [read_result(path) for path in paths]


def _make_cell(data: ExperimentData, unit: Unit, arm: Arm) -> tuple[Unit, Arm, float]:
    cell = train_cell(data, unit, arm)
    write_cell(data.folder, cell)
    return unit, arm, cell.val_auroc
