"""`synthaug demo`: a shared generator and few labels, on built-in phantoms, offline, in a few minutes."""

from pathlib import Path
from typing import Annotated

import typer

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
    """Another site's generator, few labels of one's own: does it help? On procedural chest radiographs.

    Half of the training patients are the donor's, who trains a generator on them; the recipient has a tenth
    of the labels of the other half. Three donors, each with another tenth. The verdict is as it comes.
    """
    from synthaug._api.experiment.options import ExperimentOptions
    from synthaug._api.experiment.run import recipient, run_experiment
    from synthaug.augment.reading import ReadOptions
    from synthaug.cli.experiment import report_result

    options = ExperimentOptions(
        dataset=DATA,
        scenario="donor",
        fractions=(0.1,),
        ratios=(0.5,),
        donors=3,
        seeds=1,
        arms="core",
        generator_steps=400,
        steps=150,
        device=device,
        precision=precision,
        reading=ReadOptions(size=SIZE),
    ).resolved()
    out = Output(as_json)
    out.say(
        "three donors train a generator each on half of the patients; the recipient has a tenth of the "
        "labels of the other half"
    )
    splits = recipient(DATA, options)
    result = run_experiment(splits, options, folder, overwrite=overwrite)
    report_result(out, result, len(splits.test))
