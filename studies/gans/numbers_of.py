"""Numbers of a row over its seeds: median and range, always with n and with the floor beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from cells import Record

LAST_THIRD = 2 / 3  # of the budget: looks from here on tell the stability


@dataclass(frozen=True)
class Column:
    """A number of a table.

    Attributes:
        metric, measure: as in the rows of a record.
        better: the sign behind the title.
        excess: value - floor instead of the value.
    """

    title: str
    metric: str
    measure: str
    better: str = ""
    excess: bool = False


@dataclass(frozen=True)
class Found:
    """A number over seeds, one entry per seed, in the order of the records."""

    values: Sequence[float]
    floors: Sequence[float]
    n: Sequence[int]

    @property
    def excess(self) -> list[float]:
        return [value - floor for value, floor in zip(self.values, self.floors, strict=True)]


def find(records: Sequence[Record], column: Column, part: str) -> Found | None:
    """The number in every record that has it; None where none has.

    Raises:
        ValueError: a number without its floor or its n.
    """
    rows = [row for record in records for row in record["scores"] if _is(row, record, column, part)]
    for row in rows:
        if not row.get("floor") or not row.get("n"):
            raise ValueError(f"{row['metric']} of {row['part']}: found no floor or no n, expected both")
    if not rows:
        return None
    return Found([r["value"][0] for r in rows], [r["floor"][0] for r in rows], [r["n"] for r in rows])


def _is(row: dict[str, Any], record: Record, column: Column, part: str) -> bool:
    wanted = column.metric, column.measure, whole_of(record) if part == "overall" else part
    return (row["metric"], row["in"], row["part"]) == wanted


def whole_of(record: Record) -> str:
    """ "overall", or the class where there is one only."""
    parts = parts_of(record)
    return "overall" if "overall" in parts else parts[0]


def parts_of(record: Record) -> list[str]:
    """ "overall" and the classes, as far as there are numbers of them."""
    return list(dict.fromkeys(row["part"] for row in record["scores"]))


def over_seeds(values: Sequence[float], write: Callable[[float], str] | None = None) -> str:
    """Median and range; one number where all read the same."""
    write = write or short
    if not values:
        return "–"
    middle, low, high = (write(value) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def short(value: float) -> str:
    """Three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def counts_in_words(n: Sequence[int]) -> str:
    """The one number, or from which to which."""
    low, high = min(n), max(n)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def stability(record: Record) -> float | None:
    """Variance of the judge's KID over the looks in the last third of the budget; None of fewer than two."""
    training = record["training"]
    start = LAST_THIRD * record["cell"]["cpu_seconds"]
    kids = [look["kid"] for look in training["looks"] if look["cpu_seconds"] > start]
    return float(np.var(kids, ddof=1)) if len(kids) > 1 else None


def median_excess(records: Sequence[Record], column: Column) -> float | None:
    """Of a row, overall."""
    found = find(records, column, "overall")
    return None if found is None else median(found.excess)
