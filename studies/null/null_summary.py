"""From finished experiments to counts, shares with exact intervals, and mean changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from null_kinds import KINDS
from scipy import stats

Record = dict[str, Any]

CHOSEN = "chosen on validation"


def share(found: int, of: int) -> Record:
    """A share with its exact 95 % interval (Clopper & Pearson 1934)."""
    interval = stats.binomtest(found, of).proportion_ci(0.95, method="exact")
    return {"found": found, "of": of, "share": found / of, "low": interval.low, "high": interval.high}


def summary(records: Sequence[Record]) -> Record:
    """Everything that the page says, by kind; "null" is all null kinds together."""
    found: Record = {}
    for kind in KINDS.values():
        ours = [record for record in records if record["kind"] == kind.name]
        if ours:
            found[kind.name] = of_kind(ours)
    nulls = [record for record in records if KINDS[record["kind"]].part == "null"]
    if nulls:
        found["null"] = verdicts(nulls)
    return found


def of_kind(records: Sequence[Record]) -> Record:
    """One kind's verdicts, what its arms truly change, and what is special to it."""
    arms = by_arm(records)
    changes = {arm: mean_with_error([gain["auroc"] for gain in gains]) for arm, gains in arms.items()}
    # a chosen ratio of none every time is the reference itself and tests nothing
    moved = {arm: [gain for gain in gains if gain["low"] < gain["auroc"]] for arm, gains in arms.items()}
    above = {
        arm: share(sum(g["low"] > 0 for g in gains), len(gains)) for arm, gains in moved.items() if gains
    }
    found = verdicts(records) | {"changes": changes, "plain intervals above 0": above}
    found["references"] = counted([record["reference"] for record in records])
    found["cpu_seconds"] = float(sum(record["cpu_seconds"] for record in records))
    if "needed" in records[0]:
        found["subsets"] = spread([record["subsets"] for record in records])
        found["needed"] = spread([record["needed"] for record in records])
        found["capped"] = sum(record["needed"] > record["subsets"] for record in records)
    if "at 0.5" in records[0]:
        found["at 0.5"] = at_one_half(records)
    return found


def verdicts(records: Sequence[Record]) -> Record:
    words = [record["verdict"] for record in records]
    return {word: share(words.count(word), len(words)) for word in ("helps", "no evidence", "harms")}


def by_arm(records: Sequence[Record], key: str = "gains") -> dict[str, list[Record]]:
    """Gains of arms that decide by their ratio, whichever the reference was."""
    found: dict[str, list[Record]] = {}
    for record in records:
        for arm, gain in record[key].items():
            if gain.get("verdict", "") is not None:
                found.setdefault(short(arm), []).append(gain)
    return found


def short(arm: str) -> str:
    """The ratio, as text."""
    return CHOSEN if arm.endswith(CHOSEN) else arm.rsplit(" ", 1)[1]


def at_one_half(records: Sequence[Record]) -> Record:
    """What thresholding at 0.5 shows, and how often a paired t test at 5 % would have called it a gain."""
    found = {}
    for arm, seen in by_arm(records, "at 0.5").items():
        names = ("sensitivity", "balanced_accuracy", "tuned_balanced_accuracy")
        found[arm] = {name: mean_with_error([each[name] for each in seen]) for name in names}
        found[arm] |= {"called a gain": share(sum(each["p"] < 0.05 for each in seen), len(seen))}
        found[arm] |= {"tuned called a gain": share(sum(each["tuned_low"] > 0 for each in seen), len(seen))}
    return found


def mean_with_error(values: Sequence[float]) -> Record:
    """Over experiments: mean, its standard error (none of one), and how many."""
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "standard_error": error, "n": len(values)}


def spread(values: Sequence[int]) -> Record:
    return {"median": float(np.median(values)), "least": min(values), "most": max(values)}


def counted(words: Sequence[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}
