"""Simulated experiments by the hundred: how often the verdict is wrong, and how often a true gain is found.

    python studies/gain/null_simulated.py --work FOLDER [--experiments 500]

Every kind of experiment is a file in the work folder that holds a record of each experiment; what is there is
not run again. Part of null.py, which writes the page.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from fast_simulation import CHOSEN, Experiment, Outcome
from simulated import RATIOS, Simulation

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.gain.comparison import ALPHA
from synthaug.evaluation.gain.verdict import Looks
from synthaug.evaluation.hierarchy import Difference

Record = dict[str, Any]

SUBSETS, VALIDATION, CHOICES = (2, 4, 8, 16), (60, 500), ("core", "full")
GAINS = (0.01, 0.02, 0.03)
BETWEEN_GENERATORS = 0.01  # AUROC, in the scenario donor
BLOCK = 25  # experiments between two writes
GROWING = {"two looks": (4, 8), "eight looks": tuple(range(3, 25, 3))}


def nulls() -> dict[str, Simulation]:
    """Every design whose arms are all worth the same; with a donor, every subset has one of its own."""
    grid = product(SUBSETS, RATIOS, ("own", "donor"), CHOICES, VALIDATION)
    return {
        f"null {n} subsets, {ratios} ratios, {scenario}, {choice}, {val} validation images": Simulation(
            *((n, ratios, 1) if scenario == "own" else (1, ratios, n)),
            choice=choice,
            val=val,
            of_generator=BETWEEN_GENERATORS if scenario == "donor" else 0.0,
        )
        for n, ratios, scenario, choice, val in grid
    }


def planted() -> dict[str, Simulation]:
    """True gains: of as many subsets as are common, and of seven arms."""
    found = {
        f"gain {gain:g}, {n} subsets": Simulation(n, 3, val=500, gain=gain)
        for gain, n in product(GAINS, (4, 8, 16))
    }
    return found | {
        f"gain {gain:g} of seven arms": Simulation(8, 5, choice="full", gain=gain) for gain in GAINS
    }


def growing() -> dict[str, Simulation]:
    return {f"growing, {name}": Simulation(counts[-1], 1, fixed=True) for name, counts in GROWING.items()}


def run(name: str, simulation: Simulation, number: int) -> Record:
    """One experiment."""
    experiment = Experiment(simulation, number)
    if not simulation.fixed:
        return record_of(experiment.outcome())
    counts = GROWING[name.removeprefix("growing, ")]
    verdicts = {"spent": set[str](), "not spent": set[str]()}
    for count in counts:
        for rule, alpha in (("spent", Looks(1, len(counts)).alpha), ("not spent", ALPHA)):
            verdicts[rule].add(experiment.outcome(count, alpha).verdict)
    return {rule: sorted(words) for rule, words in verdicts.items()}


def record_of(found: Outcome) -> Record:
    half = found.differences["0.5"]
    fixed = [difference.value for name, difference in found.differences.items() if name != CHOSEN]
    record: Record = {"verdict": found.verdict, "arms": len(found.steps), "p": half.p_value}
    record |= {"half": interval_of(half), "chosen": interval_of(found.differences[CHOSEN])}
    record |= {"sd": half.over_trainings * half.clusters**0.5, "over_patients": half.over_patients}
    record |= {"decisive": found.differences[found.decisive].value, "adjusted": found.adjusted}
    return record | {"fixed": sum(fixed) / len(fixed)}


def interval_of(difference: Difference) -> list[float]:
    """Value and 95 % interval, before Holm."""
    plain = difference.interval(0.95)
    return [round(x, 6) for x in (plain.value, plain.low, plain.high)]


def path_of(work: Path, name: str) -> Path:
    return work / "simulated" / f"{name.replace(' ', '-')}.json"


def read(work: Path) -> dict[str, list[Record]]:
    """Records of every kind that has some."""
    kinds = nulls() | planted() | growing()
    return {
        name: json.loads(path_of(work, name).read_text()) for name in kinds if path_of(work, name).exists()
    }


def run_all(work: Path, experiments: int) -> None:
    """Blocks of every kind in turn: a run that is stopped shows all of them."""
    for name, simulation, end in blocks(experiments):
        path = path_of(work, name)
        records = json.loads(path.read_text()) if path.exists() else []
        if len(records) >= end:
            continue
        records += [run(name, simulation, number) for number in range(len(records), end)]
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as fresh:
            fresh.write_text(json.dumps(records, separators=(",", ":")))
        print(f"{end:4d} {name}", flush=True)


def blocks(experiments: int) -> Iterator[tuple[str, Simulation, int]]:
    kinds = planted() | growing() | nulls()
    for start in range(0, experiments, BLOCK):
        for name, simulation in kinds.items():
            yield name, simulation, min(start + BLOCK, experiments)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--experiments", type=int, default=500, help="of every kind")
    options = parser.parse_args()
    run_all(options.work, options.experiments)


if __name__ == "__main__":
    main()
