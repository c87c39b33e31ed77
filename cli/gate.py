"""Which training images the memorization gate of an export compares with."""

import logging
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.evaluation.gate import MemorizationGate
    from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


def gate_of_generator(
    synthesizer: "Synthesizer", training_images: str | None, root: Path, split_seed: int
) -> "MemorizationGate":
    """The training images themselves where they are named or found, else the generator file's fingerprints.

    Found: the data set that the run's config.toml names, or a known one that the card names. What is found
    counts only if the generator's own fingerprints say that these are its training images.

    Raises:
        DataError: `training_images` names no data set.
    """
    from synthaug.augment.errors import SynthaugError
    from synthaug.evaluation.gate import MemorizationGate

    if training_images is not None:
        return gate_of_data(training_images, root, split_seed, size=synthesizer.image_shape[1])
    seen = synthesizer.card.training_images
    for spec, seed in _likely_sources(synthesizer, root):
        try:
            splits = _splits(spec, root, seed, synthesizer.image_shape[1])
        except SynthaugError:  # the images have moved on since
            continue
        if _is_training_set(splits, synthesizer):
            return _gate_of(splits)
    if not len(seen):
        log.warning("generator %s knows no training images: near copies go unseen", synthesizer.name)
        return MemorizationGate.without_training_images()
    return MemorizationGate.of_fingerprints(seen, f"generator {synthesizer.name}")


def gate_of_export(
    images: "LabeledImages", training_images: str | None, root: Path, split_seed: int
) -> "MemorizationGate":
    """For images of a file: the data set that is named, and what the shipped generators that made them know.

    Raises:
        DataError: `training_images` names no data set.
    """
    import numpy as np

    from synthaug.evaluation.gate import MemorizationGate
    from synthaug.generators.sampling import Synthesizer, shipped

    gate = MemorizationGate.without_training_images()
    if training_images is not None:
        gate = gate_of_data(training_images, root, split_seed, size=images.image_shape[1])
    origin = images.provenance
    makers = set() if origin is None else set(np.unique(origin["generator"]).tolist())
    for name in shipped():
        synthesizer = Synthesizer(name)
        if synthesizer.card.sha256.encode() in makers and training_images is None:
            gate = gate.also(gate_of_generator(synthesizer, None, root, split_seed))
        elif synthesizer.card.sha256.encode() in makers:
            seen = synthesizer.card.training_images
            gate = gate.also(MemorizationGate.of_fingerprints(seen, f"generator {name}"))
    if not gate.against:
        log.warning("these synthetic images are not checked for near copies: say --training-images DATASET")
    return gate


def gate_of_data(spec: str, root: Path, split_seed: int, size: int | None) -> "MemorizationGate":
    """Compares with the training split of a data set, named or at a path."""
    return _gate_of(_splits(spec, root, split_seed, size))


def _gate_of(splits: "Splits") -> "MemorizationGate":
    from synthaug.evaluation.copies import CopyDetector
    from synthaug.evaluation.gate import MemorizationGate

    return MemorizationGate.of_training_images(CopyDetector.fit(splits.train, splits.val), splits.name)


def _splits(spec: str, root: Path, split_seed: int, size: int | None) -> "Splits":
    from synthaug.augment.datasets import load_dataset

    return load_dataset(spec, root, size=size, split_seed=split_seed)


def _likely_sources(synthesizer: "Synthesizer", root: Path) -> list[tuple[str, int]]:
    """(data set, split seed) that the run or the card speaks of, as far as they are on this machine."""
    from synthaug.augment.datasets import list_datasets

    config = synthesizer.path.parent / "config.toml"
    if config.is_file():
        try:
            source = tomllib.loads(config.read_text(encoding="utf-8")).get("source", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            source = {}
        if source.get("dataset"):
            return [(source["dataset"], int(source.get("split_seed", 0)))]
    words = synthesizer.card.data.lower().replace(",", " ").split()
    return [(row["name"], 0) for row in list_datasets(root) if row["found"] and row["name"].lower() in words]


def _is_training_set(splits: "Splits", synthesizer: "Synthesizer") -> bool:
    """Whether nearly every training image of these splits is among those that the generator remembers."""
    import numpy as np

    from synthaug.augment.fingerprint import canonical_fingerprints

    known = np.isin(canonical_fingerprints(splits.train), synthesizer.card.training_images.fingerprints)
    return bool(known.mean() > 0.99)
