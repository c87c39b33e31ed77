"""Images on their way to a file, in batches: memory does not grow with how many there are."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from synthaug.augment.images import LabeledImages

Attributes = Mapping[str, str | int | float]
OWN = ("images", "schema", "class_names", "bits")  # what files say of themselves, no fact of the set
FACTS = "dataset.json"  # where a folder keeps the facts about the whole set


@dataclass(frozen=True)
class ImageStream:
    """What a writer needs to know before the first image, and the images.

    Attributes:
        batches: the images in order; each batch has `class_names` and `image_shape`.
        total: how many images the batches hold together, exactly.
        image_shape: (C, H, W).
        dtype: uint8 or uint16.
        attributes: facts about the whole set, stored where the format has room: generator hash, licence,
            configuration. Text or numbers only, never a real patient's identifier.
        origin: the data set that the real images are of, a name or a whole path; never written. Every export
            of one origin hides a patient behind the same name.
    """

    batches: Iterable[LabeledImages]
    total: int
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
    attributes: Attributes = field(default_factory=dict)
    origin: str = ""

    @classmethod
    def of(cls, images: LabeledImages, **attributes: str | int | float) -> "ImageStream":
        """Stream images that are already in memory."""
        return cls(
            batches=images.batches(1024),
            total=len(images),
            class_names=images.class_names,
            image_shape=images.image_shape,
            dtype=images.pixels.dtype,
            attributes=attributes,
        )

    def watched(self, advance: Callable[[int], None]) -> "ImageStream":
        """The same stream, telling `advance` of every batch that has gone by."""

        def batches() -> Iterator[LabeledImages]:
            for batch in self.batches:
                yield batch
                advance(len(batch))

        return replace(self, batches=batches())


def write_facts(stream: ImageStream, folder: Path) -> None:
    """The stream's attributes as `dataset.json` in a folder of images."""
    facts = json.dumps({**stream.attributes, "images": stream.total}, indent=2, sort_keys=True)
    (folder / FACTS).write_text(facts + "\n", encoding="utf-8")


def read_facts(folder: Path) -> Attributes:
    """What `write_facts` wrote; nothing where there is no such file, or another tool's."""
    try:
        return plain_facts(json.loads((folder / FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def wrote(folder: Path) -> bool:
    """Whether synthaug wrote a folder of images, as its `dataset.json` says."""
    try:
        return "images" in json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def plain_facts(found: object) -> Attributes:
    """Text and numbers of what a file says of its set, without what the formats say themselves."""
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name): value
        for name, value in found.items()
        if isinstance(value, (str, int, float)) and name not in OWN
    }
