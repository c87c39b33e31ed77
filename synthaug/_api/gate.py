"""Which training images the memorization gate in front of synthetic images compares with."""

import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synthaug._api.generator import Generator, shipped_generators
from synthaug.augment.datasets.load import list_datasets, load_dataset
from synthaug.augment.datasets.medmnist import find_medmnist, medmnist_names
from synthaug.augment.errors import SynthaugError
from synthaug.augment.fingerprint import canonical_fingerprints
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.memorization.gate import MemorizationGate
from synthaug.evaluation.memorization.near_copies import CopyDetector
from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


@dataclass(frozen=True)
class _Source:
    """Where training images were read from, and how."""

    dataset: str
    options: ReadOptions


def gate_of_generator(
    synthesizer: Synthesizer,
    training_images: str | Path | Splits | None,
    options: ReadOptions,
    known: Splits | None = None,
) -> MemorizationGate:
    """The generator's own training images where they are at hand, else the fingerprints in its file.

    At hand: `known`, or the data set that the run's config.toml names, or a known one that the card names, if
    the generator's fingerprints say that it is all of its training set.

    Args:
        training_images: a data set to compare with as well.
        known: the data set that the generator was trained on, if the caller has it.

    Raises:
        DataError: `training_images` names no data set.
    """
    own = _own_training_set(synthesizer, options, known)
    named = [] if training_images is None else [_named(training_images, options, synthesizer.image_shape)]
    gate = _gate_of_all([*named, *([own] if own else [])])
    if own is None:
        gate = gate.also(_fingerprints_of(synthesizer))
    if own is None and not named:
        _warn_of_little(synthesizer)
    return gate


def gate_of_export(
    images: LabeledImages,
    data: Sequence[str | Path | Splits],
    options: ReadOptions,
    generators: Sequence[Generator] = (),
    blended_with: Splits | None = None,
) -> MemorizationGate:
    """For images of a file or a blend: the data sets that are named, and what the generators behind know.

    Args:
        data: data sets to compare with.
        options: how they are read.
        generators: that may have made some of the images; the shipped ones are known.
        blended_with: the data set whose training images stand beside them.

    Raises:
        DataError: a name of `data` is no data set's.
    """
    sets = [] if blended_with is None else [_comparable(blended_with, images.image_shape)]
    sets += [_named(one, options, images.image_shape) for one in dict.fromkeys(data)]
    compared = bool(sets)
    unseen = []  # generators whose training images are not here
    made = images.take(images.synthetic)
    makers = np.zeros(len(made), "S64") if made.provenance is None else made.provenance["generator"]
    unknown = np.ones(len(made), dtype=bool)
    for generator in dict.fromkeys([*generators, *shipped_generators()]):
        rows = makers == generator.card.sha256.encode()
        if (rows & unknown).any():
            if (own := _own_training_set(generator.synthesizer(), options, generator.data)) is not None:
                sets.append(own)
            else:
                unseen.append(generator.synthesizer())
        unknown &= ~rows
    gate = _gate_of_all(sets)
    for synthesizer in unseen:
        gate = gate.also(_fingerprints_of(synthesizer))
        if not compared:
            _warn_of_little(synthesizer)
    if unknown.any() and not compared:
        note = f"{unknown.sum()} of {len(made)} synthetic images are of an unknown generator"
        log.warning("%s: not checked for copies of its training images: add --training-images DATASET", note)
        gate = replace(gate, note=f"{note}, whose training images were not compared with")
    return gate


def training_digest(training_images: str | Path | Splits | None, options: ReadOptions) -> str:
    """A digest of the data set that the gate compares with besides the generator's own; empty for None."""
    if training_images is None:
        return ""
    splits = training_images
    if not isinstance(splits, Splits):
        splits = load_dataset(str(splits), replace(options, size=None, channels=None))
    return f"{splits.train.digest()[:16]} {splits.val.digest()[:16]}"


