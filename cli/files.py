"""Options of `ReadOptions` and `WriteOptions` on commands, each record handed over as one argument."""

import inspect
from collections.abc import Callable, Collection
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from synthaug.augment.options import flag_of
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions

Command = Callable[..., None]


def reads_files(command: Command, without: Collection[str] = ()) -> Command:
    """Add the options of `ReadOptions` to a command; it gets them as its argument `reading`.

    Args:
        without: fields that the command decides on.
    """
    return _bundled(command, "reading", ReadOptions, without)


def writes_files(command: Command) -> Command:
    """Add the options of `WriteOptions` to a command; it gets them as its argument `writing`."""
    return _bundled(command, "writing", WriteOptions)


def _bundled(command: Command, name: str, record: Any, without: Collection[str] = ()) -> Command:
    """`command` with an option per field of `record` in place of its argument `name`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = {key: p for key, p in signature.parameters.items() if key != name}
    known = {field.name: field for field in fields(record) if field.name not in without}
    types = get_type_hints(record)
    for key, field in known.items():
        kind = str | None if field.metadata["parse"] else types[key]
        parameters[key] = inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[kind, _typer_option(field)],
        )

    @wraps(command)
    def run(**values: Any) -> None:
        asked = {key: _parsed(field, values.pop(key)) for key, field in known.items()}
        command(**values, **{name: record(**asked)})

    run.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {key: p.annotation for key, p in parameters.items()}
    return run


def _typer_option(field: "Field[Any]") -> Any:
    shown = field.metadata
    return typer.Option(
        flag_of(field),
        help=shown["help"],
        rich_help_panel=shown["panel"],
        envvar=shown["envvar"],
        min=shown["low"],
        max=shown["high"],
    )


def _parsed(field: "Field[Any]", value: Any) -> Any:
    parse = field.metadata["parse"]
    return value if parse is None or value is None else parse(str(value))
