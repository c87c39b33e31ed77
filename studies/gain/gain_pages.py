"""docs/results/gain.md and a page per experiment, from the JSON beside them; the JSON from finished runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from measured import EXPERIMENTS, Measured
from picture import draw_gains

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import CEILING, CHOSEN, DONOR

KEPT = ("verdict", "sentence", "gains", "arms", "data", "cells", "config", "versions")
READINGS = Path(__file__).parent / "readings"  # written by people, after the run

Facts = Mapping[str, Any]  # the content of a report.json


def write_numbers(work: Path, out: Path) -> None:
    """What the pages are made of, of every finished run."""
    for name in EXPERIMENTS:
        if (report := work / name / "report.json").exists():
            facts = json.loads(report.read_text())
            with replacing(json_of(name, out)) as fresh:
                fresh.write_text(json.dumps({key: facts[key] for key in KEPT}, indent=1))


def render(out: Path) -> list[Path]:
    """The pages and the picture of all JSON files that are there."""
    found = {
        name: json.loads(path.read_text()) for name in EXPERIMENTS if (path := json_of(name, out)).exists()
    }
    apart = {name: facts for name, facts in found.items() if not EXPERIMENTS[name].own}
    own = {EXPERIMENTS[name]: facts for name, facts in found.items() if EXPERIMENTS[name].own}
    folder, pages = out / "results" / "gain", {}
    lines = [line for name, facts in apart.items() for line in summary(name, facts)]
    if lines:
        pages[folder.with_suffix(".md")] = filled(
            "gain.md.j2",
            lines=lines,
            own=bool(own),
            helped=sum(
                any(g["verdict"] == "helps" for g in gains)
                for f in apart.values()
                for _, gains in by_amount(f)
            ),
        )
        draw_gains({EXPERIMENTS[name].heading: facts["gains"] for name, facts in apart.items()}, out)
    for name, facts in apart.items():
        measured = EXPERIMENTS[name]
        known = {"name": name, "measured": measured, "facts": facts, "lines": list(arms(facts))}
        known |= {"reached": reached(measured, facts), "reading": reading(name)}
        pages[folder / f"{name}.md"] = filled("experiment.md.j2", **known)
    if own:
        lines = [line for measured, facts in own.items() for line in of_own_data(measured, facts)]
        known = {"lines": lines, "experiments": list(own), "reading": reading("own")}
        pages[folder / "own.md"] = filled("own.md.j2", **known)
    for path, text in pages.items():
        with replacing(path) as fresh:
            fresh.write_text(text)
    return list(pages)


def json_of(name: str, out: Path) -> Path:
    folder = out / "results" / "gain"
    return folder / ("own" if EXPERIMENTS[name].own else "") / f"{name}.json"


def filled(template: str, **known: Any) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    house = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return house.get_template(template).render(**known).rstrip() + "\n"


def reading(name: str) -> str:
    path = READINGS / f"{name}.md"
    return path.read_text().strip() if path.exists() else ""


def summary(name: str, facts: Facts) -> Iterator[list[str]]:
    """For every amount of labels: reference, synthetic images, best alternative, all labels."""
    for amount, gains in by_amount(facts):
        reference = gains[0]["reference"]
        chosen = next((gain for gain in gains if gain["arm"] == CHOSEN), None)
        best = [
            max((g for g in gains if g["role"] == role and g != chosen), key=area_gained, default=None)
            for role in ("synthetic", "competitor", "ceiling")
        ]
        arm = best[0]["arm"].removeprefix(f"{reference} ") if best[0] else ""
        yield [
            f"[{EXPERIMENTS[name].heading}](gain/{name}.md), {amount}",
            f"{reference}, {area_of(facts, reference, amount):.3f}",
            f"{arm}: {said(best[0])}",
            *map(said, (chosen, *best[1:])),
        ]


def area_gained(gain: Facts) -> float:
    return float(gain["auroc"]["value"])


def arms(facts: Facts) -> Iterator[list[str]]:
    """Every arm with its scores and its gain, for every amount of labels."""
    for amount, of_amount in by_amount(facts):
        gains = {gain["arm"]: gain for gain in of_amount}
        yield [f"**{amount}**", "", "", "", "", ""]
        for row in facts["arms"]:
            if row["labels"] != amount and row["arm"] not in (CEILING, DONOR):
                continue
            gain = gains.get(row["arm"])
            spread = f" ({row['AUROC SD']:.4f})" if row["AUROC SD"] is not None else ""
            images = " + ".join(f"{sum(row['images'][o].values()):,}" for o in ("real", "synthetic"))
            balanced = row["balanced accuracy"]
            scores = [f"{row['AUROC']:.4f}{spread}", "–" if balanced is None else f"{balanced:.3f}"]
            ends = [said(gain), closed(gain["gap closure"])] if gain else ["", ""]
            yield [row["arm"], images, *scores, *ends]


def reached(measured: Measured, facts: Facts) -> Iterator[str]:
    """Whether the target was met, by the arm of the highest gain among those that decide."""
    for amount, gains in by_amount(facts):
        top = max((g for g in gains if g["role"] == "synthetic"), key=area_gained)
        value, low = top["auroc"]["value"], top["auroc"]["low"]
        met = value >= measured.least and low is not None and low > measured.least / 2
        word = "met" if met and top["verdict"] == "helps" else "not met"
        yield f"{amount}: {said(top)}, **{word}**"


def of_own_data(measured: Measured, facts: Facts) -> Iterator[list[str]]:
    """A line for every amount of labels of a generator that knows the classifier's labels only."""
    for amount, gains in by_amount(facts):
        chosen = next(gain for gain in gains if gain["arm"] == CHOSEN)
        reference = chosen["reference"]
        yield [
            measured.heading,
            amount,
            f"{reference}, {area_of(facts, reference, amount):.3f}",
            said(chosen),
            f"{plain_best(facts, reference, amount):+.4f}",
            "kept" if chosen["auroc"]["value"] >= measured.least else "missed",
        ]


