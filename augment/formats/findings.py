"""Tables with several findings an image, as hospitals publish them, and the classes that are made of them.

An image's findings are a mapping from their names to 1 (present), 0 (absent) or -1 (uncertain); one that is
not in it is not known. They are kept whole here, so that a label vector can be read from the same place.
"""

import ast
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.columns import key_of, named
from synthaug.augment.files.table import Row
from synthaug.augment.labels import is_normal, parse_label
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
Findings = Mapping[str, int]
STATES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1, "": None, "nan": None}
NORMAL_ABNORMAL = "normal-abnormal"
NO_DISEASE = {"supportdevices", "unk"}  # findings that are no disease
SEPARATED = {"findinglabels": "|"}  # columns of published sets whose cells hold several findings
READERS = {"radid", "readerid", "reader", "annotator"}
BOXES = {"xmin", "x", "bbox", "width"}  # of tables with a row for each box


@dataclass(frozen=True)
class Classes:
    """The class of each image, "" where it has none, and why.

    Attributes:
        names: of the images, in the order of the rows.
        order: class names, where they have an order of their own.
        left_out: images without a class, by reason.
    """

    names: list[str]
    order: tuple[str, ...]
    left_out: dict[str, int]


def finding_columns(columns: Sequence[str], rows: Sequence[Row], taken: Sequence[str]) -> list[str]:
    """The columns that hold a finding each: 1, 0, -1 or nothing in every row, and 1 in one at least.

    Args:
        taken: columns that tell something else.
    """
    free = [c for c in columns if c not in taken and not re.search(r"^unnamed|index$|^id$|age$", key_of(c))]
    return [
        column
        for column in free
        if (cells := {row[column].lower() for row in rows}) <= set(STATES) and cells & {"1", "1.0"}
    ]


def findings_of(row: Row, label: str | None, columns: Sequence[str], separator: str | None) -> dict[str, int]:
    """One row's findings: of its columns, or of the cell that lists them."""
    if columns:
        states = {column: STATES[row[column].lower()] for column in columns}
        return {name: state for name, state in states.items() if state is not None}
    text = row[label or "label"]
    if re.fullmatch(r"\s*\[.*\]\s*", text):
        try:
            listed = [str(item) for item in ast.literal_eval(text)]
        except (ValueError, SyntaxError):
            listed = re.split(r"[,;]", text.strip(" []"))
    else:
        listed = text.split(separator) if separator else [text]
    return {name: 1 for item in listed if (name := parse_label(item.strip("'\" ")))}


def separator_of(column: str, rows: Sequence[Row], options: ReadOptions) -> str | None:
    """What parts the findings of a cell: as asked or published; "" where cells are lists; None if nothing."""
    if options.label_separator is not None:
        return options.label_separator
    if key_of(column) in SEPARATED:
        return SEPARATED[key_of(column)]
    return "" if rows and all(re.fullmatch(r"\[.*\]|", row[column].strip()) for row in rows) else None


def merged(readings: Sequence[Findings]) -> dict[str, int]:
    """The findings of several readers of one image: those that most of them saw; of a tie, uncertain."""
    counts = Counter(name for reading in readings for name, state in reading.items() if state == 1)
    twice = {name: 2 * n - len(readings) for name, n in counts.items()}
    return {name: 1 if more > 0 else -1 if more == 0 else 0 for name, more in twice.items()}


def has_several_rows(columns: Sequence[str]) -> bool:
    """Whether a table has a row for each reader or box of an image."""
    return bool({key_of(column) for column in columns} & (READERS | BOXES))


def reader_column(columns: Sequence[str]) -> str | None:
    """The column that tells who read the image."""
    return next((column for column in columns if key_of(column) in READERS), None)


