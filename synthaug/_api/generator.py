"""A trained generator, as it is handed from one function to the next."""

import shutil
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from synthaug._api.temporary import TemporaryFolder
from synthaug.augment.files.atomic import refuse_existing, replacing
from synthaug.augment.images import Splits
from synthaug.generators.checkpoint import GeneratorCard
from synthaug.generators.sampling import Synthesizer, find_generator, shipped, shipped_for

if TYPE_CHECKING:
    from synthaug.generators.config import GANConfig

_opened: "WeakSet[Generator]" = WeakSet()  # in this process: an export can check their images


class Generator:
    """A trained class-conditional generator.

    Args:
        source: the name of a generator that comes with synthaug (`synthaug models`), a run folder of
            `train_generator`, or a .safetensors file.

    Attributes:
        path: its file.
        data: the data set it was trained on, where that happened in this process; else None.

    Raises:
        DataError: there is no such generator, or its file is damaged.
    """

    def __init__(self, source: str | Path):
        self.path = find_generator(source)
        self.data: Splits | None = None
        self._folder: TemporaryFolder | None = None
        _opened.add(self)

    @cached_property
    def card(self) -> GeneratorCard:
        """Class names, image size, training data, licence, configuration and the file's SHA-256."""
        return self.synthesizer().card

    @property
    def name(self) -> str:
        """The file's name, or the run's."""
        return self.synthesizer().name

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes it makes images of."""
        return self.card.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its images."""
        return self.synthesizer().image_shape

    def synthesizer(self, device: str = "cpu") -> Synthesizer:
        """Its weights on a device, read from the file once for each."""
        if device not in self._synthesizers:
            self._synthesizers[device] = Synthesizer(self.path, device)
        return self._synthesizers[device]

    @cached_property
    def _synthesizers(self) -> dict[str, Synthesizer]:
        return {}

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Copy the generator's one file (weights, card, fingerprints of its training images) to `path`.

        Raises:
            UsageError: there is a file already, and `overwrite` is not set.
        """
        target = Path(path)
        refuse_existing(target, overwrite)
        with replacing(target) as fresh:
            shutil.copyfile(self.path, fresh)
        return target

    def __repr__(self) -> str:
        return f"Generator({str(self.path)!r}, classes={', '.join(self.class_names)})"


class TrainedGenerator(Generator):
    """What `train_generator` returns: the generator, and how its training went.

    Attributes:
        folder: the run folder: config.toml, log.jsonl, TensorBoard events, samples, checkpoints. Without
            `out` it is a temporary one, deleted with this object.
        config: everything the training depended on.
        steps_done: generator updates that were done.
        best_step: of the weights that were kept (lowest KID to validation images); 0: the last.
        rollbacks: how often a collapse or divergence was undone.
    """

    def __init__(
        self,
        folder: Path,
        data: Splits,
        config: "GANConfig",
        *,
        steps_done: int,
        best_step: int,
        rollbacks: int,
        temporary: TemporaryFolder | None = None,
    ):
        super().__init__(folder)
        self.folder, self.data, self.config = folder, data, config
        self.steps_done, self.best_step, self.rollbacks = steps_done, best_step, rollbacks
        self._folder = temporary

    @property
    def complete(self) -> bool:
        """Whether all steps were done; `train_generator(…, resume=True)` goes on where they were not."""
        return self.steps_done >= self.config.steps


def opened(source: str | Path | Generator | None, class_names: tuple[str, ...] = ()) -> Generator:
    """The generator that is meant: as given, else the shipped one that makes all of these classes.

    Raises:
        DataError: there is no such generator.
        UsageError: none is named, and no shipped one makes these classes.
    """
    if isinstance(source, Generator):
        return source
    return Generator(source if source is not None else shipped_for(class_names))


@cache
def shipped_generators() -> tuple[Generator, ...]:
    """The generators that come with synthaug, their files read once in a process."""
    return tuple(map(Generator, shipped()))


def known_generators() -> list[Generator]:
    """The shipped ones, and those that were opened or trained in this process and still are at hand."""
    return list(dict.fromkeys([*shipped_generators(), *_opened]))
