"""The simulated experiments on the page: false verdicts by design, true gains found, looks."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure
from null_simulated import GAINS, Record
from null_summary import share
from simulated import TEST

from synthaug.augment.files.atomic import replacing
from synthaug.evaluation.gain.planning import power

NOMINAL = 0.025
LEVELS = {
    "subsets or donors": ("2 subsets", "4 subsets", "8 subsets", "16 subsets"),
    "ratios": ("1 ratios", "3 ratios", "5 ratios"),
    "generators": ("own", "donor"),
    "arms": ("core", "full"),
    "validation images": ("60 validation images", "500 validation images"),
}
WORDS = ("helps", "harms")
LOOKS = {"growing, two looks": "at 4 and 8 subsets", "growing, eight looks": "at 3, 6, 9, … 24 subsets"}
RULES = {"spent": "the error is divided (`--looks`)", "not spent": "5 % at every look"}


def summary(found: Mapping[str, Sequence[Record]]) -> Record:
    """Counts and means of every kind."""
    facts: Record = {"nulls": {}, "gains": {}, "growing": {}}
    for name, records in found.items():
        if name.startswith("null"):
            facts["nulls"][name] = verdicts(records)
        elif name.startswith("gain"):
            facts["gains"][name] = of_gain(name, records)
        else:
            rules = ("spent", "not spent")
            facts["growing"][name] = {rule: verdicts(records, rule) for rule in rules}
    every = [record for name, records in found.items() if name.startswith("null") for record in records]
    if every:
        facts["all"] = verdicts(every) | bias(every)
        facts["by level"] = {
            level: verdicts([r for name, rs in found.items() if level in parts(name) for r in rs])
            for levels in LEVELS.values()
            for level in levels
            if any(level in parts(name) for name in found)
        }
    return facts


def parts(name: str) -> list[str]:
    return name.removeprefix("null ").split(", ") if name.startswith("null") else []


def verdicts(records: Sequence[Record], rule: str | None = None) -> Record:
    """Shares of experiments that say so, at any look."""
    words = [[record["verdict"]] if rule is None else record[rule] for record in records]
    return {word: share(sum(word in each for each in words), len(words)) for word in ("helps", "harms")}


def bias(records: Sequence[Record]) -> Record:
    """Mean change of the arms, and how often the 95 % interval of the chosen ratio lies on one side of 0."""
    chosen = np.array([record["chosen"] for record in records])
    fixed = np.array([record["fixed"] for record in records])
    return {
        "fixed": [float(fixed.mean()), float(fixed.std(ddof=1) / len(fixed) ** 0.5)],
        "chosen": [float(chosen[:, 0].mean()), float(chosen[:, 0].std(ddof=1) / len(chosen) ** 0.5)],
        "chosen above 0": share(int((chosen[:, 1] > 0).sum()), len(chosen)),
        "chosen below 0": share(int((chosen[:, 2] < 0).sum()), len(chosen)),
    }


def of_gain(name: str, records: Sequence[Record]) -> Record:
    """A true gain of all arms: how often it is found, as the planner says, and how large it is said to be."""
    effect = float(re.search(r"gain ([0-9.]+)", name)[1])  # type: ignore[index]
    subsets = int(m[1]) if (m := re.search(r"(\d+) subsets", name)) else 8
    arms = records[0]["arms"]
    sd, patients = (
        float(np.mean(np.square([r[key] for r in records]))) ** 0.5 for key in ("sd", "over_patients")
    )
    planned = power(
        effect, subsets, sd, over_patients=patients, patient_freedom=TEST / 2 - 1, comparisons=arms
    )
    helped = [record for record in records if record["verdict"] == "helps"]
    return {
        "effect": effect,
        "subsets": subsets,
        "arms": arms,
        "verdict": verdicts(records)["helps"],
        "one arm, first step": share(
            sum(r["p"] <= 0.05 / arms and r["half"][0] > 0 for r in records), len(records)
        ),
        "planned power": planned,
        "mean estimate": float(np.mean([record["half"][0] for record in records])),
        "covered": share(sum(r["half"][1] <= effect <= r["half"][2] for r in records), len(records)),
        "quoted": float(np.mean([record["decisive"] for record in helped])) if helped else None,
        "adjusted": float(np.mean([record["adjusted"] for record in helped])) if helped else None,
    }


def root_mean_square(values: Sequence[float]) -> float:
    return float(np.mean(np.square(values))) ** 0.5


def section(found: Mapping[str, Sequence[Record]]) -> list[str]:
    """The part of the page that the template null_simulated.md holds."""
    facts = summary(found)
    if "all" not in facts:
        return []
    cells = list(facts["nulls"].values())
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
    )
    page = environment.get_template("null_simulated.md").render(
        test=TEST,
        all=facts["all"],
        levels={level.replace("1 ratios", "1 ratio"): one for level, one in facts["by level"].items()},
        cells=cells,
        least=min(cell["helps"]["of"] for cell in cells),
        most=max(cell["helps"]["of"] for cell in cells),
        worst={word: max((cell[word] for cell in cells), key=lambda one: one["share"]) for word in WORDS},
        above={word: sum(cell[word]["low"] > NOMINAL for cell in cells) for word in WORDS},
        gains=list(facts["gains"].values()),
        looks=[
            (LOOKS[name], RULES[rule], one)
            for name, rules in facts["growing"].items()
            for rule, one in rules.items()
        ],
        words=words,
        signed=signed,
    )
    return [page.strip()]


def draw(found: Mapping[str, Sequence[Record]], path: Path) -> None:
    """Left the false verdicts of every design, right the power beside the planner's."""
    facts = summary(found)
    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
    for word, colour, aside in (("helps", "#2e9d4a", -0.15), ("harms", "#c93a3a", 0.15)):
        for place, level in enumerate(LEVELS["subsets or donors"]):
            cells = [one[word] for name, one in facts["nulls"].items() if level in parts(name)]
            x = place + aside + np.linspace(-0.12, 0.12, len(cells))
            left.scatter(x, [100 * cell["share"] for cell in cells], s=10, c=colour, alpha=0.7, linewidths=0)
            if level in facts["by level"]:
                mean = facts["by level"][level][word]
                left.plot(
                    [place + aside - 0.13, place + aside + 0.13], [100 * mean["share"]] * 2, c=colour, lw=2.5
                )
    left.axhline(100 * NOMINAL, color="black", linestyle=":", linewidth=1)
    left.set_xticks(range(4), ["2", "4", "8", "16"])
    left.set_xlabel("labelled subsets, or donors (a dot for every design, a line for their mean)")
    left.set_ylabel("% of experiments, all arms alike")
    left.set_ylim(0, 6)
    for word, colour in (("helps", "#2e9d4a"), ("harms", "#c93a3a")):
        left.plot([], [], "o", color=colour, markersize=4, label=f"“{word}”, where nothing does")
    left.legend(fontsize=8, frameon=False, loc="upper left")
    for gain, colour in zip(GAINS, ("#56b4e9", "#0072b2", "#003f63"), strict=True):
        ours = [one for one in facts["gains"].values() if one["effect"] == gain and one["arms"] == 4]
        ours.sort(key=lambda one: one["subsets"])
        x = [one["subsets"] for one in ours]
        right.plot(x, [100 * one["planned power"] for one in ours], "--", color=colour, linewidth=1)
        shares = [one["one arm, first step"] for one in ours]
        y = np.array([[100 * s[key] for key in ("share", "low", "high")] for s in shares]).T
        right.errorbar(
            x, y[0], [y[0] - y[1], y[2] - y[0]], fmt="o", color=colour, label=f"true gain {gain:+g}"
        )
    right.set_xlabel("labelled subsets (dashed: planned)")
    right.set_ylabel("% found, one arm of four at the first step")
    right.set_xticks([4, 8, 16])
    right.set_ylim(0, 100)
    right.legend(fontsize=8, frameon=False, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
        axes.set_axisbelow(True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        figure.savefig(fresh, dpi=120, format="png")


def write(found: Mapping[str, Sequence[Record]], out: Path) -> list[Path]:
    """The picture and the figures."""
    picture, facts = out / "images" / "null-simulated.png", out / "results" / "null-simulated.json"
    draw(found, picture)
    with replacing(facts) as fresh:
        fresh.write_text(json.dumps(summary(found), indent=1) + "\n")
    return [picture, facts]


def words(found: Record) -> str:
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['share']:.1f} % [{low:.1f}, {high:.1f}]"


def signed(mean: Any) -> str:
    return f"{mean[0]:+.4f} ± {mean[1]:.4f}"
