"""An experiment's report.json and report.html: everything it found, in one file that opens offline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from synthaug.augment.images import Splits
from synthaug.augment.pictures import image_grid
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.diagnosis.assessment import Assessment
from synthaug.evaluation.experiment.arms import SYNTHETIC_ONLY
from synthaug.evaluation.experiment.design import Amount
from synthaug.evaluation.experiment.results import TrainingResult, amounts_of
from synthaug.evaluation.gain.changed_sides import Changed, ChangedSides, changed_sides
from synthaug.evaluation.gain.comparison import Gain, of_arm, paired_cells
from synthaug.evaluation.gain.rare_classes import rare_classes
from synthaug.evaluation.gain.single_pairs import SinglePair, single_pairs
from synthaug.evaluation.gain.verdict import Experiment, change, in_percent
from synthaug.evaluation.reports import gain_curves
from synthaug.evaluation.reports.arm_table import (
    BEST_CLASSICAL,
    BEST_SYNTHETIC,
    arm_table,
    main_arms,
    rows_of,
)
from synthaug.evaluation.reports.assessment_report import assessment_context
from synthaug.evaluation.reports.figures import inline_image
from synthaug.evaluation.reports.gain_facts import gain_facts, pair_facts
from synthaug.evaluation.reports.gain_figures import interval_plot, words
from synthaug.evaluation.reports.pages import versions, write_report

PICTURES = 8  # of each kind of test image that changed sides
WITH, WITHOUT = "Right with synthetic images only", "Right without them only"
SMALLEST = 96  # pixels that a picture is enlarged to
# what an interval stands for beside other test patients, by the outermost thing that was repeated
OVER = {
    "generator": "other donor splits of these training patients, each with its generator",
    "subset": "other labelled subsets of these training patients (of one generator, for that one)",
    "initialisation": "other initial weights (of this generator and labelled subset)",
    "seeds": "other initial weights and batches: with all labels every subset is the same patients",
}


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
        assessment, splits, cells = self.assessment, self.splits, self.experiment.cells
        return {
            **({"fidelity": [], "memorization": None} if assessment is None else assessment.as_dict()),
            "verdict": self.experiment.verdict,
            "sentence": self.experiment.sentence,
            "smallest_effect": self.experiment.smallest_effect,
            "looks": asdict(self.experiment.looks) | {"alpha": self.experiment.looks.alpha},
            "references": {str(amount): name for amount, name in self.experiment.references.items()},
            "gains": [gain_facts(gain) for gain in self.experiment.gains],
            "rare_classes": self.rare_classes,
            "single_pairs": [pair_facts(pair) for pairs in self.single_pairs.values() for pair in pairs],
            "arms": arm_table(cells, splits.val, splits.test),
            "main_arms": {str(amount): arms for amount, arms in self.main_arms.items()},
            "changed_sides": [
                {
                    "amount": str(amount),
                    "arm": sides.arm,
                    "reference": sides.reference,
                    "trainings": sides.trainings,
                    "gained": self._by_class(sides.gained),
                    "lost": self._by_class(sides.lost),
                }
                for amount, sides in self.changed_sides.items()
            ],
            "data": {
                "name": splits.name,
                "official_split": splits.official,
                **{part: getattr(splits, part).counts() for part in ("train", "val", "test")},
            },
            "cells": [self._cell(cell) for cell in cells],
            "config": dict(self.config),
            "versions": versions(),
        }

    @cached_property
    def main_arms(self) -> dict[Amount, dict[str, str]]:
        """By amount of labels: the arms that stand for the rest in the pictures."""
        cells, gains, references = self.experiment.cells, self.experiment.gains, self.experiment.references
        return {amount: main_arms(cells, gains, amount, references[amount]) for amount in amounts_of(cells)}

    @cached_property
    def changed_sides(self) -> dict[Amount, ChangedSides]:
        """By amount of labels: test images that the best synthetic and the best classical arm disagree on."""
        cells, labels = self.experiment.cells, self.splits.test.labels
        return {
            amount: changed_sides(
                of_arm(cells, amount, arms[BEST_SYNTHETIC]),
                of_arm(cells, amount, arms[BEST_CLASSICAL]),
                labels,
            )
            for amount, arms in self.main_arms.items()
            if BEST_SYNTHETIC in arms
        }

    @cached_property
    def rare_classes(self) -> list[str]:
        """Names."""
        return [self.splits.class_names[k] for k in rare_classes(self.experiment.cells)]

    @cached_property
    def single_pairs(self) -> dict[Amount, list[SinglePair]]:
        """By amount of labels, one training against one: what there is no interval over trainings for.

        Every arm where each was trained once; else the arm of the verdict, training by training.
        """
        cells, decisive = self.experiment.cells, self.experiment.decisive
        pairs_by_amount: dict[Amount, list[SinglePair]] = {}
        for gain in self.experiment.gains:
            if gain.difference.clusters < 2 or gain is decisive:
                arms = (of_arm(cells, gain.amount, name) for name in (gain.arm, gain.reference))
                pairs = single_pairs(paired_cells(*arms), self.splits.test.labels)
                pairs_by_amount.setdefault(gain.amount, []).extend(pairs)
        return pairs_by_amount

    def write(self, folder: Path) -> Path:
        """Write report.json and report.html into `folder`; the path of the page."""
        cells, test = self.experiment.cells, self.splits.test
        several, gains = len(self.main_arms) > 1, self.experiment.gains
        unbounded = math.isinf(gains[0].auroc.low)
        context = {
            "facts": self.facts,
            "over": "" if unbounded else OVER[_over(gains[0])],
            "decisive": self.experiment.decisive,
            "rare_change": self._rare_change(),
            "donors": len({cell.unit.donor for cell in cells}),
            "inits": len({cell.unit.init for cell in cells}),
            "patients": None if test.groups is None else len(set(test.groups.tolist())),
            "amounts": [self._amount(amount) for amount in self.main_arms],
            "trts": self._trts(),
            "learning": gain_curves.learning_curves(cells, test, self.main_arms) if several else "",
            "generator": gain_curves.generator_curves(self.generator_log) if self.generator_log else "",
        }
        images = {} if self.assessment is None else assessment_context(self.assessment)
        return write_report(
            folder, "experiment.html", self.facts, {**context, "assessed": bool(images), **images}
        )

    def _amount(self, amount: Amount) -> dict[str, Any]:
        """What the page shows of one amount of labels."""
        cells, test, arms = self.experiment.cells, self.splits.test, self.main_arms[amount]
        gains = [gain for gain in self.experiment.gains if gain.amount == amount]
        closures = [gain.closure for gain in gains if gain.closure is not None]
        sides = self.changed_sides.get(amount)
        return {
            "name": str(amount),
            "gains": [
                {
                    "gain": gain,
                    "auroc": words(gain.auroc),
                    "rare": "–" if gain.rare_auroc is None else words(gain.rare_auroc),
                    "closure": "–" if gain.closure is None else in_percent(gain.closure),
                    "others": "–" if gain.new_patients is None else words(gain.new_patients),
                    "moved": [words(gain.accuracy), words(gain.balanced_accuracy)],
                }
                for gain in gains
            ],
            "others": any(gain.new_patients and math.isfinite(gain.new_patients.low) for gain in gains),
            "closes": any(math.isfinite(closure.low) for closure in closures),
            "gap_open": bool(closures),
            "pairs": [self._pair(pair) for pair in self.single_pairs.get(amount, [])],
            "plot": interval_plot(gains),
            "unbounded": any(math.isinf(gain.auroc.low) for gain in gains),
            "main": arms,
            "rows": rows_of(self.facts["arms"], cells, amount),
            "roc": gain_curves.roc_curves(cells, test, amount, arms),
            "validation": gain_curves.validation_curves(cells, amount, arms),
            "changed": sides,
            "tiles": []
            if sides is None
            else [
                (title, self._by_class(kind), [self._picture(image) for image in kind[:PICTURES]])
                for title, kind in ((WITH, sides.gained), (WITHOUT, sides.lost))
                if kind
            ],
        }

    def _rare_change(self) -> str:
        """Of the arm that the verdict is about."""
        estimate = self.experiment.decisive.rare_auroc
        return "" if estimate is None else change(estimate)

    def _pair(self, pair: SinglePair) -> dict[str, Any]:
        """A row of the page: the training by what tells it from the others."""
        return {
            "pair": pair,
            "difference": f"{pair.value:+.3f}" if pair.delong is None else words(pair.delong.interval()),
            "p": "–" if pair.delong is None else f"{pair.delong.p_value:.2g}",
        }

    def _trts(self) -> list[tuple[str, float, float | None]]:
        """By amount of labels: AUROC of real -> synthetic (best classical arm) and of synthetic -> real."""
        aurocs = []
        for amount, arms in self.main_arms.items():
            rows = {row["arm"]: row for row in rows_of(self.facts["arms"], self.experiment.cells, amount)}
            best, synthetic = rows[arms[BEST_CLASSICAL]], rows.get(SYNTHETIC_ONLY)
            if "mirror AUROC" in best:
                aurocs.append(
                    (str(amount), best["mirror AUROC"], None if synthetic is None else synthetic["AUROC"])
                )
        return aurocs

    def _by_class(self, changed: Sequence[Changed]) -> dict[str, int]:
        """Where one class changes to one side and another to the other, only the operating point moved."""
        return self.splits.test.take([image.row for image in changed]).counts()

    def _picture(self, changed: Changed) -> tuple[str, str, Changed]:
        """A test image, its class, and how often it was decided rightly."""
        test = self.splits.test
        scale = max(1, SMALLEST // test.image_shape[1])
        picture = inline_image(image_grid(test.pixels[[changed.row]], 1, scale=scale))
        return picture, test.class_names[test.labels[changed.row]], changed

    def _cell(self, cell: TrainingResult) -> dict[str, Any]:
        unit = cell.unit
        return {
            "donor": unit.donor,
            "labels": str(unit.amount),
            "subset": unit.subset,
            "init": unit.init,
            "arm": cell.arm.name,
            "ratio": cell.arm.ratio,
            "validation_auroc": cell.val_auroc,
            "auroc": auroc(self.splits.test.labels, cell.test),
            "mirror_auroc": cell.trts_auroc,
            "threshold": cell.threshold,
            "images": cell.counts,
        }


def _over(gain: Gain) -> str:
    """What an interval stands for; subsets of all patients differ in nothing but seeds."""
    level = gain.difference.outer
    if level == "subset" and gain.new_patients is not None and math.isinf(gain.new_patients.low):
        return "seeds"
    return level
