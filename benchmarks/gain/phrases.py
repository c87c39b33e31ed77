"""How the pages say a gain."""

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]  # the content of a report.json


def amounts(facts: Facts) -> list[str]:
    return list(dict.fromkeys(gain["amount"] for gain in facts["gains"]))


def area_of(facts: Facts, arm: str, amount: str) -> float:
    return next(row["AUROC"] for row in facts["arms"] if row["arm"] == arm and row["labels"] == amount)


def said(gain: Facts) -> str:
    """The gain with its interval and, where it decides, the word on it."""
    return interval(gain["auroc"]) + (f", {gain['verdict']}" if gain["verdict"] else "")


def interval(found: Facts | None) -> str:
    if found is None:
        return "–"
    value, low, high = (found[key] for key in ("value", "low", "high"))
    return f"{value:+.4f}" if low is None else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
