"""`synthaug train-generator`: a conditional GAN on the training split of a data set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from synthaug.augment.errors import UsageError
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


def train_generator(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")] = "chestmnist",
    preset: Annotated[str, typer.Option(help="A recipe of `synthaug models`.")] = "synthaug",
    steps: Annotated[
        int | None, typer.Option(help="Generator updates; the preset's by default.", min=1)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long, if steps are not done.", min=0.01)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per update.", min=2)] = None,
    width: Annotated[int | None, typer.Option(help="Feature maps at 64 px.", min=4)] = None,
    generator_lr: Annotated[
        float | None, typer.Option(help="Adam's step size; the preset's by default.")
    ] = None,
    discriminator_lr: Annotated[float | None, typer.Option(help="Likewise, of the discriminator.")] = None,
    diffaugment: Annotated[
        str | None, typer.Option(help="Comma-separated color, translation, cutout; or none.")
    ] = None,
    interval: Annotated[
        int | None, typer.Option(help="Steps between checkpoint and sample grid.", min=1)
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-<preset>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
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

    from synthaug.augment.atomic import refuse_existing
    from synthaug.augment.datasets import licence_of, load_dataset
    from synthaug.generators.diffaugment import policy
    from synthaug.generators.presets import preset as preset_named
    from synthaug.generators.runs import Source, train_run
    from synthaug.generators.training import check_images

    out = Output(as_json)
    chosen: dict[str, Any] = {
        "steps": steps,
        "batch_size": batch_size,
        "width": width,
        "interval": interval,
        "generator_lr": generator_lr,
        "discriminator_lr": discriminator_lr,
    }
    if diffaugment is not None:
        chosen["diffaugment"] = policy(diffaugment)
    chosen = {name: value for name, value in chosen.items() if value is not None}
    config = replace(preset_named(preset), seed=seed, **chosen)
    folder = run or Path("runs") / f"{Path(dataset.split(':')[0]).stem}-{preset}"
    if not resume:
        refuse_existing(folder, overwrite)
    elif not folder.exists():
        raise UsageError(f"--resume: no run at {folder}, leave --resume out to start one")
    splits = load_dataset(dataset, data_root(root), size=size, channels=channels, split_seed=split_seed)
    shape = "×".join(str(n) for n in splits.train.image_shape)
    out.say(
        f"{splits.name}: training on {splits.train.counts()} ({shape}), {config.steps:,} steps into {folder}"
    )
    if dry_run:
        out.result({"run": folder, "train": splits.train.counts(), "config": asdict(config)})
        return
    check_images(splits.train)
    fabric = make_fabric(device, precision)
    if overwrite and folder.exists() and not resume:
        shutil.rmtree(folder)
    words = f"{splits.name} train split, {len(splits.train)} images {shape}"
    place = str(Path(dataset).absolute()) if Path(dataset).exists() else dataset
    source = Source(words, licence_of(dataset), place, split_seed)
    training = train_run(
        splits.train,
        source,
        config,
        folder,
        fabric=fabric,
        resume=resume,
        minutes=minutes,
    )
    whole = training.steps_done >= config.steps
    out.say(f"{training.steps_done:,} of {config.steps:,} steps done: {folder / 'generator.safetensors'}")
    if not whole:
        out.say("stopped early: the same command with --resume goes on")
    out.result(
        {
            "run": folder,
            "generator": folder / "generator.safetensors",
            "steps_done": training.steps_done,
            "complete": whole,
            "train": splits.train.counts(),
            "config": asdict(config),
        }
    )
