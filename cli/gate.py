"""Which training images the memorization gate of an export compares with."""

import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthaug.augment.reading import ReadOptions

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.evaluation.memorization.gate import MemorizationGate
    from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


@dataclass(frozen=True)
class _Source:
    """Where training images were read from, and how."""

    dataset: str
    reading: ReadOptions


def gate_of_generator(
    synthesizer: "Synthesizer",
    training_images: str | None,
    reading: ReadOptions = ReadOptions(),
) -> "MemorizationGate":
    """The generator's own training images where they are found, else the fingerprints in its file.

    Found: the data set that the run's config.toml names, or a known one that the card names, if the
    generator's fingerprints say that it is all of its training set. A data set that is named is compared
    with, too.

    Args:
        reading: what is asked of `training_images`; the others are looked for below its data root.

    Raises:
        DataError: `training_images` names no data set.
    """
    own = _training_set(synthesizer, reading)
    named = [] if training_images is None else [_named(training_images, synthesizer.image_shape, reading)]
    gate = _gate_of_all([*named, *([own] if own else [])])
    if own is None:
        gate = gate.also(_remembered(synthesizer))
    if own is None and not named:
        _warn_of_little(synthesizer)
    return gate


def gate_of_export(
    images: "LabeledImages",
    data: Sequence[str],
    reading: ReadOptions = ReadOptions(),
    generator: "Synthesizer | None" = None,
    blended_with: "Splits | None" = None,
) -> "MemorizationGate":
    """For images of a file or a blend: the data sets that are named, and what the generators behind know.

    Args:
        data: data sets to compare with.
        generator: one that made some of the images; the shipped ones are known.
        blended_with: the data set whose training images stand beside them.
        reading: what is asked of `data`; the others are looked for below its data root.

    Raises:
        DataError: a name of `data` is no data set's.
    """
    import numpy as np

    from synthaug.generators.sampling import Synthesizer, shipped

    sets = [] if blended_with is None else [_comparable(blended_with, images.image_shape)]
    sets += [_named(spec, images.image_shape, reading) for spec in dict.fromkeys(data)]
    compared = bool(sets)
    unseen = []  # generators whose training images are not here
    made = images.take(images.synthetic)
    makers = np.zeros(len(made), "S64") if made.provenance is None else made.provenance["generator"]
    unknown = np.ones(len(made), dtype=bool)
    for synthesizer in [*map(Synthesizer, shipped()), *([generator] if generator else [])]:
        rows = makers == synthesizer.card.sha256.encode()
        if (rows & unknown).any():
            if (own := _training_set(synthesizer, reading)) is not None:
                sets.append(own)
            else:
                unseen.append(synthesizer)
        unknown &= ~rows
    gate = _gate_of_all(sets)
    for synthesizer in unseen:
        gate = gate.also(_remembered(synthesizer))
        if not compared:
            _warn_of_little(synthesizer)
    if unknown.any() and not compared:
        note = f"{unknown.sum()} of {len(made)} synthetic images are of an unknown generator"
        log.warning("%s: not checked for copies of its training images: say --training-images DATASET", note)
        gate = replace(gate, note=f"{note}, whose training images were not compared with")
    return gate


def _named(spec: str, image_shape: tuple[int, int, int], reading: ReadOptions) -> "Splits":
    """A data set to compare with, named or at a path, at the smaller of both sizes."""
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.datasets.medmnist import find_medmnist, medmnist_names

    side, size = image_shape[1], None
    if spec in medmnist_names():  # the stored size next above the images', else the largest
        stored = [s for s in (28, 64, 128, 224) if find_medmnist(spec, reading.data_root, s)]
        size = next((s for s in stored if s >= side), max(stored, default=28))
    return _comparable(load_dataset(spec, replace(reading, size=size, channels=None)), image_shape)


