"""Synthetic images of the classes asked for, through the memorization gate, into memory or a file."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from synthaug._api.gate import gate_of_generator, training_digest
from synthaug._api.generator import Generator, opened
from synthaug._api.load import Data, as_splits, read_options
from synthaug._api.runtime import device_of
from synthaug.augment.balance import sampling_plan
from synthaug.augment.blend import match_classes
from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.formats.registry import FORMATS, format_of, write_images
from synthaug.augment.hdf5.file import SCHEMA
from synthaug.augment.hdf5.partial import PartialSet, is_in_place
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.progress import OnProgress, progress_bar, reporting_to
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import ATTRIBUTE, MemorizationGate
from synthaug.generators.sampling import Synthesizer

log = logging.getLogger("synthaug")


def generate(
    classes: str | Sequence[str] | None = None,
    n: int | None = None,
    *,
    per_class: int | None = None,
    balance_with: Data | None = None,
    generator: str | Path | Generator | None = None,
    seed: int = 0,
    training_images: Data | None = None,
    reject_near_copies: bool = False,
    allow_near_copies: bool = False,
    device: str = "auto",
    on_progress: OnProgress | None = None,
    **options: Any,
) -> LabeledImages:
    """Make synthetic images. Image i of a class depends on the generator, the class, `seed` and i only.

    Say how many by `classes` and `n`, by `per_class`, or by `balance_with`.

    Args:
        classes: class names; with `n`, the number of images of each of them.
        per_class: images of every class.
        balance_with: a data set whose training classes to fill up to the largest of them.
        generator: what `train_generator` returned, a generator's name, run folder or file; by default the
            shipped one that makes these classes.
        training_images: a data set to compare with for near copies, besides the generator's own.
        reject_near_copies: replace near copies of training images by the next images of the sequence.
        allow_near_copies: let near copies pass; the images' records say so when they are saved.
        device: "auto", "cpu", "cuda" or "mps".
        **options: how `balance_with` and `training_images` are read, see `load`.

    Returns:
        The images in memory, class by class, with the provenance of each: generator, seed, index.

    Raises:
        UsageError: no such class, or contradictory arguments.
        GateError: near copies of training images are among them.
    """
    with reporting_to(on_progress):
        generation = plan_generation(
            classes,
            n,
            per_class=per_class,
            balance_with=balance_with,
            generator=generator,
            seed=seed,
            training_images=training_images,
            reject_near_copies=reject_near_copies,
            allow_near_copies=allow_near_copies,
            device=device,
            options=read_options(options),
        )
        return generation.collect()


def generate_to(
    path: str | Path,
    classes: str | Sequence[str] | None = None,
    n: int | None = None,
    *,
    format: str | None = None,
    writing: WriteOptions = WriteOptions(),
    overwrite: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **arguments: Any,
) -> Path:
    """Make synthetic images straight into a file or folder: memory does not grow with their number.

    Args:
        path: .h5, .npz, a folder of class folders, or a folder named …dicom.
        format: "hdf5", "npz", "folder" or "dicom", where the path leaves it open.
        writing: compression, shard size, DICOM attributes.
        overwrite: replace what stands at `path`.
        resume: go on with an interrupted run that had `writing.shard_size`.
        **arguments: those of `generate`.

    Raises:
        UsageError: contradictory arguments, or `path` is taken.
        GateError: near copies of training images are among them; nothing is left at `path`.
    """
    named = ["per_class", "balance_with", "generator", "seed", "training_images", "device"]
    named += ["reject_near_copies", "allow_near_copies"]
    known = {name: arguments.pop(name) for name in named if name in arguments}
    with reporting_to(on_progress):
        generation = plan_generation(classes, n, options=read_options(arguments), **known)
        target = Path(path)
        generation.write(target, format, writing, overwrite=overwrite, resume=resume)
    return target


@dataclass(frozen=True, eq=False)
class Generation:
    """A plan of synthetic images, not carried out yet.

    Attributes:
        plan: images of each label.
        training_images: a data set to compare with besides the generator's own.
    """

    generator: Generator
    synthesizer: Synthesizer
    plan: Mapping[int, int]
    seed: int = 0
    training_images: Data | None = None
    reject_near_copies: bool = False
    allow_near_copies: bool = False
    options: ReadOptions = ReadOptions()

    @property
    def counts(self) -> dict[str, int]:
        """Images by class name."""
        names = self.synthesizer.card.class_names
        return {names[label]: count for label, count in self.plan.items()}

    def gate(self) -> MemorizationGate:
        """What the images are compared with."""
        return gate_of_generator(self.synthesizer, self.training_images, self.options, self.generator.data)

    def stream(self, gate: MemorizationGate) -> ImageStream:
        """All images in batches; it raises `GateError` at its end if near copies went by."""
        return self._guarded(gate, self._made(gate))

    def collect(self) -> LabeledImages:
        """All images in memory."""
        stream = self.stream(self.gate())
        with progress_bar("generate", stream.total) as advance:
            return concatenate(list(stream.watched(advance).batches))

    def write(
        self,
        path: Path,
        format: str | None = None,
        writing: WriteOptions = WriteOptions(),
        *,
        overwrite: bool = False,
        resume: bool = False,
    ) -> str:
        """Write all images; what the memorization gate found, in words.

        Raises:
            UsageError, GateError: see `generate_to`.
        """
        kind = format_of(path, format)
        in_shards = kind == "hdf5" and writing.shard_size is not None
        overwrite = self.refuse(path, format, writing, overwrite=overwrite, resume=resume)
        gate = self.gate()
        if in_shards:
            return self._write_shards(path, writing, gate, resume=resume, overwrite=overwrite)
        stream = self.stream(gate)
        with progress_bar("generate", stream.total) as advance:
            write_images(stream.watched(advance), path, format=kind, writing=writing, overwrite=overwrite)
        return str(stream.attributes[ATTRIBUTE])

    def refuse(
        self, path: Path, format: str | None, writing: WriteOptions, *, overwrite: bool, resume: bool
    ) -> bool:
        """Refuse what can be refused before the work; whether `path` may be replaced.

        Raises:
            UsageError: `path` is taken, or there is nothing to resume.
        """
        in_shards = format_of(path, format) == "hdf5" and writing.shard_size is not None
        if resume and not in_shards:
            raise UsageError("--resume: only HDF5 shards can be resumed, add --shard-size and --out FILE.h5")
        overwrite = overwrite or (resume and is_in_place(path))
        refuse_existing(path, overwrite)
        return overwrite

    def _write_shards(
        self, path: Path, writing: WriteOptions, gate: MemorizationGate, *, resume: bool, overwrite: bool
    ) -> str:
        """Write HDF5 shards that a killed run leaves to the next.

        The gate's verdict is on the whole set: of shards that were kept it knows what it found in them.
        """
        refuse_unheeded(writing, FORMATS["hdf5"].writing, f"{path} (hdf5)")
        work = PartialSet(path, self._facts(writing, gate), resume)
        new = self._made(gate, done=work.rows, last_index=work.last_index)
        whole = replace(new, total=sum(self.plan.values()), batches=chain(work.batches(), new.batches))
        gate = replace(gate, near_copies=work.remembering(gate.near_copies))
        with progress_bar("generate", whole.total) as advance:
            stream = self._guarded(gate, whole).watched(advance)
            write_images(stream, path, format="hdf5", writing=writing, overwrite=overwrite, write=work.write)
        work.remove()
        return str(stream.attributes[ATTRIBUTE])

    def _made(self, gate: MemorizationGate, done: int = 0, last_index: int = -1) -> ImageStream:
        reject = gate.near_copies if self.reject_near_copies else None
        return self.synthesizer.stream(self.plan, self.seed, reject, done=done, last_index=last_index)

    def _guarded(self, gate: MemorizationGate, stream: ImageStream) -> ImageStream:
        return gate.guard(stream, allow=self.allow_near_copies, judged=self.reject_near_copies)

    def _facts(self, writing: WriteOptions, gate: MemorizationGate) -> dict[str, Any]:
        """All that the bytes of the shards and the gate's verdict depend on."""
        return {
            **self.stream(gate).attributes,  # generator's hash, seed, and what the gate compares with
            "images": self.counts,
            "reject_near_copies": self.reject_near_copies,
            "training_images": training_digest(self.training_images, self.options),
            "device": self.synthesizer.device,
            "shard_size": writing.shard_size,
            "compression": writing.compression,
            "schema": SCHEMA,
        }


