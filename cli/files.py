"""Options of records (`ReadOptions`, `WriteOptions`, …) on commands, each handed over as one argument."""

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


def reads_files(command: Command) -> Command:
    """Add the options of `ReadOptions` to a command; it gets them as its argument `reading`."""
    return _bundled(command, "reading", ReadOptions, ReadOptions)


def writes_files(command: Command) -> Command:
    """Add the options of `WriteOptions` to a command; it gets them as its argument `writing`."""
    return _bundled(command, "writing", WriteOptions, WriteOptions)


def takes_options(record: Any, argument: str, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add an option for every field of a record to a command; it gets their values as a dict.

    Args:
        argument: name of the command's argument for them.
        without: fields that the command itself decides on.
    """
    return lambda command: _bundled(command, argument, record, dict, without)


def _bundled(
    command: Command, name: str, record: Any, build: Callable[..., Any], without: Collection[str] = ()
) -> Command:
    """`command` with an option per field of `record` in place of its argument `name`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = {key: p for key, p in signature.parameters.items() if key != name}
    known = {field.name: field for field in fields(record) if _is_shown(field, without)}
    types = get_type_hints(record)
    for key, field in known.items():
        parameters[key] = inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if field.metadata["parse_list"] else field.default,
            annotation=Annotated[_type_of(field, types[key]), _typer_option(field)],
        )

    @wraps(command)
    def run(**values: Any) -> None:
        asked = {key: _parsed(field, values.pop(key)) for key, field in known.items()}
        command(**values, **{name: build(**asked)})

    # options without a default come first, as a signature wants them
    ordered = sorted(parameters.values(), key=lambda p: p.default is not inspect.Parameter.empty)
    ordered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in ordered]
    run.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]
    run.__annotations__ = {key: p.annotation for key, p in parameters.items()}
    return run


def _is_shown(field: "Field[Any]", without: Collection[str]) -> bool:
    return field.name not in without and not field.metadata["hidden"]


def _type_of(field: "Field[Any]", annotated: Any) -> Any:
    shown = field.metadata
    if shown["parse_list"]:
        return list[str] | None
    return str | None if shown["parse"] else shown["type"] or annotated


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
    parse, parse_list = field.metadata["parse"], field.metadata["parse_list"]
    if parse_list:
        return parse_list(value) if value else field.default
    return value if parse is None or value is None else parse(str(value))
