"""`synthaug export`: real, synthetic or blended images from one format to another."""

from pathlib import Path
from typing import Annotated

import typer

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.archive import Resume, ToDicomWeb, ToPacs, asked_of_target, report_sent
from synthaug.cli.files import reads_files, writes_files
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
    splits_to: Annotated[
        Path | None,
        typer.Option("--splits", help="Folder for train, val and test apart, instead of TARGET."),
    ] = None,
    format: Format = None,
    part: Annotated[str, typer.Option("--split", help="Of a data set: train, val, test or all.")] = "all",
    synthetic_ratio: Annotated[
        float, typer.Option(help="Export the training split blended: the share that is synthetic.")
    ] = 0.0,
    balance: Annotated[
        bool, typer.Option("--balance", help="Export the training split with every class filled up.")
    ] = False,
    add: Annotated[
        Path | None, typer.Option("--add", help="Export the training split with these synthetic images.")
    ] = None,
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
    from synthaug._api import archive as archives
    from synthaug._api.blend import Blending
    from synthaug._api.export import export as export_images
    from synthaug._api.export import export_splits

    out = Output(as_json)
    if splits_to is not None:
        others: dict[str, object] = {
            "TARGET": target,
            "--to-dicomweb": to_dicomweb,
            "--to-pacs": to_pacs,
            "--resume": resume,
            "--synthetic-ratio": synthetic_ratio,
            "--balance": balance,
            "--add": add,
            "--generator": generator,
            "--synthetic": synthetic,
            "--training-images": training_images,
        }
        if flags := [flag for flag, value in others.items() if value]:
            raise UsageError(f"--splits with {', '.join(flags)}: it writes a data set as it is, leave it out")
        by_split = export_splits(
            source,
            splits_to,
            format=format,
            allow_near_copies=allow_near_copies,
            options=reading,
            writing=writing,
            overwrite=overwrite,
        )
        for name, count in by_split.items():
            out.say(f"{splits_to / name}: {count}")
        out.result({"out": splits_to, "splits": by_split})
        return
    archive = archives.open_archive(to_dicomweb, to_pacs, resume)
    if target is None and archive is None:
        raise UsageError(f"export {source}: where to? expected TARGET, --splits, --to-dicomweb or --to-pacs")
    if archive is not None and (target is None or (resume and target.exists())):
        if target is None:
            given = {
                "--format": format is not None,
                "--split": part != "all",
                "--synthetic-ratio": synthetic_ratio != 0,
                "--balance": balance,
                "--add": add is not None,
                "--generator": generator is not None,
                "--synthetic": synthetic is not None,
            }
            flags = [flag for flag, is_given in given.items() if is_given]
            folder = archives.refuse_unfit_folder(source, reading, writing, flags)
        else:
            folder = archives.refuse_other_target(target, source, overwrite, asked_of_target())
        sent = archives.send_exported(
            folder,
            archive,
            resume=resume,
            training_images=training_images,
            options=ReadOptions(root=reading.root, split_seed=reading.split_seed),
            allow_near_copies=allow_near_copies,
            asked=asked_of_target(),
        )
        if sent.gate:
            out.say(f"memorization gate: {sent.gate}")
        report_sent(sent, out, {"out": folder, "memorization_gate": sent.gate})
        return
    assert target is not None
    if archive is not None:
        archives.refuse_other_format(target, format)
    done = export_images(
        source,
        target,
        format=format,
        part=part,
        blending=Blending(synthetic_ratio, balance, add, generator, synthetic),
        training_images=training_images,
        allow_near_copies=allow_near_copies,
        options=reading,
        writing=writing,
        seed=seed,
        device=device,
        overwrite=overwrite,
        write=None if archive is None else archives.noting_writer(archive, asked_of_target()),
    )
    out.say(f"{done.real:,} real and {done.synthetic:,} synthetic images in {target} ({done.format})")
    if done.gate:
        out.say(f"memorization gate: {done.gate}")
    counts = {"real": done.real, "synthetic": done.synthetic, "classes": done.classes}
    result = {"out": target, "format": done.format, **counts, "memorization_gate": done.gate}
    if archive is None:
        out.result(result)
        return
    sent = archives.send_files(target, archive, gate=done.gate, asked=asked_of_target())
    report_sent(sent, out, result)
