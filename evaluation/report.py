"""report.json and report.html: everything an experiment found, in one file that opens offline."""

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from synthaug.augment.atomic import replacing
from synthaug.augment.blend import match_classes
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation import figures
from synthaug.evaluation.arms import Cell, cells_of, share_of_labels
from synthaug.evaluation.classification import classifier_scores
from synthaug.evaluation.fidelity import FidelityScore
from synthaug.evaluation.gain import Experiment, Gain

PACKAGES = (
    "synthaug",
    "torch",
    "torchvision",
    "lightning-fabric",
    "monai",
    "timm",
    "torch-fidelity",
    "scikit-learn",
    "numpy",
)
TEMPLATE = Path(__file__).with_name("template.html")


@dataclass(frozen=True)
class Report:
    """What is written down of an experiment.

    Attributes:
        synthetic: a sample of the images that were judged.
        fidelity: may be empty.
        config: every option that led here.
        generator_log: lines of the generator's log.jsonl, or empty.
    """

    splits: Splits
    experiment: Experiment
    synthetic: LabeledImages
    fidelity: Sequence[FidelityScore]
    config: Mapping[str, Any]
    generator_log: Sequence[Mapping[str, Any]] = ()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The content of report.json."""
        return {
            "verdict": self.experiment.verdict,
            "sentence": self.experiment.sentence,
            "gains": [_gain(gain) for gain in self.experiment.gains],
            "arms": arm_table(self.experiment.cells, self.splits.test),
            "fidelity": [score.as_dict() for score in self.fidelity],
            "data": {
                "name": self.splits.name,
                "official_split": self.splits.official,
                **{part: getattr(self.splits, part).counts() for part in ("train", "val", "test")},
            },
            "cells": [
                {
                    "fraction": cell.fraction,
                    "seed": cell.seed,
                    "arm": cell.arm.name,
                    "validation_auroc": cell.val_auroc,
                    "threshold": cell.threshold,
                    "images": cell.counts,
                }
                for cell in self.experiment.cells
            ],
            "memorization": None,  # not measured
            "config": dict(self.config),
            "versions": versions(),
        }

    def write(self, folder: Path) -> Path:
        """Write report.json and report.html into `folder`; the path of the page."""
        facts = self.facts
        with replacing(folder / "report.json") as fresh:
            fresh.write_text(json.dumps(facts, indent=1, default=str, allow_nan=False), encoding="utf-8")
        with replacing(folder / "report.html") as fresh:
            fresh.write_text(self._page(facts), encoding="utf-8")
        return folder / "report.html"

    def _page(self, facts: dict[str, Any]) -> str:
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        environment.filters["share_of_labels"] = share_of_labels
        template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
        cells = self.experiment.cells
        fractions = list(dict.fromkeys(cell.fraction for cell in cells))
        synthetic = match_classes(self.synthetic, self.splits.class_names)
        grids = [
            (name, figures.sample_rows(self.splits.train, label), figures.sample_rows(synthetic, label))
            for label, name in enumerate(self.splits.class_names)
        ]
        return template.render(
            facts=facts,
            gain_plot=figures.gain_intervals(self.experiment.gains),
            roc=[(f, figures.roc_curves(cells, self.splits.test, f)) for f in fractions],
            validation=[(f, figures.validation_curves(cells, f)) for f in fractions],
            generator=figures.generator_curves(self.generator_log) if self.generator_log else "",
            grids=grids,
            fidelity=fidelity_tables(self.fidelity),
            config=json.dumps(facts["config"], indent=1, default=str),
        )


def fidelity_tables(scores: Sequence[FidelityScore]) -> list[dict[str, Any]]:
    """One table per extractor: a row per part, and in it the score of each metric (None where it has none).

    Returns:
        dicts of protocol, dimensions, metrics (names with the arrow of the better direction), rows of
        (part, n, n_reference, scores) and notes.
    """
    tables = []
    for protocol in dict.fromkeys(score.extractor for score in scores):
        ours = [score for score in scores if score.extractor == protocol]
        by_place = {(score.part, score.metric): score for score in ours}
        metrics = {score.metric: "↑" if score.higher_is_better else "↓" for score in ours}
        sizes = {score.part: (score.n, score.n_reference) for score in ours}
        tables.append(
            {
                "protocol": protocol,
                "dimensions": ours[0].dimensions,
                "metrics": [f"{metric} {arrow}" for metric, arrow in metrics.items()],
                "rows": [
                    (part, *n, [by_place.get((part, metric)) for metric in metrics])
                    for part, n in sizes.items()
                ],
                "notes": [f"{score.metric}, {score.part}: {score.note}" for score in ours if score.note],
            }
        )
    return tables


def _gain(gain: Gain) -> dict[str, Any]:
    """For JSON, which has no infinity: an interval without bounds has null ones."""
    interval = {key: x if math.isfinite(x) else None for key, x in asdict(gain.auroc).items()}
    return asdict(gain) | {"auroc": interval, "verdict": gain.verdict}


def arm_table(cells: list[Cell], test: LabeledImages) -> list[dict[str, Any]]:
    """Mean test scores of every arm over seeds; thresholds tuned on validation images."""
    rows = []
    for fraction, name in dict.fromkeys((cell.fraction, cell.arm.name) for cell in cells):
        arm = cells_of(cells, fraction, name)
        found = [classifier_scores(test.labels, cell.test, cell.threshold) for cell in arm]
        areas = [scores["AUROC"] for scores in found]
        rows.append(
            {
                "fraction": fraction,
                "arm": name,
                "seeds": len(arm),
                "validation AUROC": float(np.mean([cell.val_auroc for cell in arm])),
                **{score: float(np.mean([scores[score] for scores in found])) for score in found[0]},
                "AUROC SD": float(np.std(areas, ddof=1)) if len(arm) > 1 else None,
                "images": arm[0].counts,
            }
        )
    return rows


def versions() -> dict[str, str]:
    """Of this package, of what it computes with, and of Python."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {
        "python": platform.python_version()
    }
