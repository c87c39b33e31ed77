"""Real, synthetic or blended images from one format to another, through the memorization gate."""

import json
from dataclasses import dataclass
from pathlib import Path

from synthaug._api.blend import Blending, as_ratio
from synthaug._api.generator import Generator, known_generators, opened
from synthaug._api.runtime import device_of
from synthaug._api.save import Writer, write_gated
from synthaug.augment.datasets.load import licence_of, load_dataset, options_for, path_of, read_part
from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import refuse_existing, replacing
from synthaug.augment.formats.registry import FORMATS, format_of, read_attributes
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import ATTRIBUTE
from synthaug.generators.sampling import card_attributes

PARTS = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        real, synthetic: numbers of images.
        classes: images by class.
        gate: what the memorization gate found, in words; empty for real images.
    """

    path: Path
    format: str
    real: int
    synthetic: int
    classes: dict[str, int]
    gate: str


def export(
    source: str,
    target: Path,
    *,
    format: str | None = None,
    part: str = "all",
    blending: Blending = Blending(),
    training_images: str | None = None,
    allow_near_copies: bool = False,
    options: ReadOptions = ReadOptions(),
    writing: WriteOptions = WriteOptions(),
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
    write: Writer | None = None,
) -> Exported:
    """Write a data set, a file or a blend in another format.

    Labels, class names, synthetic flags and provenance go along.

    Args:
        source: a data set's name, or a path.
        target: .h5, .npz, a folder, or a folder named …dicom.
        part: of a data set: train, val, test or all.
        blending: with synthetic images, the training split is written, blended.
        training_images: a data set to compare synthetic images with.
        write: instead of the format's own writer.

    Raises:
        UsageError: contradictory arguments, or `target` is taken.
        GateError: near copies of training images are among the synthetic ones; nothing is left at `target`.
    """
    kind = format_of(target, format)
    refuse_existing(target, overwrite)
    if part not in PARTS:
        raise UsageError(f"--split {part}: expected train, val, test or all")
    blending.check()
    if blending.wanted and part not in ("train", "all"):
        raise UsageError(
            f"--split {part} with --synthetic-ratio: synthetic images belong in training sets only"
        )
    if not blending.wanted and (blending.generator is not None or blending.synthetic is not None):
        raise UsageError("--generator, --synthetic: expected --synthetic-ratio too, the share they make up")
    theirs = options if training_images is None else options_for(options, training_images, source)
    options = options_for(options, source, training_images)
    path = path_of(source, options)
    made_by: Generator | None = None
    splits: Splits | None = None
    attributes: dict[str, str | int | float]
    if blending.wanted:
        splits = load_dataset(source, options)
        images, made_by, attributes = _blended(splits, blending, source, path, seed, device)
    else:
        images = read_part(source, part, options)
        attributes = {"licence": licence_of(source)} if path is None else dict(read_attributes(path))
    before = str(attributes.pop(ATTRIBUTE, ""))
    report = write_gated(
        images,
        target,
        format=kind,
        attributes={**attributes, "source": Path(source).name},
        origin=source if path is None else str(path.resolve()),
        before=before,
        training_images=[] if training_images is None else [training_images],
        options=options if training_images is None else theirs,
        writing=writing,
        makers=[] if made_by is None else [made_by],
        blended_with=splits,
        allow_near_copies=allow_near_copies,
        overwrite=overwrite,
        write=write,
    )
    synthetic = int(images.synthetic.sum())
    return Exported(target, kind, len(images) - synthetic, synthetic, images.counts(), report)


def export_splits(
    source: str,
    folder: Path,
    *,
    format: str | None = None,
    allow_near_copies: bool = False,
    options: ReadOptions = ReadOptions(),
    writing: WriteOptions = WriteOptions(),
    overwrite: bool = False,
) -> dict[str, dict[str, int]]:
    """Write the training, validation and test split of a data set, as train, val and test in `folder`.

    Args:
        format: "hdf5" (the default), "npz", "folder" or "dicom".

    Returns:
        Images by class, by split.

    Raises:
        UsageError: `folder` is taken.
        GateError: near copies of training images are among synthetic ones; nothing is left.
    """
    refuse_existing(folder, overwrite)
    kind = format or "hdf5"
    splits = load_dataset(source, options)
    counts: dict[str, dict[str, int]] = {}
    with replacing(folder, overwrite) as fresh:
        fresh.mkdir()
        for name in ("train", "val", "test"):
            images: LabeledImages = getattr(splits, name)
            target = fresh / f"{name}{FORMATS[kind].suffix}" if kind in FORMATS else fresh / name
            write_gated(
                images,
                target,
                format=kind,
                attributes={"licence": licence_of(source), "source": Path(source).name},
                options=options,
                writing=writing,
                makers=known_generators(),
                allow_near_copies=allow_near_copies,
            )
            counts[name] = images.counts()
        facts = {"source": Path(source).name, "split_seed": options.split_seed, "images": counts}
        (fresh / "dataset.json").write_text(json.dumps(facts, indent=2) + "\n")
    return counts


def _blended(
    splits: Splits, blending: Blending, source: str, path: Path | None, seed: int, device: str
) -> tuple[LabeledImages, Generator | None, dict[str, str | int | float]]:
    """The blended training split, the generator that made its synthetic images, the facts of the whole."""
    ratio = None if blending.balance or blending.add is not None else as_ratio(blending.ratio)
    images, _ = blending.training_set(splits, ratio, seed=seed, device=device_of(device))
    given = blending.add if blending.add is not None else blending.synthetic
    made_by: Generator | None = None
    facts: dict[str, str | int | float] = {}
    if given is None:
        made_by = opened(blending.generator, splits.class_names)
        facts = dict(card_attributes(made_by.card)) | {"seed": seed}
    elif isinstance(given, str | Path):
        facts = dict(read_attributes(Path(given)))
    of_source = {"licence": licence_of(source)} | (dict(read_attributes(path)) if path else {})
    licences = dict.fromkeys([str(of_source["licence"]), str(facts.get("licence", ""))])
    return images, made_by, facts | {"licence": "; ".join(filter(None, licences))}
