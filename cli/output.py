"""What a command says: words for people, or one JSON object for programs."""

import json
import logging
import sys
from typing import Any, Literal

from rich.console import Console
from rich.table import Table


class Output:
    """Words go to stdout, or to stderr under --json, where stdout carries one object only.

    Attributes:
        answered: that object was printed, by whichever command this run is of.
    """

    answered = False

    def __init__(self, as_json: bool):
        self.as_json = as_json
        self.console = Console(stderr=as_json, soft_wrap=True, highlight=False)

    def say(self, text: str) -> None:
        """One line of words; not with --quiet."""
        if logging.getLogger("synthaug").isEnabledFor(logging.INFO):
            self.console.print(text, markup=False)

    def table(self, columns: list[str], rows: list[list[str]], title: str | None = None) -> None:
        """A table; a column whose name starts with ">" holds numbers and is right-aligned."""
        table = Table(title=title, title_justify="left")
        for column in columns:
            justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
            table.add_column(column.removeprefix(">"), justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.console.print(table, markup=False)

    def result(self, facts: dict[str, Any]) -> None:
        """The machine-readable result, printed under --json only."""
        if self.as_json:
            Output.answered = True
            json.dump(facts, sys.stdout, default=str)
            sys.stdout.write("\n")


class WordsHandler(logging.Handler):
    """Log records on stderr: information as plain lines, warnings and errors with their level."""

    def __init__(self, console: Console):
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname}: {text}"
        self.console.print(text, markup=False, highlight=False)
