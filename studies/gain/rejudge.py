"""The stored experiments of docs/results/gain, judged again from what is stored of every training.

    python studies/gain/rejudge.py [--out docs]

For a change of the rules. What is stored of a training is its AUROC on validation and on test images, not
what it predicted. So the choices by validation images are made anew, for each subset or donor by the others,
with errors over trainings alone; the error over test patients is the one that the stored intervals of
fixed arms hold (for the chosen ratio: the largest of them). What cannot be made anew (accuracy where the
chosen ratio is of several arms) is left empty.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gain_pages import render

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.experiment.arms import AUGMENTED, CHOSEN
from synthaug.evaluation.experiment.choice import one_error
from synthaug.evaluation.gain.comparison import ALPHA, Gain, verdict_of
from synthaug.evaluation.gain.verdict import conclude, decisive_gain, smallest_found
from synthaug.evaluation.gain.winner import selection_adjusted
from synthaug.evaluation.hierarchy import LEVELS, Difference, cluster_means, holm, outermost
from synthaug.evaluation.reports.gain_facts import gain_facts
from synthaug.evaluation.statistics import Estimate, student_quantile

Facts = dict[str, Any]
Path3 = tuple[int, int, int]
Areas = dict[str, dict[Path3, float]]  # by arm and training
DONOR_SHARE = 0.5
UNKNOWN = Estimate(np.nan, -np.inf, np.inf)


def rejudged(facts: Facts) -> Facts:
    """The content of a report under today's rules."""
    gains, notes, rows = [], [], list(facts["arms"])
    every = [cell for cell in facts["cells"] if cell["arm"] != CHOSEN]
    for amount in dict.fromkeys(gain["amount"] for gain in facts["gains"]):
        stored = [gain for gain in facts["gains"] if gain["amount"] == amount]
        cells = [cell for cell in facts["cells"] if cell["labels"] == amount or _shared(cell, facts)]
        val, test = areas(cells, "validation_auroc"), areas(cells, "auroc")
        reference = stored[0]["reference"]
        notes.append({"amount": amount} | recommended(val, reference))
        overlap = overlap_of(facts, amount, reference)
        of_fixed = {
            gain["arm"]: stored_difference(gain, test[gain["arm"]], test[reference])
            for gain in stored
            if gain["arm"] != CHOSEN
        }
        for gain in stored:
            if gain["arm"] != CHOSEN:
                gains.append(as_gain(gain, of_fixed[gain["arm"]], overlap))
                continue
            chosen = ratios(val, reference)
            notes[-1]["ratios"] = {" ".join(map(str, path)): ratio for path, ratio in chosen.items()}
            gain, difference = of_chosen(gain, chosen, stored, test, of_fixed, reference)
            gains.append(as_gain(gain, difference, overlap))
            rows = with_chosen_row(rows, amount, chosen, val, test, reference)
            every += chosen_cells(cells, chosen, reference)
    gains = decided(gains)
    decisive = decisive_gain(gains)[1]
    smallest = smallest_found(decisive, gains)
    verdict, sentence = conclude(gains, smallest=smallest)
    found = [gain_facts(gain) | {"amount": gain.amount} for gain in gains]
    judged = {"verdict": verdict, "sentence": sentence, "gains": found, "arms": rows, "cells": every}
    return facts | judged | {"judged again": {"rules": "choices by the other subsets", "choices": notes}}


def areas(cells: Sequence[Facts], key: str) -> Areas:
    found: Areas = {}
    for cell in cells:
        found.setdefault(cell["arm"], {})[cell["donor"], cell["subset"], cell["init"]] = cell[key]
    return found


def _shared(cell: Facts, facts: Facts) -> bool:
    """Whether it is of an arm that no labelled subset goes into."""
    return cell["arm"] in ("the donor's classifier", "all labels, balanced + augmentation")


def chosen_cells(cells: Sequence[Facts], chosen: Mapping[Path3, float], reference: str) -> list[Facts]:
    """Those of the ratios chosen, as trainings of an arm of its own."""
    found = []
    for path, ratio in chosen.items():
        name = f"{reference} + synthetic {ratio:g}" if ratio else reference
        found += [
            cell | {"arm": CHOSEN}
            for cell in cells
            if cell["arm"] == name and (cell["donor"], cell["subset"], cell["init"]) == path
        ]
    return found


