"""Report folders: report.json for programs, report.html for people, one file that opens offline."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from synthaug.augment.files.atomic import replacing

PACKAGES = (
    "synthaug",
    "torch",
    "torchvision",
    "lightning-fabric",
    "monai",
    "timm",
    "torch-fidelity",
    "torchmetrics",
    "piq",
    "scikit-learn",
    "scipy",
    "numpy",
)


def write_report(folder: Path, template: str, facts: Mapping[str, Any], context: Mapping[str, Any]) -> Path:
    """Write report.json (`facts`) and report.html (`template` filled with `context`); the path of the page.

    `facts` has the keys "config" and "versions", which the page shows too.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
    )
    page = environment.get_template(template).render(
        config=json.dumps(facts["config"], indent=1, default=str), versions=facts["versions"], **context
    )
    with replacing(folder / "report.json") as fresh:
        fresh.write_text(json.dumps(facts, indent=1, default=str, allow_nan=False), encoding="utf-8")
    with replacing(folder / "report.html") as fresh:
        fresh.write_text(page, encoding="utf-8")
    return folder / "report.html"


def versions() -> dict[str, str]:
    """Of this package, of what it computes with, and of Python."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {
        "python": platform.python_version()
    }
