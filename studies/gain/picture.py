"""The picture of all experiments: what synthetic images, the best alternative and all labels gain."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import CHOSEN

# told apart with any colour vision (Okabe and Ito 2008)
COLOURS = {
    "ratio chosen on validation": "#d55e00",
    "best synthetic arm on test (favours it)": "#e69f00",
    "best alternative without synthetic images": "#0072b2",
    "all labels": "#009e73",
}
REACH = 0.2  # of AUROC; an interval that goes on ends at the border, else one would flatten all others


def draw_gains(found: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    """One group of rows for every experiment and amount of labels.

    Args:
        found: gains of report.json by heading.
    """
    groups = [
        (f"{textwrap.fill(heading, 38)}\n{amount}", [gain for gain in gains if gain["amount"] == amount])
        for heading, gains in found.items()
        for amount in dict.fromkeys(gain["amount"] for gain in gains)
    ]
    figure = Figure(figsize=(8.4, 0.6 + 1.05 * len(groups)), layout="constrained")
    axes = figure.subplots()
    for kind, (label, colour) in enumerate(COLOURS.items()):
        of_kind = [(1.2 * n + 0.24 * kind, of_kinds(gains)[kind]) for n, (_, gains) in enumerate(groups)]
        rows = [(y, gain["auroc"]) for y, gain in of_kind if gain is not None]
        axes.scatter([auroc["value"] for _, auroc in rows], [y for y, _ in rows], color=colour, label=label)
        ranges = [(y, auroc["low"], auroc["high"]) for y, auroc in rows if auroc["low"] is not None]
        if ranges:
            axes.hlines(*zip(*ranges, strict=True), color=colour, linewidth=2)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_xlim(-REACH, REACH)
    axes.set_yticks(
        [1.2 * n + 0.36 for n in range(len(groups))], [title for title, _ in groups], fontsize=8.5
    )
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
    axes.set_xlabel("AUROC minus that of the best arm without synthetic images")
    figure.legend(loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    with replacing(out / "images" / "gain.png") as fresh:
        figure.savefig(fresh, dpi=130, format="png")


def of_kinds(gains: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
    """The gain that stands in each kind of row, where there is one."""
    chosen = next((gain for gain in gains if gain["arm"] == CHOSEN), None)
    roles = [
        [gain for gain in gains if gain["role"] == role and gain["arm"] != CHOSEN]
        for role in ("synthetic", "competitor", "ceiling")
    ]
    return [chosen, *(max(group, key=lambda gain: gain["auroc"]["value"], default=None) for group in roles)]
