"""`synthaug train-generator`: a conditional GAN on the training split of a data set."""

from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.reading import ReadOptions
from synthaug.cli.files import reads_files
from synthaug.cli.options import (
    Config,
    Device,
    DryRun,
    Json,
    Overwrite,
    Precision,
    Seed,
)
from synthaug.cli.output import Output


@reads_files
def train_generator(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")] = "chestmnist",
    preset: Annotated[str, typer.Option(help="A recipe of `synthaug models`.")] = "synthaug",
    architecture: Annotated[
        str | None, typer.Option(help="Networks; the preset's by default, see `synthaug models`.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="Loss; the preset's by default.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Generator updates; the preset's by default.", min=1)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long, if steps are not done.", min=0.01)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per update.", min=2)] = None,
    width: Annotated[int | None, typer.Option(help="Unit of the feature maps.", min=4)] = None,
    generator_lr: Annotated[
        float | None, typer.Option(help="Learning rate of the generator; the preset's by default.")
    ] = None,
    discriminator_lr: Annotated[float | None, typer.Option(help="Likewise, of the discriminator.")] = None,
    r1: Annotated[float | None, typer.Option(help="Weight of the R1 gradient penalty; 0 is off.")] = None,
    diffaugment: Annotated[
        str | None, typer.Option(help="Comma-separated color, translation, cutout; or none.")
    ] = None,
    balanced: Annotated[
        bool | None,
        typer.Option("--balanced/--unbalanced", help="Batches of all classes in equal parts; the preset's."),
    ] = None,
    unlabelled: Annotated[
        str | None, typer.Option(help="More images for the discriminator, a data set; labels not looked at.")
    ] = None,
    init_from: Annotated[
        str | None, typer.Option(help="Go on from a generator: a shipped name, a run folder or a file.")
    ] = None,
    monitor: Annotated[
        bool,
        typer.Option(
            "--monitor/--no-monitor",
            help="Compare samples with validation images: undo a collapse, keep the best checkpoint.",
        ),
    ] = True,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", hidden=True)] = True,  # its former name
    interval: Annotated[
        int | None, typer.Option(help="Steps between looks, checkpoints and sample grids.", min=1)
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-<preset>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    reading: ReadOptions = ReadOptions(),
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Train a class-conditional generator; it sees the training split only."""
    from dataclasses import asdict

    from synthaug._api.train_generator import plan_training

    out = Output(as_json)
    folder = run or Path("runs") / f"{Path(dataset.split(':')[0]).stem}-{preset}"
    plan = plan_training(
        dataset,
        preset=preset,
        out=folder,
        minutes=minutes,
        unlabelled=unlabelled,
        init_from=init_from,
        monitor=monitor and watch,
        resume=resume,
        overwrite=overwrite,
        device=device,
        precision=precision,
        options=reading,
        recipe={
            "seed": seed,
            "architecture": architecture,
            "objective": objective,
            "steps": steps,
            "batch_size": batch_size,
            "width": width,
            "interval": interval,
            "generator_lr": generator_lr,
            "discriminator_lr": discriminator_lr,
            "r1": r1,
            "balanced": balanced,
            "diffaugment": diffaugment,
        },
    )
    splits, config = plan.splits, plan.config
    counts = splits.train.counts()
    out.say(f"{splits.name}: training on {counts} ({plan.shape}), {config.steps:,} steps into {folder}")
    if plan.unlabelled is not None:
        out.say(
            f"unlabelled: {len(plan.unlabelled):,} images of {unlabelled}, {plan.left_out} left out: "
            "synthetic, or of patients who validate or test here"
        )
    if dry_run:
        out.result({"run": folder, "train": counts, "config": asdict(config)})
        return
    trained = plan.run()
    kept = f", weights of step {trained.best_step:,} (lowest KID)" if trained.best_step else ""
    out.say(f"{trained.steps_done:,} of {config.steps:,} steps done{kept}: {trained.path}")
    if not trained.complete:
        out.say("stopped early: the same command with --resume goes on")
    out.result(
        {
            "run": folder,
            "generator": trained.path,
            "steps_done": trained.steps_done,
            "steps_of_best": trained.best_step,
            "rollbacks": trained.rollbacks,
            "complete": trained.complete,
            "train": counts,
            "config": asdict(config),
        }
    )
