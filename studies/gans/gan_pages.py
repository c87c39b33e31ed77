"""docs/results/gans.md and a page per table, from the JSON beside them; the JSON from stored cells."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cells import Choice, Place, Record
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy.stats import spearmanr
from tables import DEFAULT, Table

from synthaug.augment.files.atomic import replacing
from synthaug.generators.presets import PRESETS

HERE = Path(__file__).parent
LEAST_FID = 769  # images: with fewer the covariance of 768 features is singular, and KID takes its place
KID, FID768, KID768 = ("KID", "domain"), ("FID", "inception-768"), ("KID", "inception-768")
RECALL, AGREEMENT = ("recall", "domain"), ("agreement", "domain")
OTHERS = {"domain KID": (KID, -1), "domain FID": (("FID", "domain"), -1), "recall": (RECALL, 1)} | {
    "asked class": (AGREEMENT, 1),
    "classifier's accuracy": (("accuracy", "downstream"), 1),
}
ASKED = 0.98  # share of images with the asked class, where real ones reach it
TARGETS = {
    "wgan-gp": 1 / 5,
    "best other preset": 1 / 2,
    "without DiffAugment": 1 / 2,
}  # largest ratio of excess

Rows = Mapping[str, Sequence[Record]]  # by label, records of one seed each


def write_numbers(tables: Mapping[str, Table], place: Place, choice: Choice, out: Path) -> None:
    """A JSON per table, with whatever cells are stored."""
    for name, table in tables.items():
        blocks = []
        for block in table.blocks:
            rows = {
                arm.label: [choice.cell_of(block, arm, s) for s in range(choice.seeds)] for arm in block.arms
            }
            stored = {k: [slim(r) for c in cells if (r := place.stored(c))] for k, cells in rows.items()}
            blocks.append({"heading": block.heading, "rows": {k: r for k, r in stored.items() if r}})
        facts = {"title": table.title, "blocks": [block for block in blocks if block["rows"]]}
        with replacing(out / "results" / "gans" / f"{name}.json") as fresh:
            fresh.write_text(json.dumps(facts, separators=(",", ":")))


def slim(record: Record) -> Record:
    """Numbers with intervals, floors and counts, and where they come from."""
    kept = ("metric", "in", "part", "n", "n_reference", "value", "floor")
    training = {key: value for key, value in record["training"].items() if key != "looks"}
    training["kid_of_looks"] = [look["kid"] for look in record["training"]["looks"]]
    return record | {"training": training, "scores": [{k: row[k] for k in kept} for row in record["scores"]]}


def render(out: Path) -> list[Path]:
    """The pages of all JSON files that are there."""
    folder = out / "results" / "gans"
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    pages = {out / "results" / "gans.md": filled("gans.md.j2", tables=found, blocks=list(summary(found)))}
    for name, facts in found.items():
        data = {r["cell"]["data"] for b in facts["blocks"] for row in b["rows"].values() for r in row}
        pictures = [f"{name}-{each}.png" for each in sorted(data)]
        pictures = [picture for picture in pictures if (out / "images" / "gans" / picture).exists()]
        blocks = [described(name, block["heading"], block["rows"]) for block in facts["blocks"]]
        known = {"name": name, "title": facts["title"], "blocks": blocks, "pictures": pictures}
        pages[folder / f"{name}.md"] = filled("table.md.j2", **known)
    for path, text in pages.items():
        with replacing(path) as fresh:
            fresh.write_text(text)
    return list(pages)


def filled(template: str, **known: Any) -> str:
    house = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return house.get_template(template).render(**known).rstrip() + "\n"


def described(name: str, heading: str, rows: Rows) -> dict[str, Any]:
    """What a page says of one block."""
    first = next(iter(rows.values()))[0]
    distance = inception_distance(rows)
    sizes = {part: sum(first["data"][part].values()) for part in ("fit", "judge", "reference")}
    lines = []
    for label, records in rows.items():
        excess = [over_seeds(excesses(records, metric)) for metric in (KID, distance)]
        if name == "ablation" and label != DEFAULT:
            excess = [
                f"{said}, {lower(records, rows[DEFAULT], metric)}"
                for said, metric in zip(excess, (KID, distance), strict=True)
            ]
        plain = [over_seeds(numbers(records, metric)) for metric in (RECALL, AGREEMENT)]
        lines.append([label, over_seeds([r["training"]["images_seen"] for r in records]), *excess, *plain])
    floors = [
        over_seeds(numbers(next(iter(rows.values())), metric, "floor")[:1]) for metric in (RECALL, AGREEMENT)
    ]
    counts = {len(records) for records in rows.values()}
    return {
        "heading": heading,
        "sizes": sizes,
        "cpu_seconds": first["cell"]["cpu_seconds"],
        "seeds": "–".join(map(str, sorted(counts))),
        "distance": distance[0],
        "lines": [["*real images*", "", "0", "0", *floors], *lines],
        "best": [best(rows, metric) for metric in (KID, distance)] if len(rows) > 1 else [],
        "targets": list(targets(rows)) if name.startswith(("goal", "lifted")) else [],
        "orders": list(orders(rows)) if name == "mednist-three" else [],
        "early": [
            r["training"]["note"] for records in rows.values() for r in records if r["training"]["note"]
        ],
    }


def summary(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Blocks in which the default stands beside other presets, over seeds, each comparison once."""
    seen = set()
    for name, facts in found.items():
        for block in facts["blocks"]:
            rows = {label: records for label, records in block["rows"].items() if label in PRESETS}
            cells = [json.dumps(record["cell"]) for record in rows.get(DEFAULT, ())]
            if len(cells) < 2 or len(rows) < 2 or cells[0] in seen:
                continue
            seen.add(cells[0])
            others = {label: records for label, records in rows.items() if label != DEFAULT}
            line: dict[str, Any] = {"table": name, "heading": block["heading"]}
            line["cpu_seconds"] = rows[DEFAULT][0]["cell"]["cpu_seconds"]
            for key, metric in (("kid", KID), ("inception", inception_distance(rows))):
                mine, theirs = median(excesses(rows[DEFAULT], metric)), best(others, metric)
                line[key] = (
                    short(mine),
                    theirs,
                    metric[0],
                    mine < median(excesses(others[theirs[0]], metric)),
                )
            yield line


