"""The section of the page on generators that know the recipient's own labelled images only."""

from collections.abc import Iterator, Mapping

from measured import Measured
from phrases import Facts, amounts, area_of, interval, said

from synthaug.evaluation.arms import CHOSEN

HEAD = (
    "| | labels | reference, AUROC | ratio chosen, by subset | gain at the ratio chosen | best fixed ratio | "
    "target |\n|---|---|---|---|---|---|---|"
)
WHAT = """The generator is trained on the labelled images that the classifier has, one for every labelled
subset. The question is not only whether this helps but whether the choice on validation images does harm: it
may take none."""


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
            f"{top['arm'].removeprefix(top['reference'] + ' ')}: {interval(top['auroc'])}",
            "kept" if chosen["auroc"]["value"] >= measured.least else "missed",
        ]
        yield f"| {' | '.join(cells)} |"
