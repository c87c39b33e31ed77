"""docs/results/gain.md, every experiment's figures as JSON beside it and one picture, from finished runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from forest import draw_forest
from measured import EXPERIMENTS, Measured
from own import own_section
from phrases import Facts, amounts, area_of, interval, reading_of, said

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import CEILING, CHOSEN, DONOR

KEPT = ("verdict", "sentence", "gains", "arms", "data", "cells", "config", "versions")
INTRODUCTION = """# Results: do synthetic images help?

Made by `studies/gain/run.py`; the protocol is that of [experiment.md](../experiment.md): AUROC (macro
one-versus-rest) on test images, paired by labelled subset and initial weights, against the best arm without
synthetic images, which validation images choose; every arm has the same number of optimiser steps. Intervals
cover other donors or subsets of these training patients and other test patients; where an arm decides, they
are at the level that Holm's correction over all deciding arms gives it; from the first arm on that fails
there, every later one is *no evidence*, also where its interval lies above 0. Every target was written down
before the first run.

Judged again (`studies/gain/rejudge.py`) since the ratio of a subset or donor is chosen by the *others*:
chosen from its own trainings it kept their luck, and gained by that alone. What was stored of a training is
its AUROC, not its predictions: the error over validation patients is missing in this choice, and what cannot
be made anew is left empty. No verdict changed.

