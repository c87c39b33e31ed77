"""Synthetic images made again from their provenance, and compared with those of the file."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synthaug._api.gate import gate_of_generator
from synthaug._api.runtime import device_of
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.formats.registry import format_of, read_attributes, read_images, write_images
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import progress_bar
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import ATTRIBUTE
from synthaug.generators.remaking import differing_form, find_makers, remade


@dataclass(frozen=True)
class Remade:
    """What was made again.

    Attributes:
        format: of the file that was written.
        counts: images by class.
        generators: SHA-256 by name of those that made them.
        real: real images of the file, which nobody makes again.
        changed: how the file's images differ in form (size, channels, bits) from what the generator makes.
        gate: what the memorization gate found, in words; empty in a dry run.
    """

    format: str
    counts: dict[str, int]
    generators: dict[str, str]
    real: int
    changed: str
    gate: str

    @property
    def total(self) -> int:
        """Images made again."""
        return sum(self.counts.values())


def remake(
    spec: str,
    target: Path | None,
    *,
    format: str | None = None,
    generator: str | None = None,
    training_images: str | Path | Splits | None = None,
    allow_near_copies: bool = False,
    writing: WriteOptions = WriteOptions(),
    options: ReadOptions = ReadOptions(),
    device: str = "auto",
    overwrite: bool = False,
    dry_run: bool = False,
) -> Remade:
    """Make the synthetic images of a file again, through the memorization gate, into `target`.

    Args:
        spec: FILE, or FILE#INDEX for the image at that row of it.
        dry_run: find the generators, and stop.

    Raises:
        UsageError: no target, or a row that is not there or is real.
        DataError: the file holds no provenance, or a generator is not found.
        GateError: the pixels are not those of the file.
    """
    if target is None:
        raise UsageError("--from-provenance: expected --out too, where the images go that are made again")
    file, index = _parsed(spec)
    kind = format_of(target, format)
    refuse_existing(target, overwrite)
    images, real = _synthetic(file, index, read_images(file))
    makers = find_makers(images, generator, device_of(device))
    form = differing_form(images, list(makers.values()))
    attributes = {name: value for name, value in read_attributes(file).items() if name != ATTRIBUTE}
    gate_report = ""
    if not dry_run:
        gates = [gate_of_generator(maker, training_images, options) for maker in makers.values()]
        gate = gates[0]
        for other in gates[1:]:
            gate = gate.also(other)
        stream = gate.guard(remade(images, makers, attributes), allow=allow_near_copies)
        with progress_bar("make again", stream.total) as advance:
            write_images(stream.watched(advance), target, format=kind, writing=writing, overwrite=overwrite)
        gate_report = str(stream.attributes[ATTRIBUTE])
    generators = {maker.name: sha256 for sha256, maker in makers.items()}
    return Remade(kind, images.counts(), generators, real, form, gate_report)


def _parsed(spec: str) -> tuple[Path, int | None]:
    """FILE#INDEX in its parts; a file may have # in its name."""
    path, _, index = spec.rpartition("#")
    if Path(spec).exists() or not path:
        return Path(spec), None
    if not index.isdecimal():
        raise UsageError(f"--from-provenance {spec}: expected FILE#INDEX with a row of the file, from 0")
    return Path(path), int(index)


def _synthetic(file: Path, index: int | None, images: LabeledImages) -> tuple[LabeledImages, int]:
    """The images to make again, and how many real ones stand beside them."""
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
