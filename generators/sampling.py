"""Images from a trained generator. Image i of class c depends on (generator, c, seed, i) and nothing else."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from synthaug.augment.errors import DataError, GateError, UsageError
from synthaug.augment.images import PROVENANCE, LabeledImages, concatenate
from synthaug.augment.jpeg import recode_pixels
from synthaug.augment.stream import ImageStream
from synthaug.generators.checkpoint import GeneratorCard, load_generator
from synthaug.generators.value_range import to_uint8

# Images are always made in whole blocks of this size, aligned to multiples of it: floating point results
# may depend on the batch an image shares, so an image always shares the same one.
BLOCK = 64
Reject = Callable[[LabeledImages], npt.NDArray[np.bool_]]
SHIPPED = Path(__file__).parent / "pretrained"


class Synthesizer:
    """A generator ready to make images.

    Args:
        source: a shipped name (`shipped()`), a run folder, or a .safetensors file.
        device: "cpu" or "cuda".
        coding: code each image as JPEG at the quality that most training images of its class have, as the
            last step. Where real images carry this artefact, generated ones otherwise lack it.

    Raises:
        DataError: there is no such generator.
        UsageError: `coding` where no training image was found to be coded.
    """

    def __init__(self, source: str | Path, device: str = "cpu", *, coding: bool = False):
        self.path = find_generator(source)
        generator, self.card = load_generator(self.path)
        self.generator = generator.to(device)
        self.device = device
        self.coding = coding
        if coding and not any(self.card.jpeg):
            raise UsageError(f"{self.name}: its training images were not found to be JPEG, leave coding out")

    def with_coding(self) -> "Synthesizer":
        """The same generator, its images coded as JPEG."""
        return Synthesizer(self.path, self.device, coding=True)

    @property
    def name(self) -> str:
        """The file's name, or the run's."""
        return self.path.parent.name if self.path.name == "generator.safetensors" else self.path.stem

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its images."""
        side = self.card.size["image_size"]
        return self.card.size["channels"], side, side

    def label_of(self, class_name: str) -> int:
        """The label of a class, by name (upper and lower case are one).

        Raises:
            UsageError: the generator has no such class.
        """
        names = [name.lower() for name in self.card.class_names]
        if class_name.lower() not in names:
            raise UsageError(
                f"no class {class_name!r}: this generator has {', '.join(self.card.class_names)}"
            )
        return names.index(class_name.lower())

    def images(self, label: int, start: int, stop: int, seed: int = 0) -> LabeledImages:
        """Images `start` to `stop` (exclusive) of one class, at least one, with their provenance."""
        blocks = range(start // BLOCK, -(-stop // BLOCK))
        pixels = np.concatenate([self._block(label, block, seed) for block in blocks])
        offset = blocks.start * BLOCK
        origin = np.zeros(stop - start, PROVENANCE)
        origin["generator"], origin["seed"] = self.card.sha256.encode(), seed
        origin["index"] = np.arange(start, stop)
        return LabeledImages(
            pixels=pixels[start - offset : stop - offset],
            labels=np.full(stop - start, label, dtype=np.int64),
            class_names=self.card.class_names,
            synthetic=np.ones(stop - start, dtype=bool),
            provenance=origin,
        )

    def stream(
        self,
        plan: Mapping[int, int],
        seed: int = 0,
        reject: Reject | None = None,
        *,
        done: int = 0,
        last_index: int = -1,
    ) -> ImageStream:
        """plan[label] images of each label, class by class, made as they are asked for.

        Args:
            reject: which images of a batch to leave out, (N,) bool, each judged by itself: the next of the
                sequence takes the place of one that is left out.
            done: how many images of the plan are there already: the stream is what follows.
            last_index: of the last of them, in the sequence of its class.

        Raises:
            GateError: once the stream runs, when nine in ten images are rejected.
        """

        def batches() -> Iterator[LabeledImages]:
            before = 0
            for label, n in plan.items():
                kept = min(max(done - before, 0), n)
                before += n
                yield from self._sequence(label, n, seed, reject, kept, last_index + 1 if kept else 0)

        return ImageStream(
            batches=batches(),
            total=sum(plan.values()) - done,
            class_names=self.card.class_names,
            image_shape=self.image_shape,
            dtype=np.dtype(np.uint8),
            attributes=card_attributes(self.card) | {"seed": seed} | self._coding_attributes(),
        )

    def _sequence(
        self, label: int, n: int, seed: int, reject: Reject | None, kept: int, start: int
    ) -> Iterator[LabeledImages]:
        """The first n images of a class that are not rejected, after `kept` of them before index `start`."""
        while kept < n:
            if start % BLOCK == 0 and start > 10 * (kept + 10 * BLOCK):
                name = self.card.class_names[label]
                raise GateError(
                    f"{start - kept} of the first {start} images of {name} are near copies of training "
                    "images: this generator has memorised them; train it on more images or for fewer steps"
                )
            stop = start - start % BLOCK + BLOCK
            stop = stop if reject else min(stop, n)
            batch = self.images(label, start, stop, seed)
            if reject:
                batch = batch.take(np.flatnonzero(~reject(batch))[: n - kept])
            start, kept = stop, kept + len(batch)
            if len(batch):
                yield batch

    def _coding_attributes(self) -> dict[str, str]:
        if not self.coding:
            return {}
        return {"jpeg": json.dumps(dict(zip(self.card.class_names, self.card.jpeg, strict=True)))}

    @torch.inference_mode()
    def _block(self, label: int, block: int, seed: int) -> npt.NDArray[np.uint8]:
        indices = range(block * BLOCK, (block + 1) * BLOCK)
        dim = self.generator.input_dim  # noise follows the latent in an image's numbers
        latents = np.stack([np.random.default_rng([seed, label, i]).standard_normal(dim) for i in indices])
        images = self.generator(
            torch.from_numpy(latents.astype(np.float32)).to(self.device),
            torch.full((BLOCK,), label, device=self.device),
        )
        return self._coded(to_uint8(images), label)

    def _coded(self, pixels: npt.NDArray[np.uint8], label: int) -> npt.NDArray[np.uint8]:
        """Coded as JPEG, if asked for."""
        return recode_pixels(pixels, self.card.jpeg[label]) if self.coding else pixels


def collect(synthesizer: Synthesizer, wanted: list[int], seed: int) -> LabeledImages:
    """wanted[label] images of each of the generator's labels, in memory."""
    plan = {label: n for label, n in enumerate(wanted) if n}
    return concatenate(list(synthesizer.stream(plan, seed).batches))


def collect_for(
    synthesizer: Synthesizer, class_names: tuple[str, ...], wanted: list[int], seed: int
) -> LabeledImages:
    """wanted[label] images for a data set's labels, which the generator knows by name.

    The images carry the generator's own labels and class names; `blend` matches them by name.

    Raises:
        UsageError: the generator has no class of a name that is wanted.
    """
    plan = [0] * len(synthesizer.card.class_names)
    for name, n in zip(class_names, wanted, strict=True):
        if n:
            plan[synthesizer.label_of(name)] = n
    return collect(synthesizer, plan, seed)


def card_attributes(card: GeneratorCard) -> dict[str, str | int | float]:
    """What every exported set says of its generator."""
    return {
        "generator": card.sha256,
        "generator_data": card.data,
        "licence": card.licence,
        "config": json.dumps(card.config, sort_keys=True),
        "value_range": "[-1, 1] mapped to 0..255",
    }


def shipped() -> dict[str, Path]:
    """The generators that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def shipped_for(class_names: Sequence[str]) -> str:
    """The shipped generator that makes all these classes, the chest radiographs' where none are named.

    Raises:
        UsageError: no shipped generator does.
    """
    wanted = {name.lower() for name in class_names}
    makes = {name: load_generator(path)[1].class_names for name, path in shipped().items()}
    for name, classes in makes.items():
        if wanted <= {known.lower() for known in classes}:
            return name
    raise UsageError(
        f"no shipped generator makes {', '.join(class_names)} (there is "
        + "; ".join(f"{name}: {', '.join(classes)}" for name, classes in makes.items())
        + "): train one with synthaug train-generator and name it by --generator"
    )


def find_generator(source: str | Path) -> Path:
    """The generator file behind a shipped name, a run folder or a path.

    Raises:
        DataError: there is none.
    """
    if str(source) in shipped():
        return shipped()[str(source)]
    path = Path(source)
    if (path / "generator.safetensors").is_file():
        return path / "generator.safetensors"
    if path.is_file():
        return path
    expected = ", ".join([*shipped(), "a run folder or a .safetensors file"])
    raise DataError(f"no generator {str(source)!r}: expected {expected}")
