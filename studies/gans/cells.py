"""What one cell of a table is, how it is named by everything it depends on, and where it is kept."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock
from protocols import PROTOCOLS

from synthaug.augment.files.atomic import replacing
from synthaug.generators.config import GANConfig
from synthaug.generators.presets import preset

DEFAULT = "synthaug"
SCORING = 1  # counts up when the scoring changes: cells of another one are made again

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training of one recipe on one data set, scored.

    Attributes:
        data: a key of PROTOCOLS.
        cpu_seconds: of training.
        share: of the fit images, by class.
        overrides: fields of GANConfig that differ from the preset.
        unlabelled: the rest of the fit images goes in without labels.
        init_from: a data set whose own cell is started from.
        keep: share of the images made that is kept, those of the highest logits in their class.
        extractors: that fidelity is measured in.
    """

    data: str
    preset: str
    cpu_seconds: float
    seed: int = 0
    share: float = 1.0
    overrides: tuple[tuple[str, Any], ...] = ()
    unlabelled: bool = False
    init_from: str = ""
    keep: float = 1.0
    extractors: tuple[str, ...] = ("domain", "inception-768")

    @property
    def config(self) -> GANConfig:
        """The recipe; its `steps` are calibrated in training."""
        return replace(preset(self.preset), seed=self.seed, **dict(self.overrides))

    @property
    def needs(self) -> "Cell | None":
        """The cell whose networks this one starts from or takes as they are."""
        if self.keep < 1:
            return replace(self, keep=1.0)
        if self.init_from:
            scale = self.cpu_seconds / PROTOCOLS[self.data].cpu_seconds
            seconds = PROTOCOLS[self.init_from].cpu_seconds * scale
            return Cell(self.init_from, DEFAULT, seconds, self.seed, extractors=self.extractors)
        return None

    @property
    def keeps_networks(self) -> bool:
        """Whether another cell may need what this one trained."""
        return self.preset == DEFAULT and not (self.overrides or self.unlabelled or self.init_from)

    @property
    def name(self) -> str:
        """For people, with a hash of everything the cell depends on."""
        facts = {
            "cell": asdict(self),
            "config": asdict(self.config),
            "protocol": asdict(PROTOCOLS[self.data]),
            "needs": self.needs.name if self.needs else "",
            "scoring": SCORING,
        }
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return f"{self.data}-{self.preset}-seed{self.seed}-{key}"

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.overrides]
        words += [f"{self.share:.0%} of the data"] * (self.share < 1) + ["unlabelled"] * self.unlabelled
        words += [f"from {self.init_from}"] * bool(self.init_from) + [f"keep {self.keep:.0%}"] * (
            self.keep < 1
        )
        return f"{self.data} {self.preset} seed {self.seed}" + f" ({', '.join(words)})" * bool(words)


@dataclass(frozen=True)
class Place:
    """Where things are.

    Attributes:
        work: cells, networks and example images are kept here.
    """

    data_root: Path
    work: Path
    inception_weights: Path | None = None
    lpips_weights: Path | None = None

    def record_of(self, cell: Cell) -> Path:
        """The cell's numbers."""
        return self.work / "cells" / f"{cell.name}.json"

    def networks_of(self, cell: Cell) -> Path:
        """Its generator and discriminator."""
        return self.work / "networks" / f"{cell.name}.safetensors"

    def examples_of(self, cell: Cell) -> Path:
        """Some of its images."""
        return self.work / "examples" / f"{cell.name}.npz"

    def real_examples(self, data: str) -> Path:
        """Some of the reference images."""
        return self.work / "examples" / f"{data}.npz"


def stored(cell: Cell, place: Place) -> Record | None:
    """The numbers of a cell that was made before."""
    path = place.record_of(cell)
    return json.loads(path.read_text()) if path.exists() else None


def store(cell: Cell, place: Place, record: Record) -> None:
    """Keep the numbers of a cell."""
    with replacing(place.record_of(cell)) as fresh:
        fresh.write_text(json.dumps(record))


def alone(place: Place, cell: Cell) -> BaseFileLock:
    """A lock to hold while a cell is made: no other process makes it at the same time."""
    path = place.work / "locks" / cell.name
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)
