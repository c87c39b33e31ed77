"""How the pages say a gain, and where they keep what people made of one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]  # the content of a report.json
READINGS = Path(__file__).parent / "readings"  # written by people, after the run


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


def reading_of(name: str) -> Iterator[str]:
    """Why an experiment came out as it did and what would be tried next; nothing where nobody wrote it."""
    path = READINGS / f"{name}.md"
    if path.exists():
        yield f"As we read it: {path.read_text().strip()}"