def plan_generation(
    classes: str | Sequence[str] | None = None,
    n: int | None = None,
    *,
    per_class: int | None = None,
    balance_with: Data | None = None,
    generator: str | Path | Generator | None = None,
    seed: int = 0,
    training_images: Data | None = None,
    reject_near_copies: bool = False,
    allow_near_copies: bool = False,
    device: str = "auto",
    options: ReadOptions = ReadOptions(),
) -> Generation:
    """Open the generator and count what it is to make; see `generate` for the arguments.

    Raises:
        UsageError: no such class, or contradictory arguments.
        DataError: no such generator or data set.
    """
    if reject_near_copies and allow_near_copies:
        raise UsageError("--reject-near-copies and --allow-near-copies: expected one of them")
    names = [classes] if isinstance(classes, str) else list(classes or ())
    asked = [bool(names), per_class is not None, balance_with is not None]
    if sum(asked) != 1 or (n is not None) != bool(names):
        raise UsageError("say what to make: --class NAME --n N, or --per-class N, or --balance-with DATASET")
    if any(count is not None and count < 1 for count in (n, per_class)):
        raise UsageError(f"{n if n is not None else per_class} images: expected at least 1")
    source = opened(generator, tuple(names))
    synthesizer = source.synthesizer(device_of(device))
    if names:
        labels = [synthesizer.label_of(name) for name in names]
        if len(set(labels)) < len(labels):
            raise UsageError(f"--class {', '.join(names)}: expected each class once")
        plan = dict.fromkeys(labels, n or 0)
    elif per_class is not None:
        plan = dict.fromkeys(range(len(source.class_names)), per_class)
    else:
        plan = _filling_up(balance_with or "", source.class_names, options)
    return Generation(
        source, synthesizer, plan, seed, training_images, reject_near_copies, allow_near_copies, options
    )


def _filling_up(data: Data, names: tuple[str, ...], options: ReadOptions) -> dict[int, int]:
    """How many images of each label bring every class of a training split up to its largest."""
    train = as_splits(data, options).train
    wanted = sampling_plan(match_classes(train, names).labels, len(names))
    plan = {label: count for label, count in enumerate(wanted) if count}
    log.info("balances the training split: %s", train.counts())
    if not plan:
        name = data.name if not isinstance(data, str | Path) else data
        raise UsageError(f"{name}: its classes are balanced already ({train.counts()}), nothing to make")
    return plan
