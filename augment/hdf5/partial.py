"""A set of HDF5 shards that is being made: what a killed run leaves, and how the next one goes on.

set.h5.partial/plan.json             what is being made, and which shards are whole
set.h5.partial/00000-5f1c….h5, …     those shards; they go to set-shards/ when the last one is whole
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import GateError, SynthaugError, UsageError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.hdf5.file import stream_file, write_file
from synthaug.augment.hdf5.shards import (
    digest_of,
    shards_folder,
    sources_of,
    write_index,
    write_shards,
)
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

log = logging.getLogger("synthaug")
PLAN = "plan.json"
Judge = Callable[[LabeledImages], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Shard:
    """One that is whole.

    Attributes:
        file: its name, which tells its content.
        rows: how many images it holds.
        last_index: of its last image in the generator's sequence.
        near_copies: positions in the set of those that the memorization gate found in it.
    """

    file: str
    rows: int
    last_index: int
    near_copies: list[int]


class PartialSet:
    """The shards that are whole already, and the way to the rest.

    Args:
        target: the index that there will be.
        plan: all that the bytes depend on, in plain values; another plan cannot go on with these shards.
        resume: go on with what an interrupted run left, if it left anything.

    Raises:
        UsageError: an interrupted run is there and `resume` is not set, or it had another plan.
    """

    def __init__(self, target: Path, plan: Mapping[str, Any], resume: bool):
        self.target = target
        self.folder = _folder_of(target)
        self.plan: dict[str, Any] = json.loads(json.dumps(plan))
        self.shards: list[Shard] = []
        self._judged = self._from_before = 0
        self._near_copies: list[int] = []
        if self.folder.exists():
            self._take_up(resume)
            self._from_before = self.rows

    @property
    def rows(self) -> int:
        """Images in whole shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def last_index(self) -> int:
        """Where the generator's sequence stood at the last of them; -1 where there is none."""
        return self.shards[-1].last_index if self.shards else -1

    def batches(self) -> Iterator[LabeledImages]:
        """The images of the whole shards."""
        for shard in self.shards:
            yield from stream_file(self.folder / shard.file)

    def remembering(self, judge: Judge) -> Judge:
        """`judge`, which is asked once about each image of the set in order, with its memory of earlier runs.

        What it said of the images in whole shards stands in the plan: they count, and are not judged again.
        """

        def near_copies(images: LabeledImages) -> npt.NDArray[np.bool_]:
            rows = np.arange(self._judged, self._judged + len(images))
            self._judged += len(images)
            if self._judged <= self._from_before:
                return np.isin(rows, self._near_copies)
            flags = judge(images)
            self._near_copies += rows[flags].tolist()
            return flags

        return near_copies

    def write(self, stream: ImageStream, path: Path, writing: WriteOptions) -> None:
        """Write what is missing, and the set at `path`: `write_images` takes this in the format's place.

        Args:
            stream: the whole set, beginning with `batches`.

        Raises:
            GateError: the stream ends with it; then nothing is kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._note()
        missing = replace(stream, total=stream.total - self.rows, batches=self._after_kept(stream.batches))
        try:
            for shard in write_shards(missing, self.folder, writing, write_file, len(self.shards)):
                self._keep(shard)
        except SynthaugError as error:
            if isinstance(error, GateError) or not self.shards:
                self.remove()
            raise
        folder = shards_folder(path)
        folder.mkdir()
        for name in (shard.file for shard in self.shards):
            _link(self.folder / name, folder / name)
        write_index(path, folder.name, sorted(folder.iterdir()))

    def remove(self) -> None:
        """Nothing is left to go on with: the set is in its place, or must not be."""
        shutil.rmtree(self.folder)

    def _take_up(self, resume: bool) -> None:
        """Find what the interrupted run left; what is not whole is removed."""
        try:
            found = json.loads((self.folder / PLAN).read_text(encoding="utf-8"))
            before, listed = found["plan"], [Shard(**shard) for shard in found["shards"]]
        except (OSError, ValueError, KeyError, TypeError):
            if any(self.folder.iterdir()):
                raise UsageError(
                    f"{self.folder}: found no whole {PLAN}, expected one: remove it to start anew"
                ) from None
            return
        if not resume:
            raise UsageError(
                f"{self.folder} holds {sum(shard.rows for shard in listed):,} images of an interrupted run: "
                "go on with --resume, or remove it to start anew"
            )
        if before != self.plan:
            names = sorted(k for k in before.keys() | self.plan if before.get(k) != self.plan.get(k))
            raise UsageError(
                f"{self.folder} was begun with {_said(before, names)}, not {_said(self.plan, names)}: "
                "give the same options, or remove it to start anew"
            )
        for shard in listed:
            if not self._is_whole(shard):
                log.warning("%s: shard %s is damaged or gone, made again", self.folder, shard.file)
                break
            self.shards.append(shard)
            self._near_copies += shard.near_copies
        kept = {shard.file for shard in self.shards} | {PLAN}
        for path in self.folder.iterdir():
            if path.name not in kept and path.is_file():
                path.unlink()

    def _is_whole(self, shard: Shard) -> bool:
        with suppress(OSError):
            return digest_of(self.folder / shard.file) in shard.file
        return False

    def _after_kept(self, batches: Iterable[LabeledImages]) -> Iterator[LabeledImages]:
        seen = 0
        for batch in batches:
            seen += len(batch)
            if seen > self._from_before:
                yield batch

    def _keep(self, path: Path) -> None:
        start = self.rows
        with h5py.File(path, "r") as file:
            rows, last_index = len(file["labels"]), int(file["provenance/index"][-1])
        copies = [k for k in self._near_copies if start <= k < start + rows]
        self.shards.append(Shard(path.name, rows, last_index, copies))
        self._note()

    def _note(self) -> None:
        facts = {"plan": self.plan, "shards": [asdict(shard) for shard in self.shards]}
        with replacing(self.folder / PLAN) as fresh:
            fresh.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def is_in_place(target: Path) -> bool:
    """Whether the set at `target` is that of target.partial: a run was killed just before its end."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        made = json.loads((_folder_of(target) / PLAN).read_text(encoding="utf-8"))["shards"]
        with h5py.File(target, "r") as file:
            shown = [shard.name for shard in sources_of(target, file)]
        return bool(shown) and shown == [shard["file"] for shard in made]
    return False


def _folder_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _link(shard: Path, target: Path) -> None:
    """The same file under another name: a kill before the set is in its place costs no shard."""
    try:
        target.hardlink_to(shard)
    except OSError:  # a file system without links
        shutil.copyfile(shard, target)


def _said(plan: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {plan.get(name)}" for name in names)
