"""docs/results/gans.md, a JSON per table beside it, and the pictures, from whatever cells are stored."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cells import DEFAULT, Place, Record, stored
from numbers_of import whole_of
from pictures import data_of, write_picture
from protocols import DIVISIONS, PROTOCOLS
from rendering import IN_EXCESS, NEAREST, PUBLISHED, Rows, overall, pairs, per_class, ratios
from tables import Block, Choice, Table, cell_of
from verdicts import asked_class, goal, goal_few, order

from synthaug.augment.files.atomic import replacing

INTRODUCTION = """# Results: generators, side by side

Made by `studies/gans/run.py`; every number can be made again by the command above its table. `DIR` holds
the data sets, `WORK` the trained cells. {made}

**Equal process time.** Every row of a table was trained for the same process time on one thread (CPU-s), on
the same images; what it saw in that time is in the row. Twelve looks at equal marks, not counted, compare
samples with validation images in the features of a classifier trained on the generator's own images; the
latest generator of the lowest KID, but for noise, is kept, for every recipe alike. A recipe that grows was
planned, from the cost of steps spread over its growth, to be full-grown at 90 % of the time.

**The numbers** are medians over seeds with the lowest to the highest in brackets, where they differ. A seed
sets initial weights, batches and latents; the images are the same. Synthetic images, in the reference's class
mix, are held against *reference* images that neither the generator nor the looks have seen; the *floor* is
what as many of the real images that generators are trained on score in their place, also in rows with less
data. *Excess* is value minus floor. *Domain* is a classifier trained on the reference images (chosen on the
validation images); FID-768 and KID-768 are in the 768 features of the FID Inception: they compare with each
other, not with published FID-2048. *Asked class* is the share of images that the domain classifier gives the
class they were asked for. Intervals of the overall numbers are in the JSON beside this page ({rounds} subsets
each).
"""
UNPAIRED = (
    "In the published form (pairs of unrelated images of one class, and a Fréchet distance of raw pixels): "
    "to be set beside the field's tables and for nothing else, a collapsed mean image beats real ones. Read "
    "against the floor:"
)
PAIRED = "Against the nearest reference image of the class, by pixels; the best score is the floor's:"


def write_pages(tables: Mapping[str, Table], place: Place, choice: Choice, out: Path) -> list[Path]:
    """Everything that can be said of the stored cells; the files written."""
    written, sections, records = [], [], []
    for name, table in tables.items():
        found = [(block, rows_of(block, place, choice)) for block in table.blocks]
        found = [(block, rows) for block, rows in found if rows]
        if not found:
            continue
        records += [record for _, rows in found for each in rows.values() for record in each]
        images = []
        for data in data_of(table):
            path = write_picture(table, name, data, place, choice, out / "images" / "gans")
            images += [path] if path else []
        sections.append("\n\n".join(section(name, table, found, images, choice)))
        facts = out / "results" / "gans" / f"{name}.json"
        with replacing(facts) as fresh:
            fresh.write_text(as_json(table, found))
        written += [facts, *images]
    if records:
        page = out / "results" / "gans.md"
        with replacing(page) as fresh:
            fresh.write_text("\n\n".join([introduction(records), *sections]) + "\n")
        written.append(page)
    return written


def rows_of(block: Block, place: Place, choice: Choice) -> Rows:
    """Records by row, those that are stored."""
    rows: dict[str, list[Record]] = {}
    for arm in block.arms:
        cells = [cell_of(block, arm, seed, choice) for seed in range(choice.seeds)]
        if found := [record for cell in cells if (record := stored(cell, place)) is not None]:
            rows[arm.label] = found
    return rows


def introduction(records: list[Record]) -> str:
    made = {
        f"synthaug {w['synthaug']}, torch {w['torch']}, {w['precision']}, {w['threads']} thread, "
        f"{w['processor']}"
        for record in records
        for w in [record["made_with"]]
    }
    rounds = {record["made_with"]["rounds"] for record in records}
    return INTRODUCTION.format(
        made=f"Made with {'; '.join(sorted(made))}.", rounds=" or ".join(map(str, sorted(rounds)))
    ).rstrip()


def section(
    name: str, table: Table, found: list[tuple[Block, Rows]], images: list[Path], choice: Choice
) -> Iterator[str]:
    yield f"## {table.title}"
    more = f" --cpu-seconds-scale {choice.scale:g}" * (choice.scale != 1) + f" --seeds {choice.seeds}" * (
        choice.seeds != 3
    )
    yield (
        f"`python studies/gans/run.py {name} --data-root DIR --inception-weights FILE "
        f"--lpips-weights FILE --jobs 3 --work WORK{more}`"
    )
    for block, rows in found:
        yield f"### {block.heading}"
        yield protocol_in_words(block, rows)
        yield overall(rows, block.kind)
        if notes := notes_of(rows):
            yield notes
        yield from beside(block, rows)
    for path in images:
        yield f"![{table.title}]({Path('..') / 'images' / 'gans' / path.name})"


def beside(block: Block, rows: Rows) -> Iterator[str]:
    """What a kind of block has below its table."""
    if block.kind not in IN_EXCESS:
        if classes := per_class(rows):
            yield classes
        if published := pairs(rows, PUBLISHED):
            yield UNPAIRED
            yield published
            yield PAIRED
            yield pairs(rows, NEAREST)
    said: list[str] = []
    if block.kind == "goal":
        said = goal(rows) + (asked_class(rows) if block.data == "mednist" else [])
    if block.kind == "goal-few":
        said = goal_few(rows)
    if block.kind == "order":
        said = order(rows)
    if block.kind == "ablation" and DEFAULT in rows:
        yield ratios(rows, DEFAULT)
    if said:
        yield "\n".join(f"- {line}" for line in said)


def protocol_in_words(block: Block, rows: Rows) -> str:
    """Which images, how many, how long."""
    protocol = PROTOCOLS[block.data]
    record = next(iter(rows.values()))[0]
    sizes = {name: sum(record["data"][name].values()) for name in ("fit", "judge", "reference")}
    counts = ", ".join(f"{name} {n:,}" for name, n in sizes.items())
    seconds = record["cell"]["cpu_seconds"]
    colours = "RGB" if protocol.channels == 3 else "grey"
    said = f"{protocol.side} px, {colours}; {seconds:g} CPU-s; images: {counts}. "
    sentences = [DIVISIONS[protocol.division][1], protocol.about]
    return said + " ".join(f"{words[0].upper()}{words[1:]}." for words in sentences if words)


def notes_of(rows: Rows) -> str:
    """Trainings that ended early, by row and seed, and what the overall numbers are warned about."""
    early, warned = [], {}
    for label, records in rows.items():
        for record in records:
            if record["training"]["note"]:
                early.append(f"{label}, seed {record['cell']['seed']}: {record['training']['note']}")
            for row in record["scores"]:
                if row["note"] and row["part"] == whole_of(record) and row["in"] != "pairs":
                    warned.setdefault(f"{row['metric']} ({row['in']}): {row['note']}", {})[label] = None
    said = [f"Ended early, with the best look kept: {'; '.join(early)}."] if early else []
    said += [f"{note} ({', '.join(labels)})." for note, labels in warned.items()]
    return "\n".join(f"- {line}" for line in said)


def as_json(table: Table, found: list[tuple[Block, Rows]]) -> str:
    """Every number of the table with its interval, floor, counts and protocol."""
    blocks = [
        {
            "heading": block.heading,
            "rows": {
                label: [cell_as_json(record, block.kind in IN_EXCESS) for record in records]
                for label, records in rows.items()
            },
        }
        for block, rows in found
    ]
    protocols = {
        f"{row['metric']} in {row['in']}": row["protocol"]
        for _, rows in found
        for records in rows.values()
        for record in records
        for row in record["scores"]
        if row["protocol"] and row["in"] == "pairs"
    }
    return json.dumps({"title": table.title, "protocols": protocols, "blocks": blocks}, separators=(",", ":"))


def cell_as_json(record: Record, overall_only: bool) -> dict[str, Any]:
    training = {k: v for k, v in record["training"].items() if k != "looks"}
    training["kid_of_looks"] = [rounded(look["kid"]) for look in record["training"]["looks"]]
    whole = whole_of(record)
    scores = [
        {key: row[key] for key in ("metric", "in", "part", "n", "n_reference")}
        # intervals of the whole only, and pairs of the whole only: the page must stay small
        | {
            key: [rounded(v) for v in row[key][: 3 if row["part"] == whole else 1]]
            for key in ("value", "floor")
        }
        for row in record["scores"]
        if row["part"] == whole or not (overall_only or row["in"] == "pairs")
    ]
    return {"cell": record["cell"], "data": record["data"], "training": training, "scores": scores}


def rounded(value: float) -> float:
    return float(f"{value:.5g}")