def recommended(val: Areas, reference: str) -> Facts:
    """The reference that the others recommend to each cluster, beside the one that arms were built on."""
    names = [row for row in val if row in CLASSICAL_NAMES]
    chosen = from_others({name: val[name] for name in names}, AUGMENTED.name)
    differ = sum(name != reference for name in chosen.values())
    return {"reference": reference, "others recommend another": f"{differ} of {len(chosen)} trainings"}


CLASSICAL_NAMES = (
    "real",
    "balanced sampling",
    "balanced + augmentation",
    "balanced + augmentation + mixup",
    "class weights + augmentation",
)


def ratios(val: Areas, reference: str) -> dict[Path3, float]:
    """Of every training, from those of the other clusters."""
    options: dict[Any, dict[Path3, float]] = {0.0: val[reference]}
    prefix = f"{reference} + synthetic "
    named = {name: name.removeprefix(prefix) for name in val if name.startswith(prefix)}
    blends = {float(text): name for name, text in named.items() if text.replace(".", "").isdigit()}
    options |= {ratio: val[blends[ratio]] for ratio in sorted(blends)}
    return from_others(options, 0.0)


def from_others(options: Mapping[Any, Mapping[Path3, float]], default: Any) -> dict[Path3, Any]:
    """`choice.cross_fitted` without the error over validation patients."""
    paths = sorted(options[default])
    depth, clusters = outermost(paths)
    if clusters < 2:
        return dict.fromkeys(paths, default)
    chosen = {}
    for path in paths:
        others = [other for other in paths if other[: depth + 1] != path[: depth + 1]]
        leads = {}
        for option, by_path in options.items():
            if option == default:
                continue
            ahead = [by_path[other] - options[default][other] for other in others]
            inner, n = outermost(others)
            means = cluster_means(ahead, others, inner)
            error = float(means.std(ddof=1)) / n**0.5 * one_error(n) if n > 1 else np.inf
            leads[option] = (float(means.mean()), error)
        best = max(leads, key=lambda option: leads[option][0]) if leads else default
        chosen[path] = best if leads and leads[best][0] > leads[best][1] else default
    return chosen


def stored_difference(gain: Facts, ours: Mapping[Path3, float], theirs: Mapping[Path3, float]) -> Difference:
    """The difference behind a stored interval: its error over patients is what trainings do not explain."""
    paths = sorted(theirs)
    ahead = [ours.get(path, ours.get((path[0], 0, path[2]), np.nan)) - theirs[path] for path in paths]
    depth, n = outermost(paths)
    means = cluster_means(ahead, paths, depth)
    over_trainings = float(means.std(ddof=1)) / n**0.5
    interval, p = gain["auroc"], 1 - gain["auroc"]["level"]
    half = (interval["high"] - interval["low"]) / 2
    of_trainings = over_trainings * student_quantile(p / 2, n - 1)
    patients = max(0.0, half**2 - of_trainings**2) ** 0.5 / student_quantile(p / 2, np.inf)
    return Difference(float(means.mean()), over_trainings, patients, LEVELS[depth], n)


def of_chosen(
    gain: Facts,
    chosen: Mapping[Path3, float],
    stored: Sequence[Facts],
    test: Areas,
    of_fixed: Mapping[str, Difference],
    reference: str,
) -> tuple[Facts, Difference]:
    """The arm of the chosen ratios."""
    names = {ratio: f"{reference} + synthetic {ratio:g}" for ratio in set(chosen.values()) if ratio}
    paths = sorted(chosen)
    ahead = [
        test[names[chosen[path]]][path] - test[reference][path] if chosen[path] else 0.0 for path in paths
    ]
    depth, n = outermost(paths)
    means = cluster_means(ahead, paths, depth)
    patients = max((of_fixed[name].over_patients for name in names.values()), default=0.0)
    difference = Difference(
        float(means.mean()), float(means.std(ddof=1)) / n**0.5, patients, LEVELS[depth], n
    )
    if len(set(chosen.values())) == 1 and names:
        (name,) = names.values()
        same = next(other for other in stored if other["arm"] == name)
        return same | {"arm": CHOSEN}, difference
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0, "level": 0.95} if not names else None
    empty = dict.fromkeys(("accuracy", "balanced accuracy"), nothing)
    return gain | empty | {"rare auroc": None, "gap closure": None}, difference


