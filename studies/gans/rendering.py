"""A block of a table as Markdown: overall, per class, in the published form. The floor is a row of each."""

from collections.abc import Mapping, Sequence

from cells import Record
from numbers_of import (
    Column,
    counts_in_words,
    find,
    median_excess,
    over_seeds,
    parts_of,
    short,
    stability,
)

IS = Column("IS (domain)", "IS", "domain", "↑")
FID768 = Column("FID-768", "FID", "inception-768", "↓")
KID768 = Column("KID-768", "KID", "inception-768", "↓")
FID = Column("domain FID", "FID", "domain", "↓")
KID = Column("domain KID", "KID", "domain", "↓")
PRECISION = Column("precision", "precision", "domain", "↑")
RECALL = Column("recall", "recall", "domain", "↑")
COVERAGE = Column("coverage", "coverage", "domain", "↑")
AGREEMENT = Column("asked class", "agreement", "domain", "↑")
ACCURACY = Column("classifier's accuracy", "accuracy", "downstream", "↑")
AUROC = Column("its AUROC", "AUROC", "downstream", "↑")
FIDELITY = (IS, FID768, KID768, FID, KID, PRECISION, RECALL, COVERAGE, AGREEMENT)
COMPARED = (KID, FID768, FID, RECALL, COVERAGE, AGREEMENT)
KINDS: dict[str, tuple[Column, ...]] = {
    "fidelity": FIDELITY,
    "stability": FIDELITY,
    "order": (*FIDELITY, ACCURACY, AUROC),
    "goal": COMPARED,
    "goal-few": COMPARED,
    "ablation": COMPARED,
}
IN_EXCESS = ("goal", "goal-few", "ablation")
PER_CLASS = (FID, KID, FID768, KID768, PRECISION, RECALL, AGREEMENT)
PAIRS = ("PSNR", "MSE", "SSIM", "MS-GMSD", "LPIPS")
PUBLISHED = (Column("pixel-fd", "pixel-fd", "pairs"), *(Column(m, f"unpaired {m}", "pairs") for m in PAIRS))
NEAREST = tuple(Column(m, f"nearest-real {m}", "pairs") for m in PAIRS)

Rows = Mapping[str, Sequence[Record]]  # by label, records of one seed each


def overall(rows: Rows, kind: str) -> str:
    """What every row is trained with, and its numbers beside the floor's."""
    columns = present(rows, KINDS[kind])
    excess = [c for c in (KID, FID768) if kind in IN_EXCESS and c in columns]
    head = ["", "seeds", "CPU-s", "images seen", "G / D parameters", *titles(rows, columns)]
    head += [f"excess {title}" for title in titles(rows, excess)] + ["KID variance, last third"] * (
        kind == "stability"
    )
    floor = ["*real images (floor)*", "", "", "", "", *floors(rows, columns)]
    floor += ["0"] * len(excess)
    lines = [head, floor + [""] * (len(head) - len(floor))]
    for label, records in rows.items():
        trainings = [record["training"] for record in records]
        line = [label, str(len(records)), over_seeds([t["cpu_seconds"] for t in trainings], "{:.0f}".format)]
        line.append(over_seeds([t["images_seen"] for t in trainings], "{:,.0f}".format))
        line.append(
            " / ".join(
                f"{trainings[0][f'{n}_parameters'] / 1e6:.2f} M" for n in ("generator", "discriminator")
            )
        )
        line += [value_of(records, column) for column in columns]
        line += [over_seeds(found.excess) if (found := find(records, c, "overall")) else "–" for c in excess]
        if kind == "stability":
            line.append(over_seeds([v for r in records if (v := stability(r)) is not None]))
        lines.append(line)
    return as_markdown(lines)


def per_class(rows: Rows) -> str:
    """Each class by itself: median over seeds with the floor in brackets."""
    columns = present(rows, PER_CLASS)
    records = [record for of_row in rows.values() for record in of_row]
    classes = [part for part in parts_of(records[0]) if part != "overall"]
    if len(classes) < 2:
        return ""
    lines = [
        ["", "class", "seeds", *(f"{c.title} {c.better} [floor]" for c in columns), "n: domain / Inception"]
    ]
    for label, of_row in rows.items():
        for part in classes:
            line, n = [label, part, str(len(of_row))], {}
            for column in columns:
                found = find(of_row, column, part)
                line.append(f"{over_seeds(found.values)} [{over_seeds(found.floors[:1])}]" if found else "–")
                n |= {column.measure: counts_in_words(found.n)} if found else {}
            lines.append([*line, " / ".join(n.values())])
    return as_markdown(lines)


def pairs(rows: Rows, columns: Sequence[Column]) -> str:
    """Measures of pairs; none of them is read as quality."""
    columns = present(rows, columns)
    if not columns:
        return ""
    lines = [["", "seeds", *titles(rows, columns)], ["*real images (floor)*", "", *floors(rows, columns)]]
    lines += [
        [label, str(len(records)), *(value_of(records, column) for column in columns)]
        for label, records in rows.items()
    ]
    return as_markdown(lines)


def ratios(rows: Rows, base: str) -> str:
    """Median excess of each row as a multiple of the base row's, and in how many seeds it is lower."""
    columns = present(rows, (KID, FID768))
    head = ["", "seeds"]
    for column in columns:
        head += [f"excess {column.title}, times the first row's", "lower in seeds"]
    lines = [head]
    for label, records in rows.items():
        line = [label, str(len(records))]
        for column in columns:
            mine, first = median_excess(records, column), median_excess(rows[base], column)
            line.append(short(mine / first) if mine is not None and first and first > 0 else "–")
            line.append("" if label == base else lower_in(records, rows[base], column))
        lines.append(line)
    return as_markdown(lines)


def lower_in(records: Sequence[Record], base: Sequence[Record], column: Column) -> str:
    """In how many of the seeds that both have the excess is lower than the base's."""
    of_base = {record["cell"]["seed"]: record for record in base}
    both = [(record, of_base[seed]) for record in records if (seed := record["cell"]["seed"]) in of_base]
    found = [(find([one], column, "overall"), find([other], column, "overall")) for one, other in both]
    lower = [a.excess[0] < b.excess[0] for a, b in found if a is not None and b is not None]
    return f"{sum(lower)} of {len(lower)}"


def present(rows: Rows, columns: Sequence[Column]) -> list[Column]:
    """Those of the columns that any record has a number for."""
    return [c for c in columns if any(find(records, c, "overall") for records in rows.values())]


def titles(rows: Rows, columns: Sequence[Column]) -> list[str]:
    """With n, the images (or pairs) in the synthetic set and in the floor alike."""
    said = []
    for column in columns:
        n = [n for records in rows.values() if (found := find(records, column, "overall")) for n in found.n]
        said.append(f"{column.title} {column.better}".strip() + f", n = {counts_in_words(n)}")
    return said


def floors(rows: Rows, columns: Sequence[Column]) -> list[str]:
    """Of real images; the same for every row of a data set."""
    said = []
    for column in columns:
        found = [find(records, column, "overall") for records in rows.values()]
        values = sorted({value for each in found if each for value in each.floors})
        said.append(over_seeds(values if short(values[0]) != short(values[-1]) else values[:1]))
    return said


def value_of(records: Sequence[Record], column: Column) -> str:
    found = find(records, column, "overall")
    return over_seeds(found.values) if found else "–"


def as_markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])
