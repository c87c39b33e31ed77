"""`synthaug export`: real, synthetic or blended images from one format to another."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.archive import (
    Resume,
    ToDicomWeb,
    ToPacs,
    archive_at,
    folder_as_it_is,
    folder_to_resume,
    noting,
    send_as_it_is,
    send_files,
)
from synthaug.cli.blending import blended_training_set
from synthaug.cli.files import reads_files, writes_files
from synthaug.cli.gate import gate_of_export
from synthaug.cli.options import (
    AllowNearCopies,
    Config,
    Device,
    Format,
    GeneratorOption,
    Json,
    Overwrite,
    Seed,
    TrainingImages,
)
from synthaug.cli.output import Output
from synthaug.cli.runtime import make_fabric


@reads_files
@writes_files
def export(
    source: Annotated[str, typer.Argument(help="A data set's name, or a path (.h5, .npz, folder, DICOM).")],
    target: Annotated[
        Path | None,
        typer.Argument(
            help="Where to: .h5, .npz, a folder, or a folder named …dicom; none to send SOURCE as it is."
        ),
    ] = None,
    format: Format = None,
    part: Annotated[str, typer.Option("--split", help="Of a data set: train, val, test or all.")] = "all",
    synthetic_ratio: Annotated[
        float, typer.Option(help="Export the training split blended: the share that is synthetic.")
    ] = 0.0,
    generator: GeneratorOption = None,
    synthetic: Annotated[Path | None, typer.Option(help="Synthetic images instead of --generator's.")] = None,
    training_images: TrainingImages = None,
    allow_near_copies: AllowNearCopies = False,
    to_dicomweb: ToDicomWeb = None,
    to_pacs: ToPacs = None,
    resume: Resume = False,
    reading: ReadOptions = ReadOptions(),
    writing: WriteOptions = WriteOptions(),
    seed: Seed = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Write images in another format, or send them to an archive of DICOM.

    Labels, class names, synthetic flags and provenance go along. Exit status 3, no file, and nothing sent,
    when near copies of training images are among the synthetic ones.
    """
    from synthaug.augment.archive.instances import exported_instances
    from synthaug.augment.datasets.load import licence_of, load_dataset, options_for, path_of, read_part
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.augment.formats.registry import format_of, read_attributes, write_images
    from synthaug.augment.progress import progress_bar
    from synthaug.augment.stream import ImageStream
    from synthaug.evaluation.memorization.gate import ATTRIBUTE
    from synthaug.generators.sampling import Synthesizer, card_attributes, shipped_for

    out = Output(as_json)
    archive = archive_at(to_dicomweb, to_pacs, resume)
    if target is None and archive is None:
        raise UsageError(f"export {source}: where to? expected TARGET, --to-dicomweb or --to-pacs")
    if archive is not None and (target is None or (resume and target.exists())):
        asked = {
            "--format": format is not None,
            "--split": part != "all",
            "--synthetic-ratio": synthetic_ratio != 0,
            "--generator": generator is not None,
            "--synthetic": synthetic is not None,
        }
        if target is None:
            folder = folder_as_it_is(source, reading, writing, [k for k, given in asked.items() if given])
        else:
            folder = folder_to_resume(target, source, overwrite)
        send_as_it_is(
            folder,
            archive,
            out,
            resume=resume,
            training_images=training_images,
            reading=reading,
            allow_near_copies=allow_near_copies,
        )
        return
    assert target is not None
    kind = format_of(target, format)
    if archive is not None and kind != "dicom":
        raise UsageError(
            f"{target}: {kind}, but an archive takes DICOM: expected a folder named …dicom, or --format dicom"
        )
    refuse_existing(target, overwrite)
    if part not in ("train", "val", "test", "all"):
        raise UsageError(f"--split {part}: expected train, val, test or all")
    if synthetic_ratio and part not in ("train", "all"):
        raise UsageError(
            f"--split {part} with --synthetic-ratio: synthetic images belong in training sets only"
        )
    if not synthetic_ratio and (generator or synthetic):
        raise UsageError("--generator, --synthetic: expected --synthetic-ratio too, the share they make up")
    path = path_of(source, reading)
    theirs = training_images and options_for(reading, training_images, source)
    reading = options_for(reading, source, training_images)
    facts: dict[str, str | int | float]
    made_by = splits = None
    if synthetic_ratio:
        splits = load_dataset(source, reading)
        where = str(make_fabric(device, "32-true").device)
        images, _ = blended_training_set(
            splits, synthetic_ratio, generator=generator, synthetic=synthetic, seed=seed, device=where
        )
        if synthetic is None:
            made_by = Synthesizer(generator or shipped_for(splits.class_names))
            facts = card_attributes(made_by.card) | {"seed": seed}
        else:
            facts = read_attributes(synthetic)
        of_source = {"licence": licence_of(source)} | (read_attributes(path) if path else {})
        licences = dict.fromkeys([str(of_source["licence"]), str(facts.get("licence", ""))])
        facts["licence"] = "; ".join(filter(None, licences))
    else:
        images = read_part(source, part, reading)
        facts = {"licence": licence_of(source)} if path is None else read_attributes(path)
    before = str(facts.pop(ATTRIBUTE, ""))
    stream = ImageStream.of(images, **{**facts, "source": Path(source).name})
    stream = replace(stream, origin=source if path is None else str(path.resolve()))
    data = [] if training_images is None else [training_images]
    if images.synthetic.any():
        gate = gate_of_export(images, data, theirs or reading, made_by, splits)
        stream = gate.guard(stream, allow=allow_near_copies, before=before)
    elif training_images is not None:
        raise UsageError(f"--training-images: no image of {source} is marked synthetic, nothing to compare")
    with progress_bar(f"export to {kind}", len(images)) as advance:
        write = None if archive is None else noting(archive)
        stream = stream.watched(advance)
        write_images(stream, target, format=kind, writing=writing, overwrite=overwrite, write=write)
    made = int(images.synthetic.sum())
    gate_says = str(stream.attributes.get(ATTRIBUTE, ""))
    out.say(f"{len(images) - made:,} real and {made:,} synthetic images in {target} ({kind})")
    if gate_says:
        out.say(f"memorization gate: {gate_says}")
    counts = {"real": len(images) - made, "synthetic": made, "classes": images.counts()}
    result = {"out": target, "format": kind, **counts, "memorization_gate": gate_says}
    if archive is None:
        out.result(result)
    else:
        send_files(exported_instances(target), target, archive, out, result)
