"""Pictures of a report, each as an inline PNG: nothing to load when it is opened offline."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import roc_curve

from synthaug.augment.images import LabeledImages
from synthaug.augment.pictures import image_grid
from synthaug.evaluation.arms import Cell, arm_names, cells_of, share_of_labels
from synthaug.evaluation.gain import Gain
from synthaug.evaluation.statistics import Labels, Probabilities

COLOURS = [f"C{k}" for k in range(10)]
CURVE_POINTS = np.linspace(0, 1, 101)


def inline_png(data: bytes) -> str:
    """PNG bytes as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def drawn(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return inline_png(buffer.getvalue())


def sample_rows(images: LabeledImages, label: int, columns: int = 10, seed: int = 0) -> str:
    """Two rows of images of one class, drawn at random, not chosen; empty text where there are none."""
    rows = np.flatnonzero(images.labels == label)
    rows = np.random.default_rng(seed).permutation(rows)[: 2 * columns]
    if not len(rows):
        return ""
    side = images.image_shape[1]
    return inline_image(image_grid(images.pixels[rows], columns, scale=max(1, 64 // side)))


def inline_image(pixels: npt.NDArray[np.uint8]) -> str:
    """(H, W) or (H, W, 3) as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return inline_png(buffer.getvalue())


def gain_intervals(gains: Sequence[Gain]) -> str:
    """AUROC gains over the best classical arm with their intervals, and the zero line."""
    figure = Figure(figsize=(7, 0.6 + 0.42 * len(gains)))
    axes = figure.subplots()
    colour = {"helps": "tab:green", "harms": "tab:red", "no evidence": "tab:gray"}
    for row, gain in enumerate(gains):
        estimate = gain.auroc
        if np.isfinite(estimate.low):
            axes.plot([estimate.low, estimate.high], [row, row], color=colour[gain.verdict], linewidth=2.5)
        axes.plot(estimate.value, row, "o", color=colour[gain.verdict])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(gains)), [f"{share_of_labels(gain.fraction)} · {gain.arm}" for gain in gains])
    axes.set_ylim(len(gains) - 0.5, -0.5)
    axes.set_xlabel("AUROC gain over the best classical arm")
    axes.spines[["top", "right"]].set_visible(False)
    return drawn(figure)


def roc_curves(cells: list[Cell], test: LabeledImages, fraction: float) -> str:
    """Mean ROC of every arm over seeds, with a band from lowest to highest; macro beyond two classes."""
    figure = Figure(figsize=(4.5, 4))
    axes = figure.subplots()
    for number, name in enumerate(arm_names(cells, fraction)):
        curves = np.array([_roc(test.labels, cell.test) for cell in cells_of(cells, fraction, name)])
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(CURVE_POINTS, curves.mean(axis=0), color=colour, label=name)
        axes.fill_between(CURVE_POINTS, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.12)
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.7, linestyle="--")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("sensitivity")
    axes.legend(fontsize=8, loc="lower right")
    return drawn(figure)


def _roc(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    curves = []
    for k in classes:
        false_rate, true_rate, _ = roc_curve(labels == k, probabilities[:, k])
        curves.append(np.interp(CURVE_POINTS, false_rate, true_rate))
    mean: npt.NDArray[np.float64] = np.mean(curves, axis=0)
    return mean


def validation_curves(cells: list[Cell], fraction: float) -> str:
    """Validation AUROC of every arm while it trains, mean over seeds."""
    figure = Figure(figsize=(4.5, 4))
    axes = figure.subplots()
    for name in arm_names(cells, fraction):
        histories = [cell.history for cell in cells_of(cells, fraction, name)]
        steps = [look["step"] for look in histories[0]]
        axes.plot(
            steps, np.mean([[look["val_auroc"] for look in h] for h in histories], axis=0), ".-", label=name
        )
    axes.set_xlabel("classifier step")
    axes.set_ylabel("validation AUROC")
    axes.legend(fontsize=8, loc="lower right")
    return drawn(figure)


def generator_curves(log: Sequence[Mapping[str, Any]]) -> str:
    """Losses of a generator's training by step."""
    figure = Figure(figsize=(4.5, 4))
    axes = figure.subplots()
    for name in ("discriminator", "generator"):
        lines = [line for line in log if name in line]  # an event has no loss
        axes.plot([line["step"] for line in lines], [line[name] for line in lines], label=name)
    axes.set_xlabel("generator step")
    axes.set_ylabel("loss")
    axes.legend(fontsize=8)
    return drawn(figure)
