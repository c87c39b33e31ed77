"""`synthaug generate`: exactly as many images as asked, of the classes asked, in the format of --out."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.errors import UsageError
from synthaug.augment.options import as_flags
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.files import reads_files, writes_files
from synthaug.cli.gate import gate_of_generator
from synthaug.cli.options import (
    AllowNearCopies,
    Config,
    Device,
    DryRun,
    Format,
    GeneratorOption,
    Json,
    Overwrite,
    Seed,
    TrainingImages,
)
from synthaug.cli.output import Output
from synthaug.cli.remake import remake
from synthaug.cli.runtime import make_fabric


@partial(reads_files, without=("size", "channels"))  # the images are of the generator's
@writes_files
def generate(
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="Class by name; several times for several classes.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Images of each --class.", min=1)] = None,
    per_class: Annotated[int | None, typer.Option(help="Images of every class.", min=1)] = None,
    balance_with: Annotated[
        str | None, typer.Option(help="Data set whose classes to fill up to its largest.")
    ] = None,
    generator: GeneratorOption = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", help=".h5, .npz, a folder, or a folder named …dicom; <classes>-<n>.h5 by default."
        ),
    ] = None,
    format: Format = None,
    from_provenance: Annotated[
        str | None,
        typer.Option(help="Make the images of this file again, or FILE#INDEX one of them, and compare."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run that had --shard-size.")
    ] = False,
    training_images: TrainingImages = None,
    reject_near_copies: Annotated[
        bool, typer.Option("--reject-near-copies", help="Replace near copies by the next of the sequence.")
    ] = False,
    allow_near_copies: AllowNearCopies = False,
    reading: ReadOptions = ReadOptions(),
    writing: WriteOptions = WriteOptions(),
    seed: Seed = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make synthetic images. Image i of a class depends on the generator, the class, --seed and i only.

    Exit status 3, and no file, when near copies of training images are among them, or when images made again
    are not those of the file.
    """
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.augment.formats.registry import format_of, write_images
    from synthaug.augment.hdf5.partial import is_in_place
    from synthaug.augment.progress import progress_bar
    from synthaug.cli.making import Making, training_digest
    from synthaug.evaluation.memorization.gate import ATTRIBUTE
    from synthaug.generators.sampling import Synthesizer, shipped_for

    out = Output(as_json)
    if reading.as_config() and training_images is None and balance_with is None:
        flags = as_flags(reading.as_config())
        raise UsageError(f"{flags}: say which files by --training-images or --balance-with, or leave it out")
    if from_provenance is not None:
        others = {
            "--class": classes,
            "--n": n,
            "--per-class": per_class,
            "--balance-with": balance_with,
            "--seed": seed,
            "--resume": resume,
            "--reject-near-copies": reject_near_copies,
        }
        if said := ", ".join(option for option, value in others.items() if value):
            raise UsageError(f"{said} with --from-provenance: the file says which images, leave it out")
        remake(
            from_provenance,
            target,
            out,
            format=format,
            generator=generator,
            training_images=training_images,
            allow_near_copies=allow_near_copies,
            writing=writing,
            reading=reading,
            device=str(make_fabric(device, "32-true").device),
            overwrite=overwrite,
            dry_run=dry_run,
        )
        return
    if reject_near_copies and allow_near_copies:
        raise UsageError("--reject-near-copies and --allow-near-copies: expected one of them")
    asked = [bool(classes), per_class is not None, balance_with is not None]
    if sum(asked) != 1 or (n is not None) != bool(classes):
        raise UsageError("say what to make: --class NAME --n N, or --per-class N, or --balance-with DATASET")
    source = generator or shipped_for(classes or [])
    synthesizer = Synthesizer(source, str(make_fabric(device, "32-true").device))
    names = synthesizer.card.class_names
    if classes:
        labels = [synthesizer.label_of(name) for name in classes]
        if len(set(labels)) < len(labels):
            raise UsageError(f"--class {', '.join(classes)}: expected each class once")
        plan = dict.fromkeys(labels, n or 0)
    elif per_class is not None:
        plan = dict.fromkeys(range(len(names)), per_class)
    else:
        plan = _filling_up(balance_with or "", names, reading)
    counts = {names[label]: count for label, count in plan.items()}
    path = target or Path(f"{'-'.join(counts)}-{max(counts.values())}.h5".replace("/", "_"))
    kind = format_of(path, format)
    in_shards = kind == "hdf5" and writing.shard_size is not None
    if resume and not in_shards:
        raise UsageError("--resume: only HDF5 shards can be gone on with: say --shard-size N, --out FILE.h5")
    overwrite = overwrite or (resume and is_in_place(path))
    refuse_existing(path, overwrite)
    out.say(f"{counts} from {synthesizer.name} ({synthesizer.card.data}) to {path} ({kind})")
    gate_says = ""
    if not dry_run:
        gate = gate_of_generator(synthesizer, training_images, reading)
        made = Making(synthesizer, plan, seed, gate, reject_near_copies, allow_near_copies)
        stream = made.stream()
        with progress_bar("generate", stream.total) as advance:
            if in_shards:
                seen = training_digest(training_images, reading)
                made.write_shards(path, writing, seen, advance, resume=resume, overwrite=overwrite)
            else:
                write_images(stream.watched(advance), path, format=kind, writing=writing, overwrite=overwrite)
        gate_says = str(stream.attributes[ATTRIBUTE])
        out.say(f"{stream.total:,} synthetic images in {path}; memorization gate: {gate_says}")
    out.result(
        {
            "out": path,
            "format": kind,
            "counts": counts,
            "seed": seed,
            "generator": {"name": synthesizer.name, "sha256": synthesizer.card.sha256},
            "memorization_gate": gate_says,
            "written": not dry_run,
        }
    )


def _filling_up(dataset: str, names: tuple[str, ...], reading: ReadOptions) -> dict[int, int]:
    """How many images of each label bring every class of a data set up to its largest."""
    from synthaug.augment.balance import sampling_plan
    from synthaug.augment.blend import match_classes
    from synthaug.augment.datasets.load import load_dataset

    train = load_dataset(dataset, reading).train
    wanted = sampling_plan(match_classes(train, names).labels, len(names))
    plan = {label: count for label, count in enumerate(wanted) if count}
    if not plan:
        raise UsageError(f"{dataset}: its classes are balanced already ({train.counts()}), nothing to make")
    return plan
