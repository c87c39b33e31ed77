"""Synthetic images on their way to a file through the memorization gate, at one go or shard by shard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import FORMATS, write_images
from synthaug.augment.hdf5.file import SCHEMA
from synthaug.augment.hdf5.partial import PartialSet
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import MemorizationGate
from synthaug.generators.sampling import Synthesizer


@dataclass(frozen=True)
class Making:
    """What is made, and how it is looked at.

    Attributes:
        plan: images of each label.
        reject: replace near copies by the next of the sequence.
        allow: let near copies pass, and say so.
    """

    synthesizer: Synthesizer
    plan: Mapping[int, int]
    seed: int
    gate: MemorizationGate
    reject: bool = False
    allow: bool = False

    def stream(self) -> ImageStream:
        """All of it."""
        return self._guarded(self.gate, self._made())

    def write_shards(
        self,
        path: Path,
        writing: WriteOptions,
        seen: str,
        advance: Callable[[int], None],
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        """Write HDF5 shards that a killed run leaves to the next.

        The gate's verdict is on the whole set: of shards that were kept it is told what it found in them.

        Args:
            seen: tells the training images that the gate compares with (`training_digest`).
            advance: told of every batch.

        Raises:
            UsageError: there is an interrupted run, and `resume` is not set or the run was another.
            GateError: near copies, in shards of this run or before.
        """
        refuse_unheeded(writing, FORMATS["hdf5"].writing, f"{path} (hdf5)")
        work = PartialSet(path, self._facts(writing, seen), resume)
        new = self._made(done=work.rows, last_index=work.last_index)
        whole = replace(new, total=sum(self.plan.values()), batches=chain(work.batches(), new.batches))
        gate = replace(self.gate, near_copies=work.remembering(self.gate.near_copies))
        stream = self._guarded(gate, whole).watched(advance)
        write_images(stream, path, format="hdf5", writing=writing, overwrite=overwrite, write=work.write)
        work.remove()

    def _made(self, done: int = 0, last_index: int = -1) -> ImageStream:
        reject = self.gate.near_copies if self.reject else None
        return self.synthesizer.stream(self.plan, self.seed, reject, done=done, last_index=last_index)

    def _guarded(self, gate: MemorizationGate, stream: ImageStream) -> ImageStream:
        return gate.guard(stream, allow=self.allow, judged=self.reject)

    def _facts(self, writing: WriteOptions, seen: str) -> dict[str, Any]:
        """All that the bytes of the shards and the gate's verdict depend on."""
        names = self.synthesizer.card.class_names
        return {
            **self.stream().attributes,  # the generator's hash, the seed, and what the gate compares with
            "images": {names[label]: n for label, n in self.plan.items()},
            "reject_near_copies": self.reject,
            "training_images": seen,
            "device": self.synthesizer.device,
            "shard_size": writing.shard_size,
            "compression": writing.compression,
            "schema": SCHEMA,
        }


def training_digest(training_images: str | None, reading: ReadOptions) -> str:
    """Tells the content of a data set that the gate compares with; empty where none is named."""
    if training_images is None:
        return ""
    splits = load_dataset(training_images, reading)
    return f"{splits.train.digest()[:16]} {splits.val.digest()[:16]}"
