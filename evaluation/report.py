"""report.json and report.html: everything an experiment found, in one file that opens offline."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2

from synthaug.augment.atomic import replacing
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation import figures
from synthaug.evaluation.fidelity import FidelityScore
from synthaug.evaluation.gain import Experiment, arm_table

PACKAGES = (
    "synthaug",
    "torch",
    "torchvision",
    "lightning-fabric",
    "monai",
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

    def as_dict(self) -> dict[str, Any]:
        """The content of report.json."""
        return {
            "verdict": self.experiment.verdict,
            "sentence": self.experiment.sentence,
            "gains": [asdict(gain) for gain in self.experiment.gains],
            "arms": arm_table(self.experiment, self.splits.test),
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
            "config": dict(self.config),
            "versions": versions(),
        }

    def write(self, folder: Path) -> Path:
        """Write report.json and report.html into `folder`; the path of the page."""
        facts = self.as_dict()
        with replacing(folder / "report.json") as fresh:
            fresh.write_text(json.dumps(facts, indent=1, default=str))
        with replacing(folder / "report.html") as fresh:
            fresh.write_text(self._page(facts))
        return folder / "report.html"

    def _page(self, facts: dict[str, Any]) -> str:
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        template = environment.from_string(TEMPLATE.read_text())
        cells = self.experiment.cells
        fractions = list(dict.fromkeys(cell.fraction for cell in cells))
        grids = [
            (
                name,
                figures.sample_rows(self.splits.train, label),
                figures.sample_rows(self.synthetic, self.synthetic.class_names.index(name)),
            )
            for label, name in enumerate(self.splits.class_names)
            if name in self.synthetic.class_names
        ]
        return template.render(
            facts=facts,
            gain_plot=figures.gain_intervals(self.experiment.gains),
            roc=[(f, figures.roc_curves(cells, self.splits.test, f)) for f in fractions],
            validation=[(f, figures.validation_curves(cells, f)) for f in fractions],
            generator=figures.generator_curves(self.generator_log) if self.generator_log else "",
            grids=grids,
            config=json.dumps(facts["config"], indent=1, default=str),
        )


def versions() -> dict[str, str]:
    """Of this package, of what it computes with, and of Python."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {
        "python": platform.python_version()
    }
