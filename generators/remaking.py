"""Synthetic images made again from their provenance: generator, class, seed and index say all of an image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from synthaug.augment.errors import DataError, GateError
from synthaug.augment.images import LabeledImages, Pixels
from synthaug.augment.reading import RULES
from synthaug.augment.stream import Attributes, ImageStream
from synthaug.augment.transforms import resize, with_bits, with_channels
from synthaug.generators.checkpoint import file_sha256
from synthaug.generators.sampling import BLOCK, Synthesizer, find_generator, shipped

ROWS = 256  # compared at a time
BLOCKS = 64  # kept, for files in which neighbours are not neighbours of the sequence


def remade(images: LabeledImages, makers: Mapping[str, Synthesizer], facts: Attributes) -> ImageStream:
    """Each of these images made again, in the size, channels and bits that they have.

    Args:
        images: synthetic ones with provenance.
        makers: generators by their SHA-256, as `find_makers` gives them.
        facts: about the whole set.

    Raises:
        GateError: when the stream ends, where pixels are not those of `images`.
    """

    grey = images.image_shape[0] == 1 and any(maker.image_shape[0] == 3 for maker in makers.values())
    coded = {sha256: maker.with_coding() for sha256, maker in makers.items() if any(maker.card.jpeg)}

    @lru_cache(maxsize=BLOCKS)
    def block(maker: str, coding: bool, rules: int, class_name: str, seed: int, number: int) -> Pixels:
        synthesizer = (coded if coding else makers)[maker]
        start = number * BLOCK
        made = synthesizer.images(synthesizer.label_of(class_name), start, start + BLOCK, seed)
        return _in_form_of(made, images, rules).pixels

    def batches() -> Iterator[LabeledImages]:
        others: list[int] = []
        for start in range(0, len(images), ROWS):
            batch = images.take(np.arange(start, min(start + ROWS, len(images))))
            assert batch.provenance is not None
            pixels = np.empty_like(batch.pixels)
            for k, (sha256, seed, index) in enumerate(batch.provenance.tolist()):
                maker, name = sha256.decode(), batch.class_names[batch.labels[k]]
                codings = (False, True) if maker in coded else (False,)
                for coding, rules in product(codings, (RULES, 1) if grey else (RULES,)):  # left open there
                    pixels[k] = block(maker, coding, rules, name, seed, index // BLOCK)[index % BLOCK]
                    if np.array_equal(pixels[k], batch.pixels[k]):
                        break
            same = (pixels == batch.pixels).all(axis=(1, 2, 3))
            others += (start + np.flatnonzero(~same)).tolist()
            yield replace(batch, pixels=pixels)
        if others:
            raise GateError(
                f"identical: {len(images) - len(others):,} of {len(images):,}, the first that is not is "
                f"number {others[0]} of them: expected the same pixels, nothing was written; they were "
                "changed since, or made on another kind of device"
            )

    return ImageStream(
        batches=batches(),
        total=len(images),
        class_names=images.class_names,
        image_shape=images.image_shape,
        dtype=images.pixels.dtype,
        attributes=facts,
    )


def find_makers(images: LabeledImages, source: str | None, device: str = "cpu") -> dict[str, Synthesizer]:
    """The generators behind these images, by SHA-256: shipped ones, and those at `source`.

    Args:
        source: a generator's name, file or run folder, or a folder with such files anywhere below it.

    Raises:
        DataError: one is not among them.
    """
    assert images.provenance is not None
    wanted = {maker.decode() for maker in np.unique(images.provenance["generator"])}
    candidates = list(shipped().values())
    if source is not None:
        path = Path(source)
        below = sorted(path.rglob("*.safetensors")) if path.is_dir() else []
        candidates += below or [find_generator(source)]
    found = {sha256: path for path in candidates if (sha256 := file_sha256(path)) in wanted}
    if missing := sorted(wanted - found.keys()):
        raise DataError(
            f"generator {', '.join(missing)}: found none of that SHA-256 among {', '.join(shipped())}"
            f"{'' if source is None else f' and {source}'}, expected it: name its file by --generator"
        )
    return {sha256: Synthesizer(path, device) for sha256, path in found.items()}


def differing_form(images: LabeledImages, makers: Sequence[Synthesizer]) -> str:
    """How these images were changed after they were made, in words; empty where they were not."""
    shape, bits = images.image_shape, 8 * images.pixels.dtype.itemsize
    made = {maker.image_shape for maker in makers}
    if made == {shape} and bits == 8:
        return ""
    before = " or ".join(f"{h}×{w} with {c} channels" for c, h, w in sorted(made))
    return f"made at {before} and 8 bits, changed to {shape[1]}×{shape[2]} with {shape[0]} and {bits} bits"


def _in_form_of(made: LabeledImages, images: LabeledImages, rules: int) -> LabeledImages:
    """In the size, then the channels, then the bits that a file's images have."""
    channels, side, _ = images.image_shape
    return with_bits(with_channels(resize(made, side), channels, rules), 8 * images.pixels.dtype.itemsize)