Changed after test scores had been seen: fine-tuning of the donor's classifier takes a tenth of the learning
rate now, in the competitor's favour (with the full one its best checkpoint was always that before the first
step).
"""
HEAD = (
    "| | labels | reference, AUROC | best synthetic arm | ratio chosen on validation | best alternative | "
    "all labels |\n|---|---|---|---|---|---|---|"
)


def write_page(work: Path, out: Path) -> list[Path]:
    """Everything that finished runs say; the files written."""
    found = {
        name: json.loads(report.read_text())
        for name in EXPERIMENTS
        if (report := work / name / "report.json").exists()
    }
    if not found:
        return []
    written = []
    for name, facts in found.items():
        path = out / "results" / "gain" / f"{name}.json"
        with replacing(path) as fresh:
            fresh.write_text(json.dumps({key: facts[key] for key in KEPT}, indent=1))
        written.append(path)
    return [*written, *render(found, out)]


def render(found: Mapping[str, Facts], out: Path) -> list[Path]:
    """The page and its picture of these reports; the files written."""
    found = {name: found[name] for name in EXPERIMENTS if name in found}
    written = []
    picture = out / "images" / "gain.png"
    apart = {name: facts for name, facts in found.items() if not EXPERIMENTS[name].own}
    own = {EXPERIMENTS[name]: facts for name, facts in found.items() if EXPERIMENTS[name].own}
    if apart:
        draw_forest({EXPERIMENTS[name].heading: facts for name, facts in apart.items()}, picture)
        written.append(picture)
    page = out / "results" / "gain.md"
    sections = [INTRODUCTION.rstrip()]
    sections += ["\n".join(summary(apart)), "![Gains](../images/gain.png)"] if apart else []
    sections += [part for name, facts in apart.items() for part in section(name, EXPERIMENTS[name], facts)]
    sections += own_section(own)
    with replacing(page) as fresh:
        fresh.write_text("\n\n".join(sections) + "\n")
    return [*written, page]


def summary(found: Mapping[str, Facts]) -> Iterator[str]:
    """One row for every experiment and amount of labels."""
    yield HEAD
    for name, facts in found.items():
        for amount in amounts(facts):
            gains = [gain for gain in facts["gains"] if gain["amount"] == amount]
            deciding = [g for g in gains if g["role"] == "synthetic" and g["arm"] != CHOSEN]
            chosen = next((gain for gain in gains if gain["arm"] == CHOSEN), None)
            others = [gain for gain in gains if gain["role"] == "competitor"]
            ceiling = next((gain for gain in gains if gain["role"] == "ceiling"), None)
            cells = [
                f"[{EXPERIMENTS[name].heading}](#{anchor(EXPERIMENTS[name].heading)})",
                amount,
                f"{gains[0]['reference']}, {area_of(facts, gains[0]['reference'], amount):.3f}",
                best(deciding),
                said(chosen) if chosen else "–",
                best(others),
                said(ceiling) if ceiling else "–",
            ]
            yield f"| {' | '.join(cells)} |"


def section(name: str, measured: Measured, facts: Facts) -> Iterator[str]:
    """An experiment: question, command, verdict, every arm."""
    yield f"## {measured.heading}"
    yield measured.question
    yield f"`synthaug experiment {measured.command}`"
    data = facts["data"]
    counts = "; ".join(f"{part} {sum(data[part].values()):,}" for part in ("train", "val", "test"))
    clusters = facts["gains"][0]
    yield (
        f"Images: {counts} (test: {', '.join(f'{k} {n:,}' for k, n in data['test'].items())}). "
        f"Intervals over {clusters['clusters']} {clusters['over']}s and test patients. "
        f"synthaug {facts['versions']['synthaug']}, torch {facts['versions']['torch']}."
    )
    yield f"**{facts['verdict'].capitalize()}.** {facts['sentence']}"
    yield f"Target: {measured.target}. {reached(measured, facts)}"
    yield from reading_of(name)
    for amount in amounts(facts):
        yield f"### {amount[0].upper() + amount[1:]}"
        yield "\n".join(table(facts, amount))


def table(facts: Facts, amount: str) -> Iterator[str]:
    """Every arm with its scores and its gain."""
    gains = {gain["arm"]: gain for gain in facts["gains"] if gain["amount"] == amount}
    rare = any(gain["rare auroc"] for gain in gains.values())
    head = [
        "arm",
        "trainings",
        "real + synthetic",
        "AUROC (SD)",
        "AUPRC",
        "balanced accuracy",
        "gain in AUROC",
    ]
    head += ["gain over the rare classes"] * rare + ["gap to all labels closed"]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in facts["arms"]:
        gain = gains.get(row["arm"])
        if row["labels"] != amount and row["arm"] not in (CEILING, DONOR):
            continue
        spread = f" ({row['AUROC SD']:.4f})" if row["AUROC SD"] is not None else ""
        images = " + ".join(f"{sum(row['images'][origin].values()):,}" for origin in ("real", "synthetic"))
        others = ("–" if row[key] is None else f"{row[key]:.3f}" for key in ("AUPRC", "balanced accuracy"))
        scores = f"{row['AUROC']:.4f}{spread} | {' | '.join(others)}"
        last = [said(gain)] if gain else [""]
        last += [interval(gain["rare auroc"]) if gain else ""] * rare
        last += [closed(gain["gap closure"]) if gain else ""]
        yield f"| {row['arm']} | {row['trainings']} | {images} | {scores} | {' | '.join(last)} |"


def reached(measured: Measured, facts: Facts) -> str:
    """Whether the target was met, by the arm of the highest gain among those that decide."""
    lines = []
    for amount in amounts(facts):
        deciding = [g for g in facts["gains"] if g["amount"] == amount and g["role"] == "synthetic"]
        top = max(deciding, key=lambda gain: gain["auroc"]["value"])
        value, low = top["auroc"]["value"], top["auroc"]["low"]
        met = value >= measured.least and low is not None and low > measured.least / 2
        met = met and top["verdict"] == "helps"
        lines.append(f"{amount}: {said(top)}, **{'met' if met else 'not met'}**")
    return "; ".join(lines) + "."


def best(gains: list[Facts]) -> str:
    if not gains:
        return "–"
    top = max(gains, key=lambda gain: gain["auroc"]["value"])
    return f"{top['arm'].removeprefix(top['reference'] + ' ')}: {said(top)}"


def closed(found: Facts | None) -> str:
    """A share of the way from the reference to all labels; nothing where its interval is unbounded."""
    if found is None or found["low"] is None:
        return "–"
    return f"{found['value']:.0%} [{found['low']:.0%}, {found['high']:.0%}]"


def anchor(heading: str) -> str:
    """As a heading's link is on the web: lower case, hyphens for spaces, no other signs."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")
