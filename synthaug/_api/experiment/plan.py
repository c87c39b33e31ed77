"""What an experiment would train, for how long, and how many labelled subsets find a gain."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthaug._api.experiment.options import ExperimentOptions
from synthaug._api.experiment.time import expected_seconds
from synthaug.augment.errors import UsageError
from synthaug.augment.images import Splits
from synthaug.evaluation.experiment.arms import Recipe
from synthaug.evaluation.experiment.results import read_result
from synthaug.evaluation.experiment.schedule import trainings
from synthaug.evaluation.gain.planning import expected_over_patients, pilot_sd, subsets_needed
from synthaug.evaluation.gain.verdict import compare_arms

ASSUMED_SD = 0.02  # of paired AUROC differences between labelled subsets, before any was trained


@dataclass(frozen=True)
class ExperimentPlan:
    """What would be done.

    Attributes:
        arms: by name.
        trainings: classifiers.
        seconds: wall time, from a few steps on this machine.
        sd: of paired AUROC differences between labelled subsets.
        sd_source: how it is known.
        over_patients: variance of a difference over test patients.
        comparisons: that the planned power allows for.
        effect: AUROC gain planned for.
        subsets_needed: to find it with 80 % power; None where `trouble` says why there is no answer.
    """

    arms: list[str]
    trainings: int
    seconds: float
    sd: float
    sd_source: str
    over_patients: float
    comparisons: int
    effect: float
    subsets_needed: int | None
    trouble: str = ""


def plan_experiment(
    splits: Splits, options: ExperimentOptions, folder: Path, effect: float, jobs: int | None = None
) -> ExperimentPlan:
    """Count and time an experiment without running it.

    Args:
        folder: run folder; finished trainings there tell the spread between labelled subsets.
        effect: AUROC gain to plan for.
        jobs: trainings at a time.
    """
    names, total = trainings(
        options.design,
        ratios=options.ratios,
        choice=options.arms,
        has_donor=options.has_donor,
        unlabelled=options.unlabelled is not None,
    )
    seconds = expected_seconds(splits, options, total, jobs)
    sd, (over_patients, freedom), source = spread(folder, splits, options.reference_recipe)
    comparisons = len(options.design.amounts) * (len(options.ratios) + 1 + 2 * (options.arms == "full"))
    needed, trouble = None, ""
    try:
        needed = subsets_needed(
            effect, sd, over_patients=over_patients, patient_freedom=freedom, comparisons=comparisons
        )
    except UsageError as error:  # an answer too: the test images are too few for this effect
        trouble = str(error)
    return ExperimentPlan(
        names, total, seconds, sd, source, over_patients, comparisons, effect, needed, trouble
    )


def spread(
    folder: Path, splits: Splits, reference: Recipe | None = None
) -> tuple[float, tuple[float, float], str]:
    """The spread of paired differences between labelled subsets; over test patients, with the degrees of
    freedom of that; and how it is known."""
    results = [read_result(path) for path in sorted((folder / "cells").glob("*/*.npz"))]
    if any(one.arm.procedure == "blend" for one in results) and len(results[0].test) == len(splits.test):
        gains = compare_arms(results, splits, reference=reference).gains
        pilots = [g.difference for g in gains if g.verdict is not None and g.difference.clusters > 1]
        pilots = [pilot for pilot in pilots if pilot.over_trainings > 0]
        if pilots:
            sd = float(np.median([pilot_sd(pilot) for pilot in pilots]))
            over_patients = float(np.median([pilot.over_patients for pilot in pilots]))
            freedom = min(pilot.patient_freedom for pilot in pilots)
            source = f"the upper limit of what {len(pilots)} arms in {folder} show"
            return sd, (over_patients, freedom), source
    expected = expected_over_patients(splits.test.labels, splits.test.groups)
    return ASSUMED_SD, expected, "assumed: run some, and ask again with the same --out"