def inception_distance(rows: Rows) -> tuple[str, str]:
    n = [score["n"] for records in rows.values() for score in scores(records, FID768)]
    return FID768 if n and min(n) >= LEAST_FID else KID768


def scores(records: Sequence[Record], metric: tuple[str, str]) -> Iterator[Record]:
    """One per seed, overall, or of the class where there is one only."""
    for record in records:
        found = [score for score in record["scores"] if (score["metric"], score["in"]) == metric]
        yield from ([score for score in found if score["part"] == "overall"] or found)[:1]


def numbers(records: Sequence[Record], metric: tuple[str, str], which: str = "value") -> list[float]:
    return [score[which][0] for score in scores(records, metric)]


def excesses(records: Sequence[Record], metric: tuple[str, str]) -> list[float]:
    """Value minus floor: what real images score in place of the synthetic ones."""
    pairs = zip(numbers(records, metric), numbers(records, metric, "floor"), strict=True)
    return [value - floor for value, floor in pairs]


def best(rows: Rows, metric: tuple[str, str]) -> tuple[str, str]:
    """The label of the lowest median excess, and that."""
    medians = {label: median(e) for label, records in rows.items() if (e := excesses(records, metric))}
    label = min(medians, key=lambda each: medians[each], default="")
    return label, short(medians[label]) if label else "–"


def lower(records: Sequence[Record], base: Sequence[Record], metric: tuple[str, str]) -> str:
    """In how many of the seeds that both have the excess is lower than the base's."""
    ours, theirs = ({r["cell"]["seed"]: r for r in each} for each in (records, base))
    pairs = [(excesses([ours[s]], metric), excesses([theirs[s]], metric)) for s in ours if s in theirs]
    return f"lower in {sum(a < b for a, b in pairs)} of {len(pairs)}"


def targets(rows: Rows) -> Iterator[str]:
    """The default's excess as a ratio to another row's, beside what was aimed at before the first run."""
    for metric in (KID, inception_distance(rows)):
        mine = median(excesses(rows[DEFAULT], metric))
        others = {label: records for label, records in rows.items() if label != DEFAULT}
        rivals = {name: name for name in others if name in TARGETS}
        if len(others) > 1:
            rivals["best other preset"] = best(others, metric)[0]
        for which, label in rivals.items():
            theirs, most = median(excesses(others[label], metric)), TARGETS[which]
            ratio = mine / theirs if theirs > 0 else float("inf")
            met = "met" if ratio <= most else "not met"
            also = f", `{label}`" if label != which else ""
            said = f"{' in '.join(metric)}, {which}{also}: ratio {short(ratio)}, at most {short(most)}"
            yield f"{said}: **{met}**"
    shares = numbers(rows[DEFAULT], AGREEMENT)
    if len(rows) > 2 and shares and min(numbers(rows[DEFAULT], AGREEMENT, "floor")) > ASKED:
        met = "met" if median(shares) >= ASKED else "not met"
        yield f"asked class: {median(shares):.2%}, at least {ASKED:.0%}: **{met}**"


def orders(rows: Rows) -> Iterator[str]:
    """How far IS and FID agree with the other evidence, generator by generator (Spearman; 1: one order)."""
    records = [record for of_row in rows.values() for record in of_row]
    for title, metric, sign in (("IS (domain)", ("IS", "domain"), 1), ("FID-768", FID768, -1)):
        mine = [sign * value for value in numbers(records, metric)]
        agree = {
            other: spearmanr(mine, [turn * value for value in numbers(records, theirs)]).statistic
            for other, (theirs, turn) in OTHERS.items()
        }
        yield f"{title}: {', '.join(f'{other} {value:.2f}' for other, value in agree.items())}"


def over_seeds(values: Sequence[float]) -> str:
    """Median and range; one number where all read the same."""
    if not values:
        return "–"
    middle, low, high = (short(value) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def short(value: float) -> str:
    """Three significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"