def plain_best(facts: Facts, reference: str, amount: str) -> float:
    """The mean gain of the best on validation of the reference and its blends, by however little."""
    gains = []
    of_amount = [cell for cell in facts["cells"] if cell["labels"] == amount]
    for unit in dict.fromkeys(unit_of(cell) for cell in of_amount):
        blends = [cell for cell in of_amount if unit_of(cell) == unit and cell["arm"] != CHOSEN]
        tried = [c for c in blends if c["arm"] in (reference, f"{reference} + synthetic {c['ratio']:g}")]
        best = max(sorted(tried, key=lambda cell: cell["ratio"]), key=lambda cell: cell["validation_auroc"])
        gains.append(best["auroc"] - next(c["auroc"] for c in tried if c["arm"] == reference))
    return float(np.mean(gains))


def unit_of(cell: Facts) -> tuple[int, int, int]:
    return cell["donor"], cell["subset"], cell["init"]


def by_amount(facts: Facts) -> Iterator[tuple[str, list[Facts]]]:
    for amount in dict.fromkeys(gain["amount"] for gain in facts["gains"]):
        yield amount, [gain for gain in facts["gains"] if gain["amount"] == amount]


def area_of(facts: Facts, arm: str, amount: str) -> float:
    return next(row["AUROC"] for row in facts["arms"] if row["arm"] == arm and row["labels"] == amount)


def said(gain: Facts | None) -> str:
    """The gain with its interval and, where it decides, the word on it."""
    if gain is None:
        return "–"
    value, low, high = (gain["auroc"][key] for key in ("value", "low", "high"))
    interval = "" if low is None else f" [{low:+.4f}, {high:+.4f}]"
    return f"{value:+.4f}{interval}" + (f", {gain['verdict']}" if gain["verdict"] else "")


def closed(share: Facts | None) -> str:
    """A share of the way from the reference to all labels; nothing where its interval is unbounded."""
    if share is None or share["low"] is None:
        return "–"
    return f"{share['value']:.0%} [{share['low']:.0%}, {share['high']:.0%}]"
