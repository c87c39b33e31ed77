"""Saving images, real, synthetic or blended, through the memorization gate."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from synthaug._api.gate import gate_of_export
from synthaug._api.generator import Generator, known_generators
from synthaug._api.load import Data
from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.formats.registry import format_of, write_images
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import OnProgress, progress_bar, reporting_to
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import Attributes, ImageStream
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import ATTRIBUTE
from synthaug.generators.sampling import Synthesizer, card_attributes

Writer = Callable[[ImageStream, Path, WriteOptions], None]


def save(
    images: LabeledImages | Splits,
    path: str | Path,
    *,
    format: str | None = None,
    licence: str = "",
    training_images: Data | None = None,
    allow_near_copies: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **writing: Any,
) -> Path:
    """Write images as .h5, .npz, a folder of class folders, or a folder of DICOM named …dicom.

    Labels, class names, splits, synthetic flags and provenance go along; patients get pseudonyms. Synthetic
    images pass the memorization gate: they are compared with the training images of their generator, where
    these are at hand, and the file says what was checked.

    Args:
        path: its suffix tells the format.
        format: "hdf5", "npz", "folder" or "dicom", where the path leaves it open.
        licence: of the images, for the file and its card; a known generator's own by default.
        training_images: a data set to compare with for near copies, besides the generator's own.
        allow_near_copies: write near copies of training images too; the file says so.
        overwrite: replace what stands at `path`.
        **writing: fields of `synthaug.augment.writing.WriteOptions`: compression, shard_size, modality,
            body_part, laterality, view, dicomdir, jobs.

    Returns:
        The path.

    Raises:
        UsageError: `path` is taken, or an option that the format does not have.
        GateError: near copies of training images are among the images; nothing is left at `path`.
    """
    target = Path(path)
    try:
        options = WriteOptions(**writing)
    except TypeError as error:
        raise UsageError(f"save: {error}, expected fields of WriteOptions") from None
    whole = images.joined() if isinstance(images, Splits) else images
    maker = _only_maker(whole)
    attributes: dict[str, str | int | float] = {} if maker is None else dict(card_attributes(maker.card))
    if licence:
        attributes["licence"] = licence
    with reporting_to(on_progress):
        write_gated(
            whole,
            target,
            format=format,
            attributes=attributes,
            training_images=[] if training_images is None else [training_images],
            writing=options,
            makers=known_generators(),
            allow_near_copies=allow_near_copies,
            overwrite=overwrite,
        )
    return target


def file_format(path: Path, format: str | None = None) -> str:
    """The name of the format that images are written in at `path`.

    Raises:
        UsageError: there is no such format.
    """
    return format_of(path, format)


def write_gated(
    images: LabeledImages,
    target: Path,
    *,
    format: str | None = None,
    attributes: Attributes | None = None,
    origin: str = "",
    before: str = "",
    training_images: Sequence[Data] = (),
    options: ReadOptions = ReadOptions(),
    writing: WriteOptions = WriteOptions(),
    makers: Sequence[Generator] = (),
    blended_with: Splits | None = None,
    allow_near_copies: bool = False,
    overwrite: bool = False,
    write: Writer | None = None,
) -> str:
    """Write images; those that are synthetic through the gate. What it found, in words; empty for real ones.

    Args:
        attributes: facts about the whole set.
        origin: see `ImageStream`.
        before: what the file that the images come from says of its own check.
        training_images: data sets to compare with, read with `options`.
        makers: generators that may have made some of the images, besides the shipped ones.
        blended_with: the data set whose training images stand beside them.
        write: instead of the format's own writer.

    Raises:
        UsageError, GateError: see `save`.
    """
    kind = format_of(target, format)
    refuse_existing(target, overwrite)
    stream = replace(ImageStream.of(images, **(attributes or {})), origin=origin)
    if images.synthetic.any():
        gate = gate_of_export(images, training_images, options, makers, blended_with)
        stream = gate.guard(stream, allow=allow_near_copies, before=before)
    elif training_images:
        raise UsageError("--training-images: no image is marked synthetic, nothing to compare")
    with progress_bar(f"export to {kind}", len(images)) as advance:
        stream = stream.watched(advance)
        write_images(stream, target, format=kind, writing=writing, overwrite=overwrite, write=write)
    return str(stream.attributes.get(ATTRIBUTE, ""))


def _only_maker(images: LabeledImages) -> Synthesizer | None:
    """The known generator that made all of these images, if one did."""
    if images.provenance is None or not len(images) or not images.synthetic.all():
        return None
    makers = np.unique(images.provenance["generator"]).tolist()
    for generator in known_generators():
        if makers == [generator.card.sha256.encode()]:
            return generator.synthesizer()
    return None
