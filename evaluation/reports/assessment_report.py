"""The page of an assessment; an experiment's page has the same sections in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthaug.evaluation.diagnosis.assessment import Assessment
from synthaug.evaluation.reports.assessment_figures import closest_pairs, distance_histogram, floor_chart
from synthaug.evaluation.reports.figures import sample_rows
from synthaug.evaluation.reports.pages import versions, write_report
from synthaug.evaluation.score import tables


def write_assessment(assessment: Assessment, folder: Path, name: str, config: Mapping[str, Any]) -> Path:
    """Write report.json and report.html; the path of the page.

    Args:
        name: of the data set.
        config: every option that led here.
    """
    facts = assessment.as_dict() | {"config": dict(config), "versions": versions()}
    return write_report(folder, "evaluation.html", facts, {"name": name, **assessment_context(assessment)})


def assessment_context(assessment: Assessment) -> dict[str, Any]:
    """What assessment.html is filled with."""
    sets, memory = assessment.sets, assessment.memorization
    return {
        "light": assessment.light,
        "sentence": assessment.sentence,
        "findings": assessment.findings,
        "grids": [
            (name, sample_rows(sets.reference, label), sample_rows(sets.synthetic, label))
            for label, name in enumerate(sets.reference.class_names)
        ],
        "tables": [
            (table, floor_chart([s for s in table.scores if s.part == table.parts[0]]))
            for table in tables(assessment.scores)
        ],
        "published": [(table, "") for table in tables(assessment.published)],
        "memorization": memory,
        "pairs": "" if assessment.closest is None else closest_pairs(*assessment.closest),
        "distances": ""
        if memory is None
        else distance_histogram(memory.distances, memory.floor_distances, memory.threshold),
    }
