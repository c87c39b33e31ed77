"""`synthaug datasets`: what there is, and what of it is found here."""

from pathlib import Path
from typing import Any

from synthaug.augment.reading import ReadOptions
from synthaug.cli.options import Config, DataRoot, Json
from synthaug.cli.output import Output


def datasets(root: DataRoot = None, config_file: Config = None, as_json: Json = False) -> None:
    """List the data sets by name, and the folders of images below --data-root."""
    from synthaug._api.load import known_datasets

    out = Output(as_json)
    options = ReadOptions(root=root)
    where = options.data_root
    rows = known_datasets(options)
    out.table(
        ["name", "found", ">images", "classes", "licence"],
        [
            [r["name"], _short(r["found"], where), _count(r), _classes(r["classes"]), r["licence"]]
            for r in rows
        ],
        title=f"data root: {where}",
    )
    out.result({"data_root": where, "datasets": rows})


def _short(found: str, root: Path) -> str:
    return found.removeprefix(f"{root}/") or "–"


def _count(row: dict[str, Any]) -> str:
    return f"{row['images']:,}" if row["images"] else "any" if row["name"] == "phantom" else "?"


def _classes(classes: list[str]) -> str:
    """Names, or how many there are where they would fill the screen."""
    names = " · ".join(classes)
    return names if len(names) < 60 else f"{len(classes)} classes"
