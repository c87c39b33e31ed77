"""What the numbers say: is the default where it must be, and which metric orders generators rightly?"""

from collections.abc import Sequence
from statistics import median

from cells import DEFAULT, Record
from numbers_of import Column, find, median_excess, short
from rendering import ACCURACY, AGREEMENT, FID, FID768, IS, KID, RECALL, Rows
from scipy.stats import spearmanr

OF_WGAN_GP, OF_BEST, OF_NO_AUGMENTATION = 1 / 5, 1 / 2, 1 / 2  # largest ratio of excess that is enough
ASKED_CLASS = 0.98
EVIDENCE = (KID, FID, RECALL, AGREEMENT, ACCURACY)  # what IS and FID-768 are compared with


def goal(rows: Rows) -> list[str]:
    """The default's excess beside that of the fully connected WGAN-GP and of the best other preset."""
    lines = []
    for column in (KID, FID768):
        excess = {label: e for label, r in rows.items() if (e := median_excess(r, column)) is not None}
        mine, others = excess.pop(DEFAULT, None), excess
        if mine is None or not others:
            continue
        best = min(others, key=lambda label: others[label])
        if "wgan-gp" in others:
            lines.append(judged(column, rows, mine, "wgan-gp", others["wgan-gp"], OF_WGAN_GP))
        if len(others) > 1:
            lines.append(judged(column, rows, mine, best, others[best], OF_BEST, "best other preset, "))
    return lines


def goal_few(rows: Rows) -> list[str]:
    """At a tenth of the data, beside the same model without DiffAugment."""
    lines = []
    for column in (KID, FID768):
        excess = [median_excess(records, column) for records in rows.values()]
        if len(excess) == 2 and excess[0] is not None and excess[1] is not None:
            lines.append(judged(column, rows, excess[0], [*rows][1], excess[1], OF_NO_AUGMENTATION))
    return lines


def judged(
    column: Column, rows: Rows, mine: float, label: str, theirs: float, target: float, which: str = ""
) -> str:
    first = next(iter(rows)) if DEFAULT not in rows else DEFAULT
    seeds = f"medians of {len(rows[first])} and {len(rows[label])} seeds"
    said = f"Excess {column.title} ({seeds}): `{DEFAULT}` {short(mine)}, {which}`{label}` {short(theirs)}: "
    if theirs <= 0:
        return said + "no ratio, theirs is not above the floor: **not met**"
    met = "met" if mine / theirs <= target else "not met"
    return said + f"ratio {short(mine / theirs)}, target at most {short(target)}: **{met}**"


def asked_class(rows: Rows) -> list[str]:
    """Whether the default mixes classes."""
    found = find(rows.get(DEFAULT, ()), AGREEMENT, "overall")
    if found is None:
        return []
    value = median(found.values)
    met = "met" if value >= ASKED_CLASS else "not met"
    said = f"Images of `{DEFAULT}` with the asked class, by a classifier trained on real ones: {value:.2%}"
    return [
        f"{said} (real images {found.floors[0]:.2%}, n = {found.n[0]:,}, {len(found.n)} seeds), "
        f"target at least {ASKED_CLASS:.0%}: **{met}**"
    ]


def order(rows: Rows) -> list[str]:
    """How each metric orders the rows, and how far IS and FID-768 agree with the other evidence."""
    lines = []
    for column in (IS, FID768, *EVIDENCE):
        values = {label: median(f.values) for label, r in rows.items() if (f := find(r, column, "overall"))}
        if len(values) > 1:
            best_first = sorted(values, key=lambda label: values[label], reverse=column.better == "↑")
            lines.append(f"By {column.title}, best first: {', '.join(best_first)}")
    records = [record for of_row in rows.values() for record in of_row]
    for column in (IS, FID768):
        agreements = [(e.title, spearman(records, column, e)) for e in EVIDENCE]
        said = [f"{title} {value:.2f}" for title, value in agreements if value is not None]
        if said:
            lines.append(
                f"Spearman agreement of {column.title} with the other evidence over {len(records)} "
                f"trained generators (1: the same order of quality): {', '.join(said)}"
            )
    return lines


def spearman(records: Sequence[Record], one: Column, other: Column) -> float | None:
    """Of two metrics over generators, both turned so that higher is better."""
    if len(records) < 3:
        return None
    columns = [[find([record], column, "overall") for record in records] for column in (one, other)]
    if any(found is None for column in columns for found in column):
        return None
    signs = [1 if column.better == "↑" else -1 for column in (one, other)]
    x, y = (
        [sign * found.values[0] for found in column if found is not None]
        for sign, column in zip(signs, columns, strict=True)
    )
    return float(spearmanr(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else None
