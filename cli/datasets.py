"""`synthaug datasets`: what there is, and what of it is found here."""

from pathlib import Path
from typing import Annotated, Any

import typer

from synthaug.augment.reading import ReadOptions
from synthaug.cli.files import reads_files
from synthaug.cli.options import Config, Json
from synthaug.cli.output import Output


@reads_files
def datasets(
    dataset: Annotated[
        str | None, typer.Argument(help="Show how this one is understood: a name, or a path.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="With a data set: a picture of some images of every class.")
    ] = None,
    reading: ReadOptions = ReadOptions(),
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List the data sets by name and the folders below --data-root, or show how one is understood."""
    from synthaug._api.load import known_datasets

    out = Output(as_json)
    if dataset is not None:
        _describe(dataset, sheet, reading, out)
        return
    options = reading
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


def _describe(dataset: str, sheet: Path | None, reading: ReadOptions, out: Output) -> None:
    from synthaug._api.load import described

    found = described(dataset, reading)
    facts = found.as_dict()
    shape = "×".join(str(side) for side in facts["image_shape"])
    low, high = facts["levels"]
    out.table(
        ["class", *(f">{name}" for name in found.parts)],
        [[name, *(f"{n:,}" for n in counts.values())] for name, counts in facts["classes"].items()],
        title=f"{dataset} ({facts['format']}): {facts['images']:,} images of {shape}, {facts['bits']} bits, "
        f"levels {low} to {high}",
    )
    out.say(f"split: {facts['split']}; patients: {facts['patients'] or 'not known'}")
    for reason, count in facts["passed_over"].items():
        out.say(f"passed over: {count:,} {reason}")
    if sheet is not None:
        found.write_contact_sheet(sheet)
        out.say(f"contact sheet, a row per class: {sheet}")
    out.result(facts | {"sheet": sheet})


def _short(found: str, root: Path) -> str:
    return found.removeprefix(f"{root}/") or "–"


def _count(row: dict[str, Any]) -> str:
    return f"{row['images']:,}" if row["images"] else "any" if row["name"] == "phantom" else "?"


def _classes(classes: list[str]) -> str:
    """Names, or how many there are where they would fill the screen."""
    names = " · ".join(classes)
    return names if len(names) < 60 else f"{len(classes)} classes"
