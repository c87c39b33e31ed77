"""The picture of an experiment's gains: what each arm adds to the best classical one, with its interval."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthaug.evaluation.gain.comparison import Gain
from synthaug.evaluation.reports.figures import drawn
from synthaug.evaluation.statistics import Estimate

VERDICTS = {"helps": "#2e9d4a", "harms": "#c93a3a", "no evidence": "#57606a"}  # as on the page
COMPETITOR, SHOWN, CEILING = "#0072b2", "#a8b0b8", "#8250df"
HEADINGS = {
    "synthetic": "with synthetic images (these decide)",
    "shown": "for comparison only",
    "competitor": "what could be done instead",
}


def interval_plot(gains: Sequence[Gain]) -> str:
    """AUROC gains of one amount of labels over the best classical arm, in groups by role.

    The ceiling is a line with a band rather than a row. What lies off the axis is an arrow at its edge; its
    numbers stand at the right. A gain without an interval is a dot.
    """
    low, high = _limits(gains)
    rows, headings, bottom = _layout(gains)
    figure = Figure(figsize=(4.9, 0.31 * bottom + 0.2))
    axes = figure.subplots()
    for y, gain in rows.items():
        _draw_interval(axes, y, gain, low, high)
    for gain in gains:
        if gain.role == "ceiling":
            _draw_ceiling(axes, gain, low, high)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks([*rows, *headings], [*map(_label, rows.values()), *headings.values()], fontsize=9)
    for text in axes.get_yticklabels()[len(rows) :]:
        text.set_fontweight("bold")
    axes.tick_params(axis="y", length=0, pad=9)
    axes.set_ylim(bottom - 0.6, -0.7)
    axes.set_xlim(low, high)
    axes.locator_params(axis="x", nbins=7)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"AUROC minus that of the best classical arm:\n{gains[0].reference}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return drawn(figure)


def words(estimate: Estimate) -> str:
    """A gain with its interval, short."""
    if not np.isfinite(estimate.low):
        return f"{estimate.value:+.3f} (no interval)"
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _limits(gains: Sequence[Gain]) -> tuple[float, float]:
    """Of the axis: neither an interval of two trainings nor "synthetic only" may squeeze what decides."""
    deciding = [gain.auroc for gain in gains if gain.role == "synthetic"]
    near = 4 * max(0.005, *(abs(estimate.value) for estimate in deciding))
    known = [
        x for estimate in deciding for x in (estimate.low, estimate.value, estimate.high) if np.isfinite(x)
    ]
    ends = [0.0, *np.clip(known, -near, near)]
    far = 2.5 * float(np.abs(ends).max())
    others = [gain.auroc for gain in gains if gain.role in ("competitor", "ceiling")]
    ends += [x for estimate in others for x in (estimate.low, estimate.value, estimate.high) if abs(x) <= far]
    widest = float(np.abs(ends).max())
    shown = [gain.auroc for gain in gains if gain.role == "shown"]
    ends += [
        x for estimate in shown for x in (estimate.low, estimate.value, estimate.high) if abs(x) <= widest
    ]
    margin = 0.06 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


def _layout(gains: Sequence[Gain]) -> tuple[dict[float, Gain], dict[float, str], float]:
    """Heights of the rows and of their groups' headings, from the top down; and where they end."""
    rows: dict[float, Gain] = {}
    headings: dict[float, str] = {}
    y = 0.0
    for role, heading in HEADINGS.items():
        group = [gain for gain in gains if gain.role == role]
        if group:
            headings[y] = heading
            for gain in group:
                tall = 0.2 * _label(gain).count("\n")  # room above and below a second line
                rows[y + 1 + tall] = gain
                y += 1 + 2 * tall
            y += 1.35
    return rows, headings, y


def _label(gain: Gain) -> str:
    """The reference's name stands under the axis: a row says what it adds to it."""
    return textwrap.fill(gain.arm.replace(f"{gain.reference} + ", "+ ", 1), 40)


def _draw_interval(axes: Axes, y: float, gain: Gain, low: float, high: float) -> None:
    estimate = gain.auroc
    colour = VERDICTS[gain.verdict] if gain.verdict else {"competitor": COMPETITOR}.get(gain.role, SHOWN)
    if np.isfinite(estimate.low):
        ends = np.clip([estimate.low, estimate.high], low, high)
        axes.plot(ends, [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
    if low <= estimate.value <= high:
        face = "white" if gain.role == "shown" else colour
        axes.plot(estimate.value, y, "o", color=colour, markerfacecolor=face, markersize=6.5)
    if min(estimate.low if np.isfinite(estimate.low) else low, estimate.value) < low:
        axes.plot(low, y, "<", color=colour, markersize=5.5, clip_on=False)
    if max(estimate.high if np.isfinite(estimate.high) else high, estimate.value) > high:
        axes.plot(high, y, ">", color=colour, markersize=5.5, clip_on=False)
    label = f"{words(estimate)}{'' if gain.verdict is None else f'  {gain.verdict}'}"
    where = axes.get_yaxis_transform()
    axes.text(
        1.03,
        y,
        label,
        transform=where,
        va="center",
        fontsize=8.5,
        color=colour if gain.verdict else "#57606a",
    )


def _draw_ceiling(axes: Axes, gain: Gain, low: float, high: float) -> None:
    estimate = gain.auroc
    if np.isfinite(estimate.low):
        band = np.clip([estimate.low, estimate.high], low, high)
        axes.axvspan(band[0], band[1], color=CEILING, alpha=0.1, linewidth=0)
    if estimate.value > high:
        where, label = high, f"all labels, beyond the axis →\n{words(estimate)}"
    elif estimate.value < low:
        where, label = low, f"← all labels, beyond the axis\n{words(estimate)}"
    else:
        where, label = estimate.value, f"all labels\n{words(estimate)}"
        axes.axvline(where, color=CEILING, linewidth=1.4, linestyle="--")
    axes.text(
        where,
        1.0,
        label,
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=CEILING,
    )
