"""Which column of a table, or array of a file, tells what: one rule of spelling for every format."""

import logging
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.options import as_flags
from synthaug.augment.reading import ReadOptions

log = logging.getLogger("synthaug")
DESCRIBES = r"(?<!im)age$|agey|sex$|gender$|weight$|height$|size$|birth|position$|orientation$|race$|count$"


@dataclass(frozen=True)
class Role:
    """What a column can tell of each image.

    Attributes:
        known: names that tell it, the likeliest first.
        option: the field of `ReadOptions` that names another.
        likely: pattern of names that may tell it, for a warning where none is known.
    """

    known: tuple[str, ...]
    option: str
    likely: str = "$^"


FILE = Role(
    ("file", "filename", "filepath", "path", "image", "image_id", "image index", "image name", "img"),
    "images_from",
)
LABEL = Role(
    ("label", "class", "target", "dx", "diagnosis", "finding labels", "labels", "class name", "category"),
    "label_from",
    r"label|class|diagnos|finding|target",
)
PATIENT = Role(
    ("patient_id", "patient", "subject_id", "subject", "lesion_id", "patient number", "pid", "person_id"),
    "group_from",
    r"patient|subject|lesion|person|caseid|studyid|studyinstance",
)
SPLIT = Role(
    ("split", "subset", "partition", "data split", "dataset split"),
    "split_from",
    r"split|fold|partition|subset|phase|trainorval|istest|istrain",
)
ROLES = {"file": FILE, "label": LABEL, "patient_id": PATIENT, "split": SPLIT}


def key_of(name: str) -> str:
    """A name without case, blanks, "_" and "-": "Patient ID", "patientId" and "patient_id" are one."""
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold())


def named(name: str, names: Sequence[str]) -> list[str]:
    """Those of `names` that are `name`: letter by letter, else by `key_of`."""
    return [other for other in names if other == name] or [
        other for other in names if key_of(other) == key_of(name)
    ]


def columns_by_role(
    where: object, columns: Sequence[str], roles: Mapping[str, Role], options: ReadOptions
) -> dict[str, str]:
    """The column of each role that a table has one for: as asked, else the first of a known name.

    Warns of a column that looks like one of a role that has none.

    Args:
        where: what messages call the table or file.

    Raises:
        UsageError: a column that is asked for is not there.
        DataError: two columns have one name.
    """
    found: dict[str, str] = {}
    for name, role in roles.items():
        asked = getattr(options, role.option)
        for known in role.known if asked is None else (asked,):
            matches = named(known, columns)
            if len(matches) > 1:
                raise DataError(
                    f"{where}: found columns {' and '.join(matches)}, which are one name, expected one of "
                    f"each: rename one, or name another by {as_flags([role.option])}"
                )
            if matches:
                found[name] = matches[0]
                break
        else:
            if asked is not None:
                raise UsageError(
                    f"{as_flags([role.option])} {asked}: {where} has the columns {', '.join(columns)}"
                )
    _warn_of_likely(where, columns, roles, found)
    return found


def _warn_of_likely(
    where: object, columns: Sequence[str], roles: Mapping[str, Role], found: Mapping[str, str]
) -> None:
    """One warning per role without a column, of those that look like it."""
    free = [column for column in columns if column not in found.values()]
    for name, role in roles.items():
        if name in found:
            continue
        likely = [column for column in free if _is_likely(column, role)]
        if likely:
            log.warning(
                "%s: %s may tell each image's %s and is not used: name it by %s",
                *(where, ", ".join(likely[:3]), name.removesuffix("_id"), as_flags([role.option])),
            )


def _is_likely(column: str, role: Role) -> bool:
    key = key_of(column)
    return re.search(role.likely, key) is not None and re.search(DESCRIBES, key) is None


def refuse_without(
    where: object, columns: Collection[str], found: Mapping[str, str], roles: Mapping[str, Role]
) -> None:
    """Stop where a role has no column.

    Raises:
        DataError: so, with the columns that are there.
    """
    for name, role in roles.items():
        if name not in found:
            there = ", ".join(columns) or "nothing"
            raise DataError(
                f"{where}: found columns {there}, expected one of {', '.join(role.known)}: "
                f"name it by {as_flags([role.option])}"
            )
