"""How often an experiment's verdict was read while it grew: kept in its run folder, limited beforehand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.gain.verdict import Looks

# options that add trainings to those that are there; reading the verdict again after them is another look
GROWING = ("fractions", "labels_per_class", "ratios", "seeds", "inits", "donors", "arms")


def this_look(folder: Path, config: Mapping[str, Any]) -> Looks:
    """The look that an experiment with this configuration would be.

    The same trainings read again are the same look. An experiment that was stopped before its report may grow
    freely.

    Raises:
        UsageError: all planned looks were had, and this would be another.
    """
    had, planned = looks_had(folder), int(config.get("looks", 1))
    wanted = _design(config)
    if wanted in had:
        return Looks(had.index(wanted) + 1, planned)
    if len(had) >= planned:
        changed = [key for key in GROWING if had and wanted.get(key) != had[-1].get(key)]
        raise UsageError(
            f"{', '.join(changed)} changed after {len(had)} of {planned} planned looks at {folder}: growing "
            "an experiment until it says something finds gains that are none; start another --out, or give "
            "--looks at the first start"
        )
    return Looks(len(had) + 1, planned)


def record_look(folder: Path, config: Mapping[str, Any]) -> None:
    """Count the look whose report stands in the folder now."""
    had, wanted = looks_had(folder, reports=False), _design(config)
    if wanted not in had:
        with replacing(folder / "looks.json") as fresh:
            fresh.write_text(json.dumps([*had, wanted], indent=1))


def looks_had(folder: Path, *, reports: bool = True) -> list[dict[str, Any]]:
    """Designs whose verdict was read; a report from before looks were counted is one."""
    if (folder / "looks.json").exists():
        looks: list[dict[str, Any]] = json.loads((folder / "looks.json").read_text())
        return looks
    if reports and (folder / "report.json").exists():
        return [_design(json.loads((folder / "report.json").read_text())["config"])]
    return []


def _design(config: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps({key: config[key] for key in GROWING if config.get(key)}))
    return plain
