"""Which training images the memorization gate of an export compares with."""

import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthaug.augment.reading import READ_DEFAULTS, ReadOptions

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.evaluation.memorization.gate import MemorizationGate
    from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


@dataclass(frozen=True)
class _Source:
    """Where training images were read from, and how."""

    dataset: str
    split_seed: int = 0
    reading: ReadOptions = READ_DEFAULTS


def gate_of_generator(
    synthesizer: "Synthesizer",
    training_images: str | None,
    root: Path,
    split_seed: int,
    reading: ReadOptions = READ_DEFAULTS,
) -> "MemorizationGate":
    """The generator's own training images where they are found, else the fingerprints in its file.

    Found: the data set that the run's config.toml names, or a known one that the card names, if the
    generator's fingerprints say that it is all of its training set. A data set that is named is compared
    with, too.

    Raises:
        DataError: `training_images` names no data set.
    """
    own = _training_set(synthesizer, root)
    named = (
        []
        if training_images is None
        else [_named(training_images, root, split_seed, synthesizer.image_shape, reading)]
    )
    gate = _gate_of_all([*named, *([own] if own else [])])
    if own is None:
        gate = gate.also(_remembered(synthesizer))
    if own is None and not named:
        _warn_of_little(synthesizer)
    return gate


def gate_of_export(
    images: "LabeledImages",
    data: Sequence[str],
    root: Path,
    split_seed: int,
    generator: "Synthesizer | None" = None,
    blended_with: "Splits | None" = None,
    reading: ReadOptions = READ_DEFAULTS,
) -> "MemorizationGate":
    """For images of a file or a blend: the data sets that are named, and what the generators behind know.

    Args:
        data: data sets to compare with.
        generator: one that made some of the images; the shipped ones are known.
        blended_with: the data set whose training images stand beside them.
        reading: what is asked of the files of `data`.

    Raises:
        DataError: a name of `data` is no data set's.
    """
    import numpy as np

    from synthaug.generators.sampling import Synthesizer, shipped

    sets = [] if blended_with is None else [_comparable(blended_with, images.image_shape)]
    sets += [_named(spec, root, split_seed, images.image_shape, reading) for spec in dict.fromkeys(data)]
    compared = bool(sets)
    unseen = []  # generators whose training images are not here
    made = images.take(images.synthetic)
    makers = np.zeros(len(made), "S64") if made.provenance is None else made.provenance["generator"]
    unknown = np.ones(len(made), dtype=bool)
    for synthesizer in [*map(Synthesizer, shipped()), *([generator] if generator else [])]:
        rows = makers == synthesizer.card.sha256.encode()
        if (rows & unknown).any():
            if (own := _training_set(synthesizer, root)) is not None:
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


def _named(
    spec: str, root: Path, split_seed: int, image_shape: tuple[int, int, int], reading: ReadOptions
) -> "Splits":
    """A data set to compare with, named or at a path, at the smaller of both sizes."""
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.datasets.medmnist import find_medmnist, medmnist_names

    side, size = image_shape[1], None
    if spec in medmnist_names():  # the stored size next above the images', else the largest
        stored = [s for s in (28, 64, 128, 224) if find_medmnist(spec, root, s)]
        size = next((s for s in stored if s >= side), max(stored, default=28))
    splits = load_dataset(spec, root, size=size, split_seed=split_seed, reading=reading)
    return _comparable(splits, image_shape)


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


def _training_set(synthesizer: "Synthesizer", root: Path) -> "Splits | None":
    """The data set that a generator was trained on, if it is still there."""
    for source in _likely_sources(synthesizer, root):
        splits = _found(source, root, synthesizer.image_shape)
        if splits is not None and _is_training_set(splits, synthesizer):
            return splits
    return None


def _likely_sources(synthesizer: "Synthesizer", root: Path) -> list[_Source]:
    """What the run or the card speaks of, as far as it is on this machine."""
    from synthaug.augment.datasets.load import list_datasets

    if of_run := _of_run(synthesizer.path.parent / "config.toml"):
        return [of_run]
    words = synthesizer.card.data.lower().replace(",", " ").split()
    return [
        _Source(row["name"]) for row in list_datasets(root) if row["found"] and row["name"].lower() in words
    ]


def _of_run(config: Path) -> _Source | None:
    """What a run was trained on; None where its file says nothing of the kind."""
    try:
        facts: dict[str, Any] = tomllib.loads(config.read_text(encoding="utf-8"))
        source = facts["source"]
        found = _Source(
            str(source["dataset"]), int(source["split_seed"]), ReadOptions.of(source.get("reading", {}))
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return found if found.dataset else None


def _found(source: _Source, root: Path, image_shape: tuple[int, int, int]) -> "Splits | None":
    """The data set as the generator was trained on it, if it is still there."""
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.errors import SynthaugError

    channels, side, _ = image_shape
    try:
        return load_dataset(
            source.dataset,
            root,
            size=side,
            channels=channels,
            split_seed=source.split_seed,
            reading=source.reading,
        )
    except SynthaugError:  # the images have moved on since
        return None


def _is_training_set(splits: "Splits", synthesizer: "Synthesizer") -> bool:
    """Whether these training images and those that the generator remembers are the same, all but a few."""
    import numpy as np

    from synthaug.augment.fingerprint import canonical_fingerprints

    known = synthesizer.card.training_images.fingerprints
    here = canonical_fingerprints(splits.train)
    return bool(len(known)) and bool(min(np.isin(here, known).mean(), np.isin(known, here).mean()) > 0.99)
