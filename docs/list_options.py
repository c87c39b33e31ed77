"""Write docs/cli.md, every command and option, from the commands; tests/test_docs.py holds it current."""

import inspect
import re
from html import escape
from pathlib import Path
from typing import Any, get_args

from typer.core import TyperArgument, TyperOption
from typer.main import get_command

from synthaug.cli.main import app

PAGE = Path(__file__).resolve().parent / "cli.md"
OPENING = """\
# Command line

<!-- written by `python docs/list_options.py` -->

`synthaug COMMAND --help` says the same. `-q` (`--quiet`) and `-v` (`--verbose`) are understood before and
behind the command; `--version` prints the version, `--install-completion` teaches the shell the options.

Values come from the command line, else from `synthaug.toml` in the working folder, else from the defaults
below. Keys of `synthaug.toml` (or of `--config FILE`) are option names: at the top for every command that has
the option, in a table named like the command, `[generate]`, for that command alone.

Exit status: 0 done · 2 wrong usage · 3 a gate failed (a leak, near copies, a harm) · 4 bad or missing data,
disk, memory · 130, 143 interrupted.
"""


def page() -> str:
    """The page as Markdown."""
    lines = [OPENING]
    functions = {one.name: one.callback for one in app.registered_commands}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        types = inspect.signature(functions[name], eval_str=True).parameters  # type: ignore[arg-type]
        lines += [f"## synthaug {name}", "", words(command.help), ""]
        panels: dict[str, list[str]] = {}
        for parameter in command.params:
            if not getattr(parameter, "hidden", False):
                panel = getattr(parameter, "rich_help_panel", None) or "Options"
                panels.setdefault("Arguments" if isinstance(parameter, TyperArgument) else panel, []).append(
                    row(parameter, types[parameter.name].annotation)
                )
        for panel, rows in panels.items():
            lines += [f"| {panel} | | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def row(parameter: TyperArgument | TyperOption, annotation: Any) -> str:
    """One option: how it is written, what it does, its default.

    Args:
        annotation: Annotated[type, what typer is told].
    """
    if isinstance(parameter, TyperArgument):
        written, required = f"`{(parameter.name or '').upper()}`", parameter.required
    else:
        flags = " / ".join(f"`{flag}`" for flag in [*parameter.opts, *parameter.secondary_opts])
        written, required = f"{flags} {type_of(parameter, *get_args(annotation))}".strip(), parameter.required
    default = "required" if required else default_of(parameter)
    envvar = f" `${parameter.envvar}`" if parameter.envvar else ""
    return f"| {written} | {words(parameter.help)}{envvar} | {default} |"


def type_of(option: TyperOption, kind: Any, told: Any) -> str:
    """The kind of value, with its bounds; nothing of a flag."""
    kinds = [one for one in get_args(kind) or (kind,) if one is not type(None)]
    name = getattr(kinds[0], "__name__", "")
    word = {"bool": "", "str": "text", "list": "text", "int": "integer", "float": "number", "Path": "path"}[
        name
    ]
    low, high = told.min, told.max
    bounds = "" if low is None else f" ≥ {low:,}" if high is None else f" {low:,} … {high:,}"
    return word + bounds + (", several times" if option.multiple else "")


def default_of(parameter: TyperArgument | TyperOption) -> str:
    """The default, or nothing where there is none to show."""
    if parameter.default in (None, (), [], ""):
        return ""
    if parameter.default is True and getattr(parameter, "secondary_opts", None):
        return f"`{parameter.opts[0]}`"
    return "" if parameter.default is False else f"`{parameter.default}`"


def words(text: str | None) -> str:
    """A help text in one line, for a cell of a table."""
    return re.sub(r"\s+", " ", escape(text or "", quote=False)).replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(page())
