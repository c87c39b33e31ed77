"""The `synthaug` command: registers one file per command and turns errors into one line and a status."""

import logging
import sys

import typer
from rich.console import Console
from rich.logging import RichHandler

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
from synthaug.cli.train_classifier import train_classifier
from synthaug.cli.train_generator import train_generator

app = typer.Typer(
    name="synthaug",
    help="Synthetic data augmentation for medical-image classifiers, with the truth about whether it helped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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


def main() -> None:
    """Run the command line; exit 2 wrong usage, 3 a gate failed, 4 bad or missing data."""
    console = Console(stderr=True, soft_wrap=True)
    handler = RichHandler(console=console, show_time=False, show_path=False)
    logging.getLogger("synthaug").addHandler(handler)
    try:
        moment_of_writing()  # of a wrong SOURCE_DATE_EPOCH numpy would speak first, in a traceback
        app()
    except SynthaugError as error:
        console.print(f"synthaug: {error}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_status)
