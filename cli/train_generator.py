"""`synthaug train-generator`: a conditional GAN on the training split of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.reading import READ_DEFAULTS, ReadOptions
from synthaug.cli.files import reads_files
from synthaug.cli.options import (
    Channels,
    Config,
    DataRoot,
    Device,
    DryRun,
    Json,
    Overwrite,
    Precision,
    Seed,
    Size,
    SplitSeed,
)
from synthaug.cli.output import Output
from synthaug.cli.runtime import data_root, make_fabric

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.evaluation.fidelity.monitor import SampleMonitor


@reads_files
def train_generator(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")] = "chestmnist",
    preset: Annotated[str, typer.Option(help="A recipe of `synthaug models`.")] = "synthaug",
    architecture: Annotated[
        str | None, typer.Option(help="Networks; the preset's by default, see `synthaug models`.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="What they want; likewise.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Generator updates; the preset's by default.", min=1)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long, if steps are not done.", min=0.01)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per update.", min=2)] = None,
    width: Annotated[int | None, typer.Option(help="Unit of the feature maps.", min=4)] = None,
    generator_lr: Annotated[
        float | None, typer.Option(help="Step size of the generator; the preset's by default.")
    ] = None,
    discriminator_lr: Annotated[float | None, typer.Option(help="Likewise, of the discriminator.")] = None,
    r1: Annotated[
        float | None, typer.Option(help="Weight of the R1 penalty on the discriminator's slope; 0 is off.")
    ] = None,
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
    watch: Annotated[
        bool,
        typer.Option(
            "--watch/--no-watch",
            help="Look at samples beside validation images: undo a collapse, keep the best checkpoint.",
        ),
    ] = True,
    interval: Annotated[
        int | None, typer.Option(help="Steps between looks, checkpoints and sample grids.", min=1)
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-<preset>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    reading: ReadOptions = READ_DEFAULTS,
    size: Size = None,
    channels: Channels = None,
    root: DataRoot = None,
    seed: Seed = 0,
    split_seed: SplitSeed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Train a class-conditional generator; it sees the training split only."""
    import shutil
    from dataclasses import asdict, replace

    from synthaug.augment.datasets.load import licence_of, load_dataset, reading_for
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.generators.presets import preset as preset_named
    from synthaug.generators.runs import Source, train_run
    from synthaug.generators.sampling import find_generator
    from synthaug.generators.training.diffaugment import policy
    from synthaug.generators.training.gan import check_images
    from synthaug.generators.training.networks import check_recipe
    from synthaug.generators.training.transfer import Origin

    out = Output(as_json)
    chosen: dict[str, Any] = {
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
        "diffaugment": None if diffaugment is None else policy(diffaugment),
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    origin = None if init_from is None else Origin.read(find_generator(init_from))
    config = preset_named(preset)
    config = replace(config if origin is None else origin.recipe(config), seed=seed, **chosen)
    check_recipe(config)
    folder = run or Path("runs") / f"{Path(dataset.split(':')[0]).stem}-{preset}"
    if not resume:
        refuse_existing(folder, overwrite)
    elif not folder.exists():
        raise UsageError(f"--resume: no run at {folder}, leave --resume out to start one")
    theirs = unlabelled and reading_for(reading, unlabelled, dataset, root=data_root(root))
    reading = reading_for(reading, dataset, unlabelled, root=data_root(root))
    splits = load_dataset(
        dataset, data_root(root), size=size, channels=channels, split_seed=split_seed, reading=reading
    )
    shape = "×".join(str(n) for n in splits.train.image_shape)
    out.say(
        f"{splits.name}: training on {splits.train.counts()} ({shape}), {config.steps:,} steps into {folder}"
    )
    more = (
        _unlabelled(unlabelled, splits, data_root(root), split_seed, theirs, out)
        if unlabelled and theirs
        else None
    )
    if dry_run:
        out.result({"run": folder, "train": splits.train.counts(), "config": asdict(config)})
        return
    check_images(splits.train)
    if origin is not None:
        origin.refuse_misfit(splits.train, config)
    fabric = make_fabric(device, precision)
    judge = _judge(splits, fabric, out) if watch else None
    if overwrite and folder.exists() and not resume:
        shutil.rmtree(folder)
    words = f"{splits.name} train split, {len(splits.train)} images {shape}"
    place = str(Path(dataset).absolute()) if Path(dataset).exists() else dataset
    source = Source(words, licence_of(dataset), place, split_seed, reading.said())
    training = train_run(
        splits.train,
        source,
        config,
        folder,
        fabric=fabric,
        sample_monitor=judge,
        unlabelled=more,
        origin=origin,
        resume=resume,
        minutes=minutes,
    )
    whole = training.steps_done >= config.steps
    best = training.monitor.best_step
    kept = f", weights of step {best:,} (lowest KID)" if best else ""
    said = f"{training.steps_done:,} of {config.steps:,} steps done"
    out.say(f"{said}{kept}: {folder / 'generator.safetensors'}")
    if not whole:
        out.say("stopped early: the same command with --resume goes on")
    out.result(
        {
            "run": folder,
            "generator": folder / "generator.safetensors",
            "steps_done": training.steps_done,
            "steps_of_best": training.monitor.best_step,
            "rollbacks": training.monitor.rollbacks,
            "complete": whole,
            "train": splits.train.counts(),
            "config": asdict(config),
        }
    )


def _unlabelled(
    name: str, splits: "Splits", root: Path, split_seed: int, reading: ReadOptions, out: Output
) -> "LabeledImages":
    """The training images of another data set, without those that validate or test here."""
    import numpy as np

    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.fingerprint import SeenImages
    from synthaug.augment.transforms import matching

    channels, side, _ = splits.train.image_shape
    found = load_dataset(
        name, root, size=side, channels=channels, split_seed=split_seed, reading=reading
    ).train
    more = matching(found, splits.train)
    held_out = SeenImages.of(splits.val) | SeenImages.of(splits.test)
    known = held_out.look_alikes(more)
    if known.all():
        raise DataError(f"--unlabelled {name}: all {len(more)} images validate or test {splits.name}")
    kept = more.take(np.flatnonzero(~known))
    out.say(f"unlabelled: {len(kept):,} images of {name}, {known.sum()} left out that validate or test here")
    return kept


def _judge(splits: "Splits", fabric: "Fabric", out: Output) -> "SampleMonitor | None":
    from synthaug.evaluation.fidelity.extractors import extractors_for
    from synthaug.evaluation.fidelity.monitor import can_monitor, sample_monitor_for

    if not can_monitor(splits):
        out.say("too few classes or validation images to watch the samples: the last weights are kept")
        return None
    return sample_monitor_for(splits, extractors_for(["domain"], splits, fabric=fabric)[0])
