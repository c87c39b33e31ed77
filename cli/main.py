"""The `synthaug` command: registers one file per command and turns errors into one line and a status."""

import json
import logging
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

import synthaug
from synthaug.augment.errors import SynthaugError
from synthaug.augment.files.clock import moment_of_writing
from synthaug.cli.datasets import datasets
from synthaug.cli.demo import demo
from synthaug.cli.doctor import doctor
from synthaug.cli.evaluate import evaluate
from synthaug.cli.experiment import experiment
from synthaug.cli.export import export
from synthaug.cli.generate import generate
from synthaug.cli.models import models
from synthaug.cli.output import Output, WordsHandler
from synthaug.cli.train_classifier import train_classifier
from synthaug.cli.train_generator import train_generator

app = typer.Typer(
    name="synthaug",
    help="Synthetic data augmentation for medical-image classifiers, with the truth about whether it helped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ANYWHERE = ("-q", "--quiet", "-v", "--verbose")  # understood before and behind the command's name
for command in (
    demo,
    datasets,
    models,
    train_generator,
    generate,
    train_classifier,
    evaluate,
    experiment,
    export,
    doctor,
):
    app.command(command.__name__.replace("_", "-"))(command)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"synthaug {synthaug.__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Warnings and results only: no progress, no messages.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Debug messages too.")] = False,
) -> None:
    """Options before the command."""
    from synthaug.cli.progress import shown_progress

    logging.getLogger("synthaug").setLevel(
        logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    )
    context.with_resource(shown_progress(quiet))


def main() -> None:
    """Run the command line; exit 2 wrong usage, 3 a gate failed, 4 bad or missing data."""
    console = Console(stderr=True, soft_wrap=True)
    Output.answered = False
    logger = logging.getLogger("synthaug")
    logger.handlers[:] = [WordsHandler(console)]  # a second call in one process speaks once
    try:
        moment_of_writing()  # of a wrong SOURCE_DATE_EPOCH numpy would speak first, in a traceback
        status = app(sorted(sys.argv[1:], key=lambda word: word not in ANYWHERE), standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except SynthaugError as error:
        console.print(f"synthaug: {error}", style="red", markup=False, highlight=False)
        _fail(str(error), type(error).__name__, error.exit_status)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", "Interrupted", 130)
    except Exception as error:
        if not hasattr(error, "format_message"):  # of click, which some releases of typer carry in themselves
            raise
        from typer.rich_utils import rich_format_error

        rich_format_error(error)  # type: ignore[arg-type]
        _fail(error.format_message(), "UsageError", 2)


def _fail(message: str, kind: str, status: int) -> NoReturn:
    """Exit; under --json, stdout holds one object here too: the command's result, where there is one."""
    if "--json" in sys.argv and not Output.answered:
        json.dump({"error": message, "kind": kind, "status": status}, sys.stdout)
        sys.stdout.write("\n")
    sys.exit(status)
