"""An experiment's report.json and report.html: everything it found, in one file that opens offline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation import figures
from synthaug.evaluation.arms import Cell, cells_of
from synthaug.evaluation.assessment import Assessment
from synthaug.evaluation.assessment_report import assessment_context
from synthaug.evaluation.classification import classifier_scores
from synthaug.evaluation.gain import Experiment, Gain
from synthaug.evaluation.pages import versions, write_report


@dataclass(frozen=True)
class Report:
    """What is written down of an experiment.

    Attributes:
        assessment: of the synthetic images themselves, or None.
        config: every option that led here.
        generator_log: lines of the generator's log.jsonl, or empty.
    """

    splits: Splits
    experiment: Experiment
    assessment: Assessment | None
    config: Mapping[str, Any]
    generator_log: Sequence[Mapping[str, Any]] = ()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The content of report.json."""
        found = self.assessment
        return {
            **({"fidelity": [], "memorization": None} if found is None else found.as_dict()),
            "verdict": self.experiment.verdict,
            "sentence": self.experiment.sentence,
            "gains": [_gain(gain) for gain in self.experiment.gains],
            "arms": arm_table(self.experiment.cells, self.splits.test),
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
            "config": dict(self.config),
            "versions": versions(),
        }

    def write(self, folder: Path) -> Path:
        """Write report.json and report.html into `folder`; the path of the page."""
        cells = self.experiment.cells
        fractions = list(dict.fromkeys(cell.fraction for cell in cells))
        context = {
            "facts": self.facts,
            "gain_plot": figures.gain_intervals(self.experiment.gains),
            "roc": [(f, figures.roc_curves(cells, self.splits.test, f)) for f in fractions],
            "validation": [(f, figures.validation_curves(cells, f)) for f in fractions],
            "generator": figures.generator_curves(self.generator_log) if self.generator_log else "",
        }
        images = {} if self.assessment is None else assessment_context(self.assessment)
        return write_report(
            folder, "experiment.html", self.facts, {**context, "assessed": bool(images), **images}
        )


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
