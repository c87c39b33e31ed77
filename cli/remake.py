"""`synthaug generate --from-provenance`: images made again, and held against those of the file."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.gate import gate_of_generator
from synthaug.cli.output import Output

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages


def remake(
    spec: str,
    target: Path | None,
    out: Output,
    *,
    format: str | None,
    generator: str | None,
    training_images: str | None,
    allow_near_copies: bool,
    writing: WriteOptions,
    reading: ReadOptions,
    device: str,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Make the synthetic images of a file again, through the memorization gate; write them where asked.

    Args:
        spec: FILE, or FILE#INDEX for the image at that row of it.

    Raises:
        UsageError: no --out, or a row that is not there or is real.
        DataError: the file holds no provenance, or a generator is not found.
        GateError: the pixels are not those of the file.
    """
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.augment.formats.registry import format_of, read_attributes, read_images, write_images
    from synthaug.augment.progress import progress_bar
    from synthaug.evaluation.memorization.gate import ATTRIBUTE
    from synthaug.generators.remaking import differing_form, find_makers, remade

    if target is None:
        raise UsageError("--from-provenance: expected --out too, where the images go that are made again")
    file, index = _parted(spec)
    kind = format_of(target, format)
    refuse_existing(target, overwrite)
    images, real = _synthetic(file, index, read_images(file))
    makers = find_makers(images, generator, device)
    if real:
        out.say(f"{real:,} real images of {file} are left out: nobody makes them again")
    if form := differing_form(images, list(makers.values())):
        out.say(f"the images of {file} were {form}; those made again are changed likewise")
    facts = {name: value for name, value in read_attributes(file).items() if name != ATTRIBUTE}
    gates = [gate_of_generator(maker, training_images, reading) for maker in makers.values()]
    gate = gates[0]
    for other in gates[1:]:
        gate = gate.also(other)
    stream = gate.guard(remade(images, makers, facts), allow=allow_near_copies)
    if not dry_run:
        with progress_bar("make again", stream.total) as advance:
            write_images(stream.watched(advance), target, format=kind, writing=writing, overwrite=overwrite)
        out.say(f"identical: {len(images):,} of {len(images):,}; in {target} ({kind})")
        out.say(f"memorization gate: {stream.attributes[ATTRIBUTE]}")
    out.result(
        {
            "out": target,
            "format": kind,
            "counts": images.counts(),
            "generators": {maker.name: sha256 for sha256, maker in makers.items()},
            "identical": None if dry_run else len(images),
            "of": len(images),
            "changed": form,
            "memorization_gate": "" if dry_run else str(stream.attributes[ATTRIBUTE]),
            "written": not dry_run,
        }
    )


def _parted(spec: str) -> tuple[Path, int | None]:
    """FILE#INDEX in its parts; a file may have # in its name."""
    path, _, index = spec.rpartition("#")
    if Path(spec).exists() or not path:
        return Path(spec), None
    if not index.isdecimal():
        raise UsageError(f"--from-provenance {spec}: expected FILE#INDEX with a row of the file, from 0")
    return Path(path), int(index)


def _synthetic(file: Path, index: int | None, images: "LabeledImages") -> tuple["LabeledImages", int]:
    """The images to make again, and how many real ones stand beside them."""
    import numpy as np

    from synthaug.augment.errors import DataError

    made = images.synthetic.copy()
    if images.provenance is not None:
        made &= images.provenance["generator"] != b""
    if index is not None:
        if index >= len(images):
            raise UsageError(
                f"{file}#{index}: it holds {len(images):,} images, expected 0..{len(images) - 1}"
            )
        if not images.synthetic[index]:
            raise UsageError(f"{file}#{index} is a real image: expected one that a generator made")
        rows = np.array([index])
    else:
        rows = np.flatnonzero(images.synthetic)
    if images.provenance is None or not len(rows) or not made[rows].all():
        raise DataError(
            f"{file}: found {int(made[rows].sum())} images with provenance among {len(rows)} synthetic ones, "
            "expected all of them"
        )
    chosen = images if len(rows) == len(images) else images.take(rows)  # taking copies what is mapped
    real = 0 if index is not None else len(images) - len(rows)
    return replace(chosen, synthetic=np.ones(len(rows), dtype=bool)), real
