"""One training of one recipe on one data set, named by everything it depends on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from protocols import PROTOCOLS
from tables import DEFAULT, Arm, Block, Table

from synthaug.generators.config import GANConfig
from synthaug.generators.presets import preset

SCORING = 2  # counts up when training or scoring changes: cells of another one are made again

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A row of a table with one seed; see `tables.Arm`.

    Attributes:
        data: a key of PROTOCOLS.
        cpu_seconds: of training.
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
    extractors: tuple[str, ...] = ("domain", "inception-768")

    @property
    def config(self) -> GANConfig:
        """The recipe; its `steps` and `interval` are planned in training."""
        return replace(preset(self.preset), seed=self.seed, **dict(self.overrides))

    @property
    def needs(self) -> "Cell | None":
        """The cell whose generator this one starts from."""
        if not self.init_from:
            return None
        scale = self.cpu_seconds / PROTOCOLS[self.data].cpu_seconds
        seconds = PROTOCOLS[self.init_from].cpu_seconds * scale
        return Cell(self.init_from, DEFAULT, seconds, self.seed, extractors=self.extractors)

    @property
    def name(self) -> str:
        """For people, with a hash of everything the cell depends on."""
        facts = [asdict(self), asdict(self.config), asdict(PROTOCOLS[self.data]), SCORING]
        facts.append(self.needs.name if self.needs else "")
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return f"{self.data}-{self.preset}-seed{self.seed}-{key}"


@dataclass(frozen=True)
class Place:
    """Where things are; `work` has a folder for every cell: its run, its numbers and some of its images."""

    data_root: Path
    work: Path
    inception_weights: Path | None = None
    lpips_weights: Path | None = None

    def folder(self, cell: Cell) -> Path:
        return self.work / cell.name

    def stored(self, cell: Cell) -> Record | None:
        """The numbers of a cell that was made before."""
        path = self.folder(cell) / "record.json"
        return json.loads(path.read_text()) if path.exists() else None


@dataclass(frozen=True)
class Choice:
    """What is chosen on the command line of all that a table has."""

    seeds: int = 3
    scale: float = 1.0
    presets: Sequence[str] = ()
    extractors: tuple[str, ...] = ("domain", "inception-768")

    def cell_of(self, block: Block, arm: Arm, seed: int) -> Cell:
        seconds = PROTOCOLS[block.data].cpu_seconds * block.times * self.scale
        of_arm = {key: value for key, value in vars(arm).items() if key != "label"}
        return Cell(block.data, cpu_seconds=seconds, seed=seed, extractors=self.extractors, **of_arm)

    def cells_of(self, tables: Sequence[Table]) -> list[Cell]:
        """Every cell once: seed 0 of a whole table before seed 1, and last in a seed what needs another."""
        chosen: dict[Cell, None] = {}
        for table in tables:
            for seed in range(self.seeds):
                arms = [(block, arm) for block in table.blocks for arm in block.arms]
                arms = [(b, arm) for b, arm in arms if not self.presets or arm.preset in self.presets]
                cells = [self.cell_of(block, arm, seed) for block, arm in arms]
                chosen |= dict.fromkeys(sorted(cells, key=lambda cell: cell.needs is not None))
        return list(chosen)
