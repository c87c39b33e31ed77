"""One training of an experiment and what came of it, in a file of its own: it is never done again."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import Arm, Recipe
from synthaug.evaluation.experiment.design import Amount, Unit
from synthaug.evaluation.statistics import Probabilities


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """An arm, trained on one unit.

    Attributes:
        counts: images per class that it was trained on, real and synthetic.
        val_auroc: on the validation images, of the checkpoint that was kept.
        threshold: of class 1, tuned on validation images; None with more than two classes.
        val, test: (N, K) probabilities of the validation and the test images.
        history: looks at the validation images while it trained.
        trts_auroc: train on real, test on synthetic: AUROC on synthetic images; None where not measured.
    """

    unit: Unit
    arm: Arm
    counts: dict[str, dict[str, int]]
    val_auroc: float
    threshold: float | None
    val: Probabilities
    test: Probabilities
    history: list[dict[str, float]]
    trts_auroc: float | None = None


def amounts_of(results: Iterable[TrainingResult]) -> list[Amount]:
    """The amounts of labels, in order."""
    return list(dict.fromkeys(result.unit.amount for result in results if not result.arm.by_donor))


def cell_path(folder: Path, unit: Unit, arm: Arm) -> Path:
    """Where the cell of an experiment's folder is kept."""
    return folder / "cells" / (unit.of_donor if arm.by_donor else unit).slug / f"{arm.slug}.npz"


def write_cell(folder: Path, cell: TrainingResult) -> None:
    """Keep a cell; a file is whole or not there.

    Files keep the keys of the first version: "mirror" is `trts_auroc`, "way" is the arm's `procedure`.
    """
    facts = {key: value for key, value in asdict(cell).items() if key not in ("val", "test")}
    facts["mirror"] = facts.pop("trts_auroc")
    facts["arm"]["way"] = facts["arm"].pop("procedure")
    with replacing(cell_path(folder, cell.unit, cell.arm)) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), val=cell.val, test=cell.test)


def has_cell(path: Path, arm: Arm) -> bool:
    """Whether an arm's cell is kept there.

    Not every arm has its recipe in its name: a cell of a former reference (validation may choose another one
    when an experiment grows) is another training.
    """
    if not path.exists():
        return False
    with np.load(path) as file:
        return Recipe(**json.loads(str(file["facts"]))["arm"]["recipe"]) == arm.recipe


def read_result(path: Path) -> TrainingResult:
    """A cell that `write_cell` kept."""
    with np.load(path) as file:
        facts: dict[str, Any] = json.loads(str(file["facts"]))
        val, test = file["val"], file["test"]
    unit, arm = facts.pop("unit"), facts.pop("arm")
    arm["procedure"], facts["trts_auroc"] = arm.pop("way"), facts.pop("mirror", None)
    return TrainingResult(
        unit=Unit(**unit | {"amount": Amount(**unit["amount"])}),
        arm=Arm(**arm | {"recipe": Recipe(**arm["recipe"])}),
        val=val,
        test=test,
        **facts,
    )
