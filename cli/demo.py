"""`synthaug demo`: the whole way on the built-in phantom, offline, in minutes on two cores."""

from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.reading import ReadOptions
from synthaug.cli.experiment_options import ExperimentOptions
from synthaug.cli.experiment_run import run_and_report
from synthaug.cli.options import Config, Device, Json, Overwrite, Precision
from synthaug.cli.output import Output

DATA = "phantom:n=1600,abnormal=0.2"
SIZE = 32


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Run folder.")] = Path("runs/demo"),
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Generator, synthetic images, classifiers, fidelity and verdict on procedural chest radiographs."""
    from synthaug.augment.datasets.load import load_dataset

    options = ExperimentOptions(
        dataset=DATA,
        reading=ReadOptions(size=SIZE),
        ratios=(0.5,),
        seeds=3,
        arms="core",
        generator_steps=400,
        steps=150,
        device=device,
        precision=precision,
    )
    splits = load_dataset(DATA, options.reading)
    run_and_report(splits, options, folder, Output(as_json), overwrite=overwrite)
