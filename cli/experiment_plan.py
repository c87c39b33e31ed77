"""What an experiment would train, for how long, and how many labelled subsets find a gain: `--dry-run`."""

from pathlib import Path
from typing import TYPE_CHECKING

from synthaug.augment.errors import UsageError
from synthaug.cli.experiment_options import ExperimentOptions
from synthaug.cli.experiment_time import expected_seconds, in_words
from synthaug.cli.output import Output

if TYPE_CHECKING:
    from synthaug.augment.images import Splits
    from synthaug.evaluation.experiment.results import TrainingResult

ASSUMED_SD = 0.02  # of paired AUROC differences between labelled subsets, before any was trained


def plan(
    splits: "Splits",
    options: ExperimentOptions,
    folder: Path,
    out: Output,
    effect: float,
    jobs: int | None = None,
) -> None:
    """Say what would be done, how long it takes, how many labelled subsets an effect needs (`--dry-run`)."""
    from synthaug.evaluation.experiment.schedule import trainings
    from synthaug.evaluation.gain.planning import subsets_needed

    names, total = trainings(
        options.design,
        ratios=options.ratios,
        choice=options.arms,
        has_donor=options.has_donor,
        unlabelled=options.unlabelled is not None,
    )
    out.say(f"{splits.name}: {total} classifiers of {options.steps} steps in {len(names)} arms:")
    for name in names:
        out.say(f"  {name}")
    seconds = expected_seconds(splits, options, total, jobs)
    out.say(f"about {in_words(seconds)}, from a few steps on this machine")
    sd, (over_patients, freedom), why = spread(folder, splits)
    comparisons = len(options.design.amounts) * (len(options.ratios) + 1 + 2 * (options.arms == "full"))
    out.say(f"a standard deviation of {sd:.3g} between subsets, {why}")
    try:
        needed = subsets_needed(
            effect, sd, over_patients=over_patients, patient_freedom=freedom, comparisons=comparisons
        )
        out.say(
            f"to find a gain of {effect:g} AUROC with 80 % power among {comparisons} comparisons: {needed} "
            "subsets (--seeds)"
        )
    except UsageError as error:  # an answer too: the test images are too few for this effect
        needed = None
        out.say(str(error))
    facts = {"trainings": total, "seconds": seconds, "arms": names, "subsets_needed": needed, "sd": sd}
    facts |= {"over_patients": over_patients}
    out.result(facts | {"config": options.as_dict()})


def spread(folder: Path, splits: "Splits") -> tuple[float, tuple[float, float], str]:
    """What paired differences vary by between labelled subsets; over test patients, with the degrees of
    freedom of that; and how it is known."""
    import numpy as np

    from synthaug.evaluation.experiment.results import read_result
    from synthaug.evaluation.gain.planning import pilot_sd
    from synthaug.evaluation.gain.verdict import judge

    cells = of_references([read_result(path) for path in sorted((folder / "cells").glob("*/*.npz"))])
    if any(cell.arm.way == "blend" for cell in cells) and len(cells[0].test) == len(splits.test):
        gains = judge(cells, splits).gains
        pilots = [g.difference for g in gains if g.verdict is not None and g.difference.clusters > 1]
        pilots = [pilot for pilot in pilots if pilot.over_trainings > 0]
        if pilots:
            sd = float(np.median([pilot_sd(pilot) for pilot in pilots]))
            over_patients = float(np.median([pilot.over_patients for pilot in pilots]))
            freedom = min(pilot.patient_freedom for pilot in pilots)
            return (
                sd,
                (over_patients, freedom),
                f"the upper limit of what {len(pilots)} arms in {folder} show",
            )
    return ASSUMED_SD, (0.0, np.inf), "assumed: run some, and ask again with the same --out"


def of_references(cells: list["TrainingResult"]) -> list["TrainingResult"]:
    """The cells but those built on a former reference: validation may choose another when a run grows."""
    from synthaug.evaluation.experiment.schedule import best_recipe

    amounts = {cell.unit.amount for cell in cells if cell.arm.role == "classical"}
    base = {amount: best_recipe(cells, amount) for amount in amounts}
    free = ("classical", "ceiling")
    return [
        cell
        for cell in cells
        if cell.arm.role in free or cell.arm.by_donor or cell.arm.recipe == base.get(cell.unit.amount)
    ]
