"""The section of the page on generators that know the recipient's own labelled images only."""

from collections.abc import Iterator, Mapping

import numpy as np
from measured import Measured
from phrases import Facts, amounts, area_of, interval, reading_of, said

from synthaug.evaluation.experiment.arms import CHOSEN

HEAD = (
    "| | labels | reference, AUROC | ratio chosen, by subset | gain at the ratio chosen | gain of the "
    "plain best on validation | best fixed ratio | target |\n|---|---|---|---|---|---|---|---|"
)
WHAT = """The generator is trained on the labelled images that the classifier has, one for every labelled
subset. The question is not only whether this helps but whether the choice on validation images does harm: it
may take none, and does so unless the best ratio is ahead in the *other* subsets by more than a standard
error. The choice from a subset's own trainings, in a column of its own, keeps their luck and loses most where
validation images are few."""


def own_section(found: Mapping[Measured, Facts]) -> Iterator[str]:
    """One row for every cell: a data set and an amount of labels; nothing where none is measured."""
    if not found:
        return
    yield "## Own data: a generator of one's own labelled images"
    yield WHAT
    rows = [row for measured, facts in found.items() for row in rows_of(measured, facts)]
    kept = sum(row.endswith("| kept |") for row in rows)
    target = next(iter(found)).target
    yield f"Target, over at least 24 cells: {target}. Kept in **{kept} of {len(rows)}**."
    yield from reading_of("own")
    yield "\n".join([HEAD, *rows])
    yield "\n".join(f"- `synthaug experiment {measured.command}`" for measured in found)


def rows_of(measured: Measured, facts: Facts) -> Iterator[str]:
    """A row for every amount of labels."""
    for amount in amounts(facts):
        gains = [gain for gain in facts["gains"] if gain["amount"] == amount]
        chosen = next(gain for gain in gains if gain["arm"] == CHOSEN)
        fixed = [g for g in gains if g["role"] == "synthetic" and g["arm"] not in (CHOSEN, "synthetic only")]
        top = max(fixed, key=lambda gain: gain["auroc"]["value"])
        ratios = [
            f"{cell['ratio']:g}"
            for cell in facts["cells"]
            if cell["arm"] == CHOSEN and cell["labels"] == amount
        ]
        cells = [
            measured.heading,
            amount,
            f"{chosen['reference']}, {area_of(facts, chosen['reference'], amount):.3f}",
            ", ".join(ratios),
            said(chosen),
            f"{plain_best(facts, chosen['reference'], amount):+.4f}",
            f"{top['arm'].removeprefix(top['reference'] + ' ')}: {interval(top['auroc'])}",
            "kept" if chosen["auroc"]["value"] >= measured.least else "missed",
        ]
        yield f"| {' | '.join(cells)} |"


def plain_best(facts: Facts, reference: str, amount: str) -> float:
    """The mean gain of the best on validation of the reference and its blends, by however little."""
    gains = []
    of_amount = [cell for cell in facts["cells"] if cell["labels"] == amount]
    for unit in dict.fromkeys(unit_of(cell) for cell in of_amount):
        of_unit = [cell for cell in of_amount if unit_of(cell) == unit and cell["arm"] != CHOSEN]
        tried = [c for c in of_unit if c["arm"] == reference or c["arm"] == blend_of(reference, c["ratio"])]
        best = max(sorted(tried, key=lambda cell: cell["ratio"]), key=lambda cell: cell["validation_auroc"])
        gains.append(best["auroc"] - next(c["auroc"] for c in tried if c["arm"] == reference))
    return float(np.mean(gains))


def blend_of(reference: str, ratio: float) -> str:
    return f"{reference} + synthetic {ratio:g}"


def unit_of(cell: Facts) -> tuple[int, int, int]:
    return cell["donor"], cell["subset"], cell["init"]