def as_gain(gain: Facts, difference: Difference, overlap: float | None) -> Gain:
    return Gain(
        gain["amount"],
        gain["arm"],
        gain["role"],
        gain["reference"],
        difference.interval(1 - ALPHA),
        difference.p_value,
        None,
        difference,
        None,
        None if overlap is None else difference.for_new_patients(overlap),
        *(_estimate(gain[key]) or UNKNOWN for key in ("accuracy", "balanced accuracy")),
        *(_estimate(gain[key]) for key in ("rare auroc", "gap closure")),
    )


def decided(gains: Sequence[Gain]) -> list[Gain]:
    """With Holm's correction over the arms that decide."""
    steps = holm({k: gain.difference for k, gain in enumerate(gains) if gain.role == "synthetic"}, ALPHA)
    found = []
    for k, gain in enumerate(gains):
        if k in steps:
            step, difference = steps[k], gain.difference
            half = (step.estimate.high - step.estimate.low) / 2
            error = float(np.hypot(difference.over_trainings, difference.over_patients))
            adjusted = selection_adjusted(difference.value, error, half) if step.rejected else None
            verdict = verdict_of(step.estimate, step.rejected)
            gain = replace(
                gain, auroc=step.estimate, p_value=step.p_adjusted, verdict=verdict, adjusted=adjusted
            )
        found.append(gain)
    return found


def overlap_of(facts: Facts, amount: str, reference: str) -> float | None:
    """The share of training patients that two clusters have in common."""
    if facts["gains"][0]["over"] == "generator":
        return DONOR_SHARE
    row = next(row for row in facts["arms"] if row["arm"] == reference and row["labels"] == amount)
    return min(1.0, sum(row["images"]["real"].values()) / sum(facts["data"]["train"].values()))


def with_chosen_row(
    rows: Sequence[Facts],
    amount: str,
    chosen: Mapping[Path3, float],
    val: Areas,
    test: Areas,
    reference: str,
) -> list[Facts]:
    """The table of arms with the scores of the chosen ratios that are known."""
    names = {path: f"{reference} + synthetic {r:g}" if r else reference for path, r in chosen.items()}
    found = []
    for row in rows:
        if row["arm"] == CHOSEN and row["labels"] == amount:
            like = next(r for r in rows if r["arm"] == next(iter(names.values())) and r["labels"] == amount)
            scores = [test[name][path] for path, name in names.items()]
            known = {"AUROC": float(np.mean(scores)), "AUROC SD": float(np.std(scores, ddof=1))}
            known["validation AUROC"] = float(np.mean([val[name][path] for path, name in names.items()]))
            if len(set(names.values())) > 1:
                known |= {"AUPRC": None, "balanced accuracy": None}
            row = like | {"arm": CHOSEN, "role": "synthetic"} | known
        found.append(row)
    return found


def _estimate(stored: Facts | None) -> Estimate | None:
    if stored is None or stored["value"] is None:
        return None
    low, high = (
        -np.inf if stored["low"] is None else stored["low"],
        np.inf if stored["high"] is None else stored["high"],
    )
    return Estimate(stored["value"], low, high, stored["level"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs")
    out = parser.parse_args().out
    for path in sorted((out / "results" / "gain").rglob("*.json")):
        before = json.loads(path.read_text())
        after = rejudged(before)
        print(f"{path.stem}: {before['verdict']} -> {after['verdict']}")
        print("  " + after["sentence"])
        for old in before["gains"]:
            new = next(g for g in after["gains"] if (g["arm"], g["amount"]) == (old["arm"], old["amount"]))
            if old["arm"] == CHOSEN or old["verdict"] != new["verdict"]:
                print("  ", old["amount"], old["arm"], said(old), "->", said(new))
        with replacing(path) as fresh:
            fresh.write_text(json.dumps(after, indent=1))
    for path in render(out):
        print(path)


def said(gain: Facts) -> str:
    a = gain["auroc"]
    return f"{a['value']:+.4f} [{a['low']:+.4f}, {a['high']:+.4f}] {gain['verdict']}"


if __name__ == "__main__":
    main()