def _named(data: str | Path | Splits, options: ReadOptions, image_shape: tuple[int, int, int]) -> Splits:
    """A data set to compare with, at the smaller of both sizes."""
    if isinstance(data, Splits):
        return _comparable(data, image_shape)
    name, side, size = str(data), image_shape[1], None
    if name in medmnist_names():  # the stored size next above the images', else the largest
        stored = [s for s in (28, 64, 128, 224) if find_medmnist(name, options.data_root, s)]
        size = next((s for s in stored if s >= side), max(stored, default=28))
    splits = load_dataset(name, replace(options, size=size, channels=None))
    return _comparable(splits, image_shape)


def _comparable(splits: Splits, image_shape: tuple[int, int, int]) -> Splits:
    """At the smaller of both sizes, and grey where the others are."""
    channels, side, _ = image_shape
    if splits.train.image_shape[1] > side:
        splits = splits.map(lambda part: resize(part, side))
    if channels == 1:  # grey images of a colour set: colour is no part of the likeness
        splits = splits.map(lambda part: with_channels(part, 1))
    return splits


def _gate_of_all(sets: Sequence[Splits]) -> MemorizationGate:
    """Compares with the training images of all of them, of two that are the same once."""
    gate = MemorizationGate.without_training_images()
    for splits in {(one.train.digest(), one.val.digest()): one for one in reversed(sets)}.values():
        gate = _gate_of(splits).also(gate)
    return gate


def _gate_of(splits: Splits) -> MemorizationGate:
    real = splits.map(lambda part: part.take(~part.synthetic))
    return MemorizationGate.of_training_images(CopyDetector.fit(real.train, real.val), splits.name)


def _fingerprints_of(synthesizer: Synthesizer) -> MemorizationGate:
    """The fingerprints of its training images in the generator's own file: exact copies only."""
    seen = synthesizer.card.training_images
    if not len(seen):
        return MemorizationGate.without_training_images()
    return MemorizationGate.of_fingerprints(seen, f"generator {synthesizer.name}")


def _warn_of_little(synthesizer: Synthesizer) -> None:
    if len(synthesizer.card.training_images):
        log.warning("training images of %s are not here: only exact copies are looked for", synthesizer.name)
    else:
        log.warning("generator %s knows no training images: near copies go unseen", synthesizer.name)


def _own_training_set(synthesizer: Synthesizer, options: ReadOptions, known: Splits | None) -> Splits | None:
    """The data set that a generator was trained on, if the caller has it or it is still there."""
    if known is not None and _is_training_set(known, synthesizer):
        return known
    for source in _likely_sources(synthesizer, options):
        splits = _load(source, synthesizer.image_shape)
        if splits is not None and _is_training_set(splits, synthesizer):
            return splits
    return None


def _likely_sources(synthesizer: Synthesizer, options: ReadOptions) -> list[_Source]:
    """What the run or the card speaks of, as far as it is on this machine."""
    if of_run := _of_run(synthesizer.path.parent / "config.toml", options.root):
        return [of_run]
    words = synthesizer.card.data.lower().replace(",", " ").split()
    plain = ReadOptions(root=options.root)
    return [
        _Source(row["name"], plain)
        for row in list_datasets(options)
        if row["found"] and row["name"].lower() in words
    ]


def _of_run(config: Path, root: Path | None) -> _Source | None:
    """What a run was trained on; None where its file does not say."""
    try:
        facts: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
        source = facts["source"]
        options = ReadOptions.from_config(source.get("reading", {}))
        options = replace(options, root=root, split_seed=int(source["split_seed"]))
        dataset = str(source["dataset"])
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return _Source(dataset, options) if dataset else None


def _load(source: _Source, image_shape: tuple[int, int, int]) -> Splits | None:
    """The data set as the generator was trained on it, if it is still there."""
    channels, side, _ = image_shape
    try:
        return load_dataset(source.dataset, replace(source.options, size=side, channels=channels))
    except SynthaugError:  # the images have moved on since
        return None


def _is_training_set(splits: Splits, synthesizer: Synthesizer) -> bool:
    """Whether these training images are those that the generator has fingerprints of, all but a few."""
    seen = synthesizer.card.training_images
    known = seen.fingerprints
    here = canonical_fingerprints(seen.as_read(splits.train))
    return bool(len(known)) and bool(min(np.isin(here, known).mean(), np.isin(known, here).mean()) > 0.99)
