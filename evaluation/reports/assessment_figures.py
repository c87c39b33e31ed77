"""Pictures of an assessment: numbers beside their floors, the closest pairs, distances to training images."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from synthaug.augment.images import LabeledImages
from synthaug.augment.pictures import image_grid
from synthaug.evaluation.reports.figures import drawn, inline_image
from synthaug.evaluation.score import Score

ARROWS = {"higher": "↑", "lower": "↓", "floor": "≈"}


def floor_chart(scores: Sequence[Score]) -> str:
    """One line per score, each on its own axis: the value with its interval over the floor's band."""
    figure = Figure(figsize=(4.3, 0.58 * len(scores) + 0.1), layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(scores)))
    for axes, score in zip(rows, scores, strict=True):
        colour = "#d99000" if score.is_worse else "#2e9d4a"
        low, high = score.floor.low, score.floor.high
        axes.axvspan(low, high, color="#c9ced4", linewidth=0)
        axes.axvline(score.floor.value, color="#57606a", linewidth=1.2)
        axes.plot([score.value.low, score.value.high], [0, 0], color=colour, linewidth=2.5)
        axes.plot(score.value.value, 0, "o", color=colour, markersize=5)
        axes.set_yticks([0], [f"{score.metric} {ARROWS[score.better]}"])
        axes.tick_params(axis="x", labelsize=7)
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.margins(x=0.15)
        axes.set_ylim(-1, 1)
        axes.locator_params(axis="x", nbins=5)
        axes.spines[["top", "right", "left"]].set_visible(False)
    return drawn(figure)


def closest_pairs(synthetic: LabeledImages, train: LabeledImages) -> str:
    """Synthetic images above, each one's nearest training image below."""
    scale = max(1, 96 // synthetic.image_shape[1])
    return inline_image(
        image_grid(np.concatenate([synthetic.pixels, train.pixels]), len(synthetic), scale=scale)
    )


def distance_histogram(
    synthetic: npt.NDArray[np.float64], held_out: npt.NDArray[np.float64], threshold: float
) -> str:
    """Distances to the nearest training image, synthetic and held-out real, and where a near copy begins."""
    figure = Figure(figsize=(4.5, 3.2))
    axes = figure.subplots()
    edges = np.linspace(0, max(float(synthetic.max()), float(held_out.max()), threshold) * 1.02, 50).tolist()
    for distances, colour, name in ((held_out, "#57606a", "held-out real"), (synthetic, "C0", "synthetic")):
        share = np.full(len(distances), 100 / len(distances))
        axes.hist(distances, edges, weights=share, color=colour, alpha=0.55, label=name)
    axes.axvline(threshold, color="#c93a3a", linewidth=1.2, label="near copy below")
    axes.set_xlabel("distance to the nearest training image, aligned pixels")
    axes.set_ylabel("% of images")
    axes.legend(fontsize=8)
    return drawn(figure)