def classes_of(where: object, images: Sequence[Findings], options: ReadOptions, listed: bool) -> Classes:
    """Classes of images with findings, by the task asked for, and one line of what was found.

    Without a task: the findings themselves where each image has exactly one, that one and its absence where
    there is one only, else normal and abnormal.

    Args:
        listed: what a list does not name is absent; of columns, a blank is not known.

    Raises:
        UsageError: the task names no finding.
        DataError: no image has a class.
    """
    counts = Counter(name for image in images for name, state in image.items() if state == 1)
    known = list(dict.fromkeys(name for image in images for name in image))
    negative = _negative(where, known, options)
    task = options.task
    if task is None:
        single = all(sum(state == 1 for state in image.values()) == 1 for image in images)
        task = (
            known[0] if len(known) == 1 else None if single and not _splits_normal(known) else NORMAL_ABNORMAL
        )
    sure = [_sure(image, options.uncertain) for image in images]
    if task is None:
        found = [(next(name for name, state in image.items() if state == 1), "") for image in images]
        order: tuple[str, ...] = ()
    elif key_of(task) == key_of(NORMAL_ABNORMAL):
        found, order = [_normal(image, negative, listed) for image in sure], ("normal", "abnormal")
    else:
        (finding,) = named(task, known) or [""]
        if not finding:
            raise UsageError(
                f"--task {task}: {where} has {', '.join(known)}, expected one or {NORMAL_ABNORMAL}"
            )
        rest = negative if options.negative else f"no {finding}"
        found = [_one(image, finding, rest, negative if options.negative else None, listed) for image in sure]
        order = (rest or "", finding)
    left_out = Counter(reason for name, reason in found if not name)
    listing = ", ".join(f"{name} {n:,}" for name, n in counts.most_common(20))
    said = f"; left out: {', '.join(f'{n:,} {reason}' for reason, n in left_out.items())}" if left_out else ""
    log.warning("%s: findings %s; read as %s%s", where, listing, task or "one class each", said)
    if left_out.total() == len(found):
        raise DataError(f"{where}: no image has a class, left out: {dict(left_out)}: ask for another --task")
    return Classes([name for name, _ in found], order, dict(left_out))


def _splits_normal(known: Sequence[str]) -> bool:
    """Whether findings are those of chest radiographs: no finding, and many that exclude it."""
    return any(key_of(name) == "nofinding" for name in known)


def _negative(where: object, known: Sequence[str], options: ReadOptions) -> str | None:
    """The finding that says there is none."""
    if options.negative is None:
        return next((name for name in known if is_normal(name)), None)
    if not (found := named(options.negative, known)):
        raise UsageError(
            f"--negative {options.negative}: {where} has {', '.join(known)}, expected one of them"
        )
    return found[0]


def _sure(image: Findings, policy: str) -> dict[str, int]:
    """The findings with -1 as the policy says; ignored ones stay -1."""
    return {
        name: {"positive": 1, "negative": 0}.get(policy, -1) if state == -1 else state
        for name, state in image.items()
    }


def _normal(image: Findings, negative: str | None, listed: bool) -> tuple[str, str]:
    diseases = {
        name: state for name, state in image.items() if name != negative and key_of(name) not in NO_DISEASE
    }
    if negative is not None and image.get(negative) == 1:
        return ("normal", "") if 1 not in diseases.values() or not listed else ("abnormal", "")
    if 1 in diseases.values():
        return "abnormal", ""
    if -1 in diseases.values():
        return "", "uncertain"
    if negative is not None or (not diseases and not listed):
        return "", "without any finding"
    return "normal", ""


def _one(
    image: Findings, finding: str, rest: str | None, negative: str | None, listed: bool
) -> tuple[str, str]:
    state = image.get(finding, 0 if listed else None)
    if state == 1:
        return finding, ""
    if negative is not None:
        return (rest or "", "") if image.get(negative) == 1 else ("", "with another finding")
    if state == 0:
        return rest or "", ""
    return ("", "uncertain") if state == -1 else ("", f"not read for {finding}")
