"""`synthaug generate`: exactly as many images as asked, of the classes asked, in the format of --out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthaug.augment.errors import UsageError
from synthaug.augment.options import as_flags, changed
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.files import reads_files, writes_files
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

if TYPE_CHECKING:
    from synthaug._api.remake import Remade


@reads_files
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
    from synthaug._api.generate import plan_generation
    from synthaug._api.remake import remake
    from synthaug._api.save import file_format

    out = Output(as_json)
    asked = [name for name in changed(reading) if name not in ("root", "split_seed")]
    if asked and training_images is None and balance_with is None:
        flags = as_flags(asked)
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
        if given := ", ".join(flag for flag, value in others.items() if value):
            raise UsageError(f"{given} with --from-provenance: the file says which images, leave it out")
        made = remake(
            from_provenance,
            target,
            format=format,
            generator=generator,
            training_images=training_images,
            allow_near_copies=allow_near_copies,
            writing=writing,
            options=reading,
            device=device,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        _report_remade(out, made, from_provenance, target, dry_run)
        return
    generation = plan_generation(
        classes,
        n,
        per_class=per_class,
        balance_with=balance_with,
        generator=generator,
        seed=seed,
        training_images=training_images,
        reject_near_copies=reject_near_copies,
        allow_near_copies=allow_near_copies,
        device=device,
        options=reading,
    )
    counts, synthesizer = generation.counts, generation.synthesizer
    path = target or Path(f"{'-'.join(counts)}-{max(counts.values())}.h5".replace("/", "_"))
    generation.refuse(path, format, writing, overwrite=overwrite, resume=resume)
    kind = file_format(path, format)
    out.say(f"{counts} from {synthesizer.name} ({synthesizer.card.data}) to {path} ({kind})")
    gate = ""
    if not dry_run:
        gate = generation.write(path, format, writing, overwrite=overwrite, resume=resume)
        total = sum(counts.values())
        out.say(f"{total:,} synthetic images in {path}; memorization gate: {gate}")
    out.result(
        {
            "out": path,
            "format": kind,
            "counts": counts,
            "seed": seed,
            "generator": {"name": synthesizer.name, "sha256": synthesizer.card.sha256},
            "memorization_gate": gate,
            "written": not dry_run,
        }
    )


def _report_remade(out: Output, made: "Remade", file: str, target: Path | None, dry_run: bool) -> None:
    if made.real:
        out.say(f"{made.real:,} real images of {file} are left out: nobody makes them again")
    if made.changed:
        out.say(f"the images of {file} were {made.changed}; those made again are changed likewise")
    if not dry_run:
        out.say(f"identical: {made.total:,} of {made.total:,}; in {target} ({made.format})")
        out.say(f"memorization gate: {made.gate}")
    out.result(
        {
            "out": target,
            "format": made.format,
            "counts": made.counts,
            "generators": made.generators,
            "identical": None if dry_run else made.total,
            "of": made.total,
            "changed": made.changed,
            "memorization_gate": made.gate,
            "written": not dry_run,
        }
    )
