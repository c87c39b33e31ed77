"""Generators as safetensors files: nothing is ever unpickled."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from synthaug.augment.errors import DataError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.fingerprint import SeenImages
from synthaug.augment.images import LabeledImages
from synthaug.generators.architectures import architecture
from synthaug.generators.architectures.family import ConditionalGenerator

FORMAT = "synthaug-generator/1"


@dataclass(frozen=True)
class GeneratorCard:
    """What a generator file says about itself.

    Attributes:
        class_names: label i is class_names[i].
        size: arguments of `ConditionalGenerator`.
        architecture: a name in `architectures.ARCHITECTURES`.
        data: the data set and split that it was trained on, in words.
        licence: of the images it was trained on.
        config: the training's configuration.
        jpeg: quality at which most training images of each class were coded, in the order of `class_names`, 0
            where they were not; empty where nobody looked. See `augment.jpeg`.
        training_images: fingerprints and sketches of every image the training saw: whoever tests a
            classifier can see whether a test image was among them. `save_generator` computes them.
        sha256: of the file, known once it is read.
    """

    class_names: tuple[str, ...]
    size: dict[str, int]
    data: str
    licence: str
    config: dict[str, Any]
    architecture: str = "resnet"
    jpeg: tuple[int, ...] = ()
    training_images: SeenImages = field(default_factory=SeenImages.none, repr=False)
    sha256: str = ""


def save_generator(
    path: Path, generator: ConditionalGenerator, images: LabeledImages | SeenImages, card: GeneratorCard
) -> str:
    """Write a generator with its card; weights in half precision, which moves a few pixels by one grey level.

    Args:
        images: what it was trained on (or the fingerprints of that, which alone go into the file).

    Returns:
        The file's SHA-256.
    """
    tensors = {
        name: (t.half() if t.is_floating_point() else t).contiguous().cpu()
        for name, t in generator.state_dict().items()
    }
    seen = images if isinstance(images, SeenImages) else SeenImages.of(images)
    tensors["training_fingerprints"] = torch.from_numpy(seen.fingerprints.view(np.int64))
    tensors["training_sketches"] = torch.from_numpy(seen.sketches)
    own_place = ("training_images", "sha256")
    facts = {f.name: getattr(card, f.name) for f in fields(card) if f.name not in own_place}
    content = save(
        tensors, metadata={"format": FORMAT, "card": json.dumps(facts), "reading_rules": str(seen.rules)}
    )
    with replacing(path) as fresh:
        fresh.write_bytes(_with_sorted_metadata(content))
    return file_sha256(path)


def _with_sorted_metadata(content: bytes) -> bytes:
    """The same safetensors file with its metadata, which come in random order, sorted: equal SHA-256s."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start aligned
    return len(text).to_bytes(8, "little") + text + content[end:]


def load_generator(path: Path) -> tuple[ConditionalGenerator, GeneratorCard]:
    """Read a generator for sampling (evaluation mode, float32).

    Raises:
        DataError: the file is missing, truncated, or something else than a generator.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path}: expected a generator file (.safetensors), could not read it: {error}"
        ) from None
    if metadata.get("format") != FORMAT:
        raise DataError(f"{path}: found format {metadata.get('format')!r}, expected {FORMAT!r}")
    try:
        facts = json.loads(metadata["card"])
        facts["class_names"] = tuple(facts["class_names"])
        facts["jpeg"] = tuple(facts.get("jpeg", ()))
        facts["training_images"] = SeenImages(
            tensors.pop("training_fingerprints").numpy().view(np.uint64),
            tensors.pop("training_sketches").numpy(),
            int(metadata.get("reading_rules", 1)),  # files of before do not say
        )
        card = GeneratorCard(**facts, sha256=file_sha256(path))
        generator = architecture(card.architecture).generator(**card.size)
        generator.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path}: expected a whole {FORMAT} file, its card and weights do not fit: {_first_line(error)}"
        ) from None
    return generator.eval().requires_grad_(False).to(memory_format=torch.channels_last), card


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(":")
