"""Curves of an experiment's main arms: AUROC over amounts of labels, ROC, how the trainings went."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from synthaug.augment.images import LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.experiment.design import Amount
from synthaug.evaluation.experiment.results import TrainingResult
from synthaug.evaluation.gain.comparison import of_arm
from synthaug.evaluation.reports.arm_table import (
    ALL_LABELS,
    BEST_CLASSICAL,
    BEST_COMPETITOR,
    BEST_SYNTHETIC,
    CHOSEN_RATIO,
)
from synthaug.evaluation.reports.figures import drawn
from synthaug.evaluation.statistics import Labels, Probabilities

# Hues that readers with any colour vision tell apart (Okabe and Ito 2008), and another dash for each.
STYLES: dict[str, dict[str, Any]] = {
    BEST_CLASSICAL: {"color": "#1b1f24", "linestyle": "-"},
    BEST_SYNTHETIC: {"color": "#d55e00", "linestyle": "-"},
    CHOSEN_RATIO: {"color": "#e69f00", "linestyle": "--"},
    BEST_COMPETITOR: {"color": "#0072b2", "linestyle": "-."},
    ALL_LABELS: {"color": "#8250df", "linestyle": ":"},
}
CURVE_POINTS = np.linspace(0, 1, 201)

Curve = npt.NDArray[np.float64]
MainArms = Mapping[str, str]  # what an arm stands for -> its name (`arm_table.main_arms`)


def learning_curves(
    cells: Sequence[TrainingResult], test: LabeledImages, arms: Mapping[Amount, MainArms]
) -> str:
    """Mean test AUROC over amounts of labels; bands from the lowest to the highest training."""
    figure, axes = _axes(6.4, 4)
    sizes = {
        amount: _labelled(of_arm(cells, amount, names[BEST_CLASSICAL])) for amount, names in arms.items()
    }
    amounts = sorted(sizes, key=sizes.__getitem__)
    for role, style in STYLES.items():
        having = [amount for amount in amounts if role in arms[amount]]
        if having:
            areas = [
                np.array(
                    [auroc(test.labels, cell.test) for cell in of_arm(cells, amount, arms[amount][role])]
                )
                for amount in having
            ]
            _banded(axes, [sizes[a] for a in having], areas, role, style | {"marker": "o", "markersize": 3.5})
    axes.set_xscale("log")
    axes.set_xticks(
        [sizes[a] for a in amounts], [f"{_short(a)}\n{sizes[a]:.0f} images" for a in amounts], fontsize=9
    )
    axes.minorticks_off()
    axes.set_xlabel("labelled training images")
    axes.set_ylabel("test AUROC")
    axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return drawn(figure)


def roc_curves(cells: Sequence[TrainingResult], test: LabeledImages, amount: Amount, arms: MainArms) -> str:
    """Mean ROC over trainings, with a band from lowest to highest; macro beyond two classes."""
    figure, axes = _axes(4.7, 4.2)
    for role, name in arms.items():
        curves = [_roc(test.labels, cell.test) for cell in of_arm(cells, amount, name)]
        _banded(axes, CURVE_POINTS, np.transpose(curves), role, STYLES[role])
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.7, linestyle="--")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("sensitivity")
    axes.legend(fontsize=8, loc="lower right")
    return drawn(figure)


def validation_curves(cells: Sequence[TrainingResult], amount: Amount, arms: MainArms) -> str:
    """Validation AUROC while it trains, mean over trainings."""
    figure, axes = _axes(4.7, 4.2)
    for role, name in arms.items():
        looks: dict[float, list[float]] = {}
        for cell in of_arm(cells, amount, name):
            for look in cell.history:
                looks.setdefault(look["step"], []).append(look["val_auroc"])
        steps = sorted(looks)
        axes.plot(steps, [np.mean(looks[step]) for step in steps], marker=".", label=role, **STYLES[role])
    axes.set_xlabel("classifier step")
    axes.set_ylabel("validation AUROC")
    axes.legend(fontsize=8, loc="lower right")
    return drawn(figure)


def generator_curves(log: Sequence[Mapping[str, Any]]) -> str:
    """Losses of a generator's training by step."""
    figure, axes = _axes(4.7, 4.2)
    for name in ("discriminator", "generator"):
        lines = [line for line in log if name in line]  # an event has no loss
        axes.plot([line["step"] for line in lines], [line[name] for line in lines], label=name)
    axes.set_xlabel("generator step")
    axes.set_ylabel("loss")
    axes.legend(fontsize=8)
    return drawn(figure)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _banded(
    axes: Axes, x: npt.ArrayLike, values: Sequence[Curve] | Curve, label: str, style: dict[str, Any]
) -> None:
    """The mean of each point's values over the band of all of them."""
    axes.plot(x, [np.mean(at_x) for at_x in values], label=label, **style)
    low, high = [np.min(at_x) for at_x in values], [np.max(at_x) for at_x in values]
    axes.fill_between(x, low, high, color=style["color"], alpha=0.1, linewidth=0)


def _short(amount: Amount) -> str:
    return f"{amount.value:g} per class" if amount.per_class else f"{100 * amount.value:.3g} %"


def _labelled(arm: Sequence[TrainingResult]) -> float:
    """Mean number of labelled images."""
    return float(np.mean([sum(cell.counts["real"].values()) for cell in arm]))


def _roc(labels: Labels, probabilities: Probabilities) -> Curve:
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    curves = []
    for k in classes:
        false_rate, true_rate, _ = roc_curve(labels == k, probabilities[:, k])
        curves.append(np.interp(CURVE_POINTS, false_rate, true_rate))
    mean: Curve = np.mean(curves, axis=0)
    return mean
