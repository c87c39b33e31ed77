"""The picture: what every experiment found, by kind and verdict, beside the share that said "helps"."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from null_kinds import EFFECT, KINDS
from null_summary import by_arm, share

Record = dict[str, Any]

COLOURS = {"no evidence": "#57606a", "harms": "#c93a3a", "helps": "#2e9d4a"}  # as in the product's report
FAKE = "#d98c00"
LABELS = {
    "noise": "noise",
    "shuffled labels": "shuffled labels",
    "resampled reals": "the labelled images again",
    "collapsed generator": "one image per class",
    "oversampling": "copies of the rare class",
    "planted effect": f"new patients: a true +{EFFECT:g}",
}


def draw(records: Sequence[Record], path: Path) -> None:
    """Rows are kinds; left a dot for every experiment, right the share of "helps" with its exact interval."""
    rows = [name for name in LABELS if any(record["kind"] == name for record in records)]
    figure = Figure(figsize=(10.4, 0.62 * (len(rows) + 1) + 1.5))
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1], sharey=True)
    ticks: dict[float, str] = {}
    y = 0.0
    for name in rows:
        ours = [record for record in records if record["kind"] == name]
        ticks[y] = f"{LABELS[name]}\n{len(ours)} experiments"
        _dots(left, y, [largest(record) for record in ours], [record["verdict"] for record in ours])
        said = share(sum(record["verdict"] == "helps" for record in ours), len(ours))
        _share(right, y, said, "black")
        y += 1
        if KINDS[name].part == "threshold":
            seen = fake(ours)
            ticks[y] = "… seen as balanced\naccuracy at 0.5"
            _dots(left, y, [each["balanced_accuracy"] for each in seen], ["fake"] * len(seen))
            _share(right, y, share(sum(each["p"] < 0.05 for each in seen), len(seen)), FAKE)
            y += 1
    left.axvline(0, color="black", linewidth=1)
    left.set_yticks([*ticks], [*ticks.values()], fontsize=9)
    left.set_ylim(y - 0.5, -0.5)
    left.set_xlabel("AUROC (orange row: balanced accuracy) minus the reference's", fontsize=9)
    left.set_title("What was measured: a dot for every experiment", fontsize=10, loc="left", pad=16)
    right.set_title("How many say “helps”", fontsize=10, loc="left", pad=16)
    right.axvline(5, color="black", linestyle=":", linewidth=1)
    right.axvline(80, color="black", linestyle=":", linewidth=1)
    top = {"transform": right.get_xaxis_transform(), "fontsize": 8, "ha": "center", "va": "bottom"}
    right.text(5, 1.005, "5 %", **top)
    right.text(80, 1.005, "80 %", **top)
    right.set_xlim(-2, 135)
    right.set_xticks([0, 20, 40, 60, 80, 100])
    right.set_xlabel("% of experiments, exact 95 % interval", fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
        axes.set_axisbelow(True)
    right.spines["bottom"].set_bounds(-2, 100)
    for word, colour in (*COLOURS.items(), ("(no verdict; right: a paired t test calls it better)", FAKE)):
        left.plot([], [], "o", color=colour, markersize=4, label=word)
    figure.legend(*left.get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8.5, frameon=False)
    figure.tight_layout(rect=(0, 0.045, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def largest(record: Record) -> float:
    """The AUROC change of the arm with the most synthetic images."""
    ratio = f"{KINDS[record['kind']].ratios[-1]:g}"
    return float(by_arm([record])[ratio][0]["auroc"])


def fake(records: Sequence[Record]) -> list[Record]:
    """The same arm at a threshold of 0.5."""
    ratio = f"{KINDS[records[0]['kind']].ratios[-1]:g}"
    return by_arm(records, "at 0.5")[ratio]


def _dots(axes: Axes, y: float, values: list[float], words: list[str]) -> None:
    aside = np.random.default_rng(0).uniform(-0.27, 0.27, len(values))
    colours = [COLOURS.get(word, FAKE) for word in words]
    axes.scatter(values, y + aside, s=9, c=colours, alpha=0.75, linewidths=0)


def _share(axes: Axes, y: float, found: Record, colour: str) -> None:
    axes.plot([100 * found["low"], 100 * found["high"]], [y, y], color=colour, linewidth=2.4)
    axes.plot(100 * found["share"], y, "o", color=colour, markersize=6, clip_on=False)
    axes.text(106, y, f"{found['found']} of {found['of']}", va="center", fontsize=9, color=colour)