def _comparable(splits: "Splits", image_shape: tuple[int, int, int]) -> "Splits":
    """At the smaller of both sizes, and grey where the others are."""
    from synthaug.augment.transforms import resize, with_channels

    channels, side, _ = image_shape
    if splits.train.image_shape[1] > side:
        splits = splits.map(lambda part: resize(part, side))
    if channels == 1:  # grey images of a colour set: colour is no part of the likeness
        splits = splits.map(lambda part: with_channels(part, 1))
    return splits


def _gate_of_all(sets: Sequence["Splits"]) -> "MemorizationGate":
    """Compares with the training images of all of them, of two that are the same once."""
    from synthaug.evaluation.memorization.gate import MemorizationGate

    gate = MemorizationGate.without_training_images()
    for splits in {(one.train.digest(), one.val.digest()): one for one in reversed(sets)}.values():
        gate = _gate_of(splits).also(gate)
    return gate


def _gate_of(splits: "Splits") -> "MemorizationGate":
    from synthaug.evaluation.memorization.gate import MemorizationGate
    from synthaug.evaluation.memorization.near_copies import CopyDetector

    real = splits.map(lambda part: part.take(~part.synthetic))
    return MemorizationGate.of_training_images(CopyDetector.fit(real.train, real.val), splits.name)


def _remembered(synthesizer: "Synthesizer") -> "MemorizationGate":
    """What the generator file itself knows of its training images."""
    from synthaug.evaluation.memorization.gate import MemorizationGate

    seen = synthesizer.card.training_images
    if not len(seen):
        return MemorizationGate.without_training_images()
    return MemorizationGate.of_fingerprints(seen, f"generator {synthesizer.name}")


def _warn_of_little(synthesizer: "Synthesizer") -> None:
    if len(synthesizer.card.training_images):
        log.warning("training images of %s are not here: only exact copies are looked for", synthesizer.name)
    else:
        log.warning("generator %s knows no training images: near copies go unseen", synthesizer.name)


def _training_set(synthesizer: "Synthesizer", reading: ReadOptions) -> "Splits | None":
    """The data set that a generator was trained on, if it is still there."""
    for source in _likely_sources(synthesizer, ReadOptions(root=reading.root)):
        splits = _found(source, synthesizer.image_shape)
        if splits is not None and _is_training_set(splits, synthesizer):
            return splits
    return None


def _likely_sources(synthesizer: "Synthesizer", reading: ReadOptions) -> list[_Source]:
    """What the run or the card speaks of, as far as it is on this machine."""
    from synthaug.augment.datasets.load import list_datasets

    if of_run := _of_run(synthesizer.path.parent / "config.toml", reading.root):
        return [of_run]
    words = synthesizer.card.data.lower().replace(",", " ").split()
    return [
        _Source(row["name"], reading)
        for row in list_datasets(reading)
        if row["found"] and row["name"].lower() in words
    ]


def _of_run(config: Path, root: Path | None) -> _Source | None:
    """What a run was trained on; None where its file says nothing of the kind."""
    try:
        facts: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
        source = facts["source"]
        table = source.get("reading", {})
        reading = ReadOptions.from_config(table, root=root, split_seed=int(source["split_seed"]))
        found = _Source(str(source["dataset"]), reading)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return found if found.dataset else None


def _found(source: _Source, image_shape: tuple[int, int, int]) -> "Splits | None":
    """The data set as the generator was trained on it, if it is still there."""
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.errors import SynthaugError

    channels, side, _ = image_shape
    try:
        return load_dataset(source.dataset, replace(source.reading, size=side, channels=channels))
    except SynthaugError:  # the images have moved on since
        return None


def _is_training_set(splits: "Splits", synthesizer: "Synthesizer") -> bool:
    """Whether these training images and those that the generator remembers are the same, all but a few."""
    import numpy as np

    from synthaug.augment.fingerprint import canonical_fingerprints

    known = synthesizer.card.training_images.fingerprints
    here = canonical_fingerprints(splits.train)
    return bool(len(known)) and bool(min(np.isin(here, known).mean(), np.isin(known, here).mean()) > 0.99)
