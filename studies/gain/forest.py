"""The picture of all experiments: what synthetic images, the best alternative and all labels gain."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import CHOSEN
from synthaug.evaluation.reports.gain_figures import CEILING, COMPETITOR

SYNTHETIC, BEST = "#d55e00", "#e69f00"  # told apart with any colour vision (Okabe and Ito 2008)
REACH = 0.2  # of AUROC; an interval that goes on ends in an arrow, else one such would flatten all others
KINDS = {
    "ratio chosen on validation": SYNTHETIC,
    "best synthetic arm on test (favours it)": BEST,
    "best alternative without synthetic images": COMPETITOR,
    "all labels": CEILING,
}


def draw_forest(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """One group of rows for every experiment and amount of labels.

    Args:
        found: contents of report.json by heading.
    """
    groups = [
        (f"{heading}\n{amount}", rows_of([g for g in facts["gains"] if g["amount"] == amount]))
        for heading, facts in found.items()
        for amount in dict.fromkeys(gain["amount"] for gain in facts["gains"])
    ]
    figure = Figure(figsize=(8.4, 0.6 + 1.05 * len(groups)), layout="constrained")
    axes = figure.subplots()
    ticks = []
    for number, (_, rows) in enumerate(groups):
        ticks.append(1.2 * number + 0.36)
        for place, (kind, colour) in enumerate(KINDS.items()):
            if kind in rows:
                draw_row(axes, 1.2 * number + 0.24 * place, rows[kind], colour, kind if number == 0 else "")
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(ticks, ["\n".join(map(wrapped, title.split("\n"))) for title, _ in groups], fontsize=8.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("AUROC minus that of the best arm without synthetic images")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    with replacing(path) as fresh:
        figure.savefig(fresh, dpi=130, format="png")


def rows_of(gains: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The gain that stands in each kind of row, where there is one."""

    def highest(role: str) -> dict[str, Any] | None:
        group = [gain for gain in gains if gain["role"] == role and gain["arm"] != CHOSEN]
        return max(group, key=lambda gain: gain["auroc"]["value"], default=None)

    chosen = next((gain for gain in gains if gain["arm"] == CHOSEN), None)
    found = (chosen, highest("synthetic"), highest("competitor"), highest("ceiling"))
    return {kind: gain for kind, gain in zip(KINDS, found, strict=True) if gain is not None}


def draw_row(axes: Axes, y: float, gain: Mapping[str, Any], colour: str, label: str) -> None:
    estimate = gain["auroc"]
    if estimate["low"] is not None:
        ends = [max(-REACH, estimate["low"]), min(REACH, estimate["high"])]
        axes.plot(ends, [y, y], color=colour, linewidth=2.2)
        for end, mark, goes_on in zip(
            ends, "<>", (estimate["low"] < -REACH, estimate["high"] > REACH), strict=True
        ):
            if goes_on:
                axes.plot(end, y, mark, color=colour, markersize=6)
    axes.plot(estimate["value"], y, "o", color=colour, markersize=5.5, label=label or None)


def wrapped(text: str) -> str:
    return textwrap.fill(text, 38)
