"""`synthaug experiment`: generators, images, classifiers in arms; a verdict and a report."""

from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.errors import GateError, UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.cli.experiment_options import RATIOS, ExperimentOptions
from synthaug.cli.experiment_plan import plan
from synthaug.cli.experiment_run import run_and_report
from synthaug.cli.files import reads_files
from synthaug.cli.options import (
    Config,
    Device,
    DryRun,
    InceptionWeights,
    Json,
    Overwrite,
    Precision,
    numbers,
)
from synthaug.cli.output import Output


@reads_files
def experiment(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")],
    scenario: Annotated[
        str, typer.Option(help="own: generators learn from the labelled subset; donor: from others' images.")
    ] = "own",
    donor: Annotated[
        str | None, typer.Option(help="The donor's data set; without it, part of the training patients.")
    ] = None,
    donor_class: Annotated[
        list[str] | None,
        typer.Option(help="A class that the donor or --generator calls otherwise, as theirs=ours."),
    ] = None,
    rare_class: Annotated[
        list[str] | None,
        typer.Option(help="Cut a class's training images to a share, as CLASS=0.05: what if it were rare?"),
    ] = None,
    donor_share: Annotated[
        float, typer.Option(help="Share of the training patients that is the donor's.", min=0.05, max=0.95)
    ] = 0.5,
    donors: Annotated[
        int | None, typer.Option(help="Donor splits, each with its own generator; 3 in the donor scenario.")
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            help="More images, labels not looked at: a data set; or rest, the training images outside of the "
            "labelled subset (./rest is a folder)."
        ),
    ] = None,
    fractions: Annotated[
        list[str] | None, typer.Option(help="Shares of the labelled data, such as 0.1,1.")
    ] = None,
    labels_per_class: Annotated[
        list[str] | None, typer.Option(help="Instead: labelled images of every class, such as 5,10.")
    ] = None,
    ratios: Annotated[
        list[str] | None, typer.Option(help="Synthetic shares of the blend; 0.1,0.25,0.5,0.75.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Labelled subsets (per donor split).", min=1)] = 3,
    inits: Annotated[int, typer.Option(help="Initial weights per labelled subset.", min=1)] = 1,
    arms: Annotated[str, typer.Option(help="full: every classical arm and competitor; core: few.")] = "full",
    preset: Annotated[str, typer.Option(help="Recipe of the generators trained here.")] = "synthaug",
    generator: Annotated[str | None, typer.Option(help="Use this generator instead of training any.")] = None,
    synthetic: Annotated[Path | None, typer.Option(help="Use these images instead of a generator.")] = None,
    generator_steps: Annotated[int, typer.Option(help="Updates of each generator.", min=1)] = 2000,
    steps: Annotated[
        int, typer.Option(help="Updates of each classifier, the same for every arm.", min=1)
    ] = 500,
    classifier: Annotated[
        str, typer.Option(help="small-resnet, timm/…, torchvision/… or monai/….")
    ] = "small-resnet",
    extractor: Annotated[
        str, typer.Option(help="For fidelity: domain, inception, both, or none.")
    ] = "domain",
    inception_weights: InceptionWeights = None,
    effect: Annotated[
        float, typer.Option(help="AUROC gain that --dry-run plans the subsets for.", min=0.001)
    ] = 0.02,
    jobs: Annotated[
        int | None, typer.Option(help="Trainings side by side; as many as cores, one on a GPU.", min=1)
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-experiment.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in --out: finished trainings are not done again.")
    ] = False,
    reading: ReadOptions = ReadOptions(),
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Measure whether synthetic images help: AUROC, paired, against the best classical arm.

    Exit status 3 when they harm.
    """
    from synthaug.augment.datasets.load import load_dataset, options_for

    if fractions and labels_per_class:
        raise UsageError("--fractions and --labels-per-class: expected one of them")
    options = ExperimentOptions(
        dataset=dataset,
        scenario=scenario,
        donor=donor,
        donor_classes=tuple(donor_class or ()),
        rare_classes=tuple(rare_class or ()),
        donor_share=donor_share,
        donors=donors or (1 if scenario == "own" or donor or generator or synthetic else 3),
        unlabelled=unlabelled,
        fractions=() if labels_per_class else numbers(fractions or ["1"], "fractions"),
        labels_per_class=counts(labels_per_class or []),
        ratios=numbers(ratios, "ratios") if ratios else RATIOS,
        seeds=seeds,
        inits=inits,
        arms=arms,
        preset=preset,
        generator=generator,
        synthetic=synthetic,
        generator_steps=generator_steps,
        steps=steps,
        classifier=classifier,
        extractor=extractor,
        inception_weights=inception_weights,
        reading=reading,
        device=device,
        precision=precision,
    )
    options.check()
    splits = load_dataset(dataset, options_for(reading, dataset, donor, options.other_unlabelled))
    splits = options.with_rare_classes(splits)
    folder = run or Path("runs") / f"{splits.name}-experiment"
    out = Output(as_json)
    if dry_run:
        plan(splits, options, folder, out, effect, jobs)
        return
    facts = run_and_report(splits, options, folder, out, overwrite=overwrite, resume=resume, jobs=jobs)
    if facts["verdict"] == "harms":
        raise GateError(f"harms: {facts['sentence']}")


def counts(said: list[str]) -> tuple[int, ...]:
    """Whole numbers of images, given once or several times, separated by commas.

    Raises:
        UsageError: something else.
    """
    words = [word.strip() for text in said for word in text.split(",")]
    if not all(word.isdigit() and int(word) for word in words):
        raise UsageError(f"--labels-per-class {' '.join(said)}: expected whole numbers, such as 5,10")
    return tuple(int(word) for word in words)
