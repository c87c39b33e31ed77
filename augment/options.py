"""Records of options: each field carries the help text and bounds that the command line shows."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any

from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def option(
    default: Any,
    help: str,
    *,
    panel: str | None = None,
    flag: str | None = None,
    envvar: str | None = None,
    low: float | None = None,
    high: float | None = None,
    parse: Callable[[str], Any] | None = None,
    parse_list: Callable[[list[str]], Any] | None = None,
    type: Any = None,
    hidden: bool = False,
) -> Any:
    """A dataclass field that is an option of the command line too.

    Args:
        help: one sentence.
        panel: heading that it stands under in --help; None is the general one.
        flag: its name on the command line, where that is not the field's.
        envvar: environment variable that gives its value where nothing else does.
        low, high: bounds of a number, both included.
        parse: makes the value of a text, for types that the command line does not know.
        parse_list: makes the value of the texts of an option that may be given several times.
        type: on the command line, where the field takes more (data in memory).
        hidden: from the command line, where it is of use to other code only.
    """
    shown: dict[str, Any] = {
        "help": help,
        "panel": panel,
        "flag": flag,
        "envvar": envvar,
        "low": low,
        "high": high,
    }
    shown |= {"parse": parse, "parse_list": parse_list, "type": type, "hidden": hidden}
    return field(default=default, metadata=shown)


def flag_of(known: "Field[Any]") -> str:
    """The field's name on the command line: label_from is --label-from."""
    return known.metadata["flag"] or f"--{known.name.replace('_', '-')}"


def as_flags(names: Iterable[str]) -> str:
    """Names of fields as flags, for a message."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def changed(options: "DataclassInstance") -> dict[str, Any]:
    """The fields that are not at their defaults."""
    values = {f.name: (getattr(options, f.name), f.default) for f in fields(options)}
    return {name: value for name, (value, default) in values.items() if value != default}


def refuse_out_of_bounds(options: "DataclassInstance") -> None:
    """Stop at a number below or above the bounds of its field.

    Raises:
        UsageError: there is one.
    """
    for known in fields(options):
        value, low, high = getattr(options, known.name), known.metadata["low"], known.metadata["high"]
        if value is None or ((low is None or value >= low) and (high is None or value <= high)):
            continue
        bounds = f"at least {low}" if high is None else f"{low} to {high}"
        raise UsageError(f"{flag_of(known)} {value}: expected {bounds}")


def refuse_unheeded(options: "DataclassInstance", heeded: Collection[str], what: str) -> None:
    """Stop where something is asked for that a format does not have: it would be passed over in silence.

    Args:
        heeded: the fields that the format heeds.
        what: the file or format, in words.

    Raises:
        UsageError: another field is not at its default.
    """
    names = [name for name in changed(options) if name not in heeded]
    if names:
        raise UsageError(f"{as_flags(names)}: {what} has no such thing, leave it out")
