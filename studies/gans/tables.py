"""Which trainings make which table. A table is one entry in TABLES; cells that tables share are made once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cells import DEFAULT, Cell
from protocols import PROTOCOLS

from synthaug.generators.presets import PRESETS

LONG = 9  # times the process time of the other tables; without bf16 that is some three times the images
LONG_SMALL = 3  # at 28 px
LONG_FEW = 6  # where images are few, until they are learnt by heart
KEPT = 0.8  # of the images that are made, in selection by the discriminator
ORIGINS = {"pneumoniamnist": "chestmnist"}  # radiographs of the same size
WITHOUT_DIFFAUGMENT: tuple[tuple[str, Any], ...] = (("diffaugment", ()),)


@dataclass(frozen=True)
class Arm:
    """A row: a preset, or the default with something changed. See `TrainingResult` for the fields."""

    label: str
    preset: str = DEFAULT
    share: float = 1.0
    overrides: tuple[tuple[str, Any], ...] = ()
    unlabelled: bool = False
    init_from: str = ""
    keep: float = 1.0


@dataclass(frozen=True)
class Block:
    """Rows on one data set, under one heading.

    Attributes:
        kind: which columns are shown, a key of `pages.KINDS`.
        times: the data set's process time that every row has.
    """

    data: str
    heading: str
    arms: tuple[Arm, ...]
    kind: str = "fidelity"
    times: float = 1.0


@dataclass(frozen=True)
class Table:
    """What one name on the command line rebuilds."""

    title: str
    blocks: tuple[Block, ...]


def of_presets(*names: str) -> tuple[Arm, ...]:
    return tuple(Arm(name, name) for name in names)


CAUSES = (
    Arm(DEFAULT),
    Arm("without window floor", overrides=(("window_floor", False),)),
    Arm("without noise", overrides=(("noise_from", 0),)),
    Arm("with neither", overrides=(("window_floor", False), ("noise_from", 0))),
)
FEW = Arm(DEFAULT, share=0.1), Arm("without DiffAugment", share=0.1, overrides=WITHOUT_DIFFAUGMENT)


def goal_blocks(data: str, heading: str) -> tuple[Block, Block]:
    return (
        Block(data, heading, of_presets(DEFAULT, *(n for n in PRESETS if n != DEFAULT)), "goal"),
        Block(data, f"{heading}, 10 % of the data", FEW, "goal-few"),
    )


def ablation_block(data: str, heading: str) -> Block:
    """At 10 % of the data: each thing that is on, off; each that is off, on."""
    config = PRESETS[DEFAULT].config
    few, without_diffaugment = FEW
    arms = [few]
    if config.diffaugment:
        arms.append(without_diffaugment)
    for label, on, field, off in (
        ("without averaged weights", config.ema_halflife > 0, "ema_halflife", 0.0),
        ("without balanced batches", config.balanced, "balanced", False),
        ("without R1", config.r1 > 0, "r1", 0.0),
    ):
        if on:
            arms.append(replace(few, label=label, overrides=((field, off),)))
    arms.append(replace(few, label="with the other 90 % unlabelled", unlabelled=True))
    if origin := ORIGINS.get(data):
        arms.append(replace(few, label=f"started from {origin}", init_from=origin))
    arms.append(replace(few, label=f"the {KEPT:.0%} of highest logits kept", keep=KEPT))
    return Block(data, heading, tuple(arms), "ablation")


MEDNIST, PNEUMONIA = "MedNIST, 64 px", "PneumoniaMNIST, 28 px"
TABLES = {
    "goal": Table(
        "The default against every preset",
        (*goal_blocks("mednist", MEDNIST), *goal_blocks("pneumoniamnist", PNEUMONIA)),
    ),
    "goal-long": Table(
        "The default for longer: against other presets, and without DiffAugment",
        (
            Block(
                "mednist", f"{MEDNIST}, {LONG} times as long", of_presets(DEFAULT, "wgan-gp"), "goal", LONG
            ),
            Block(
                "pneumoniamnist",
                f"{PNEUMONIA}, {LONG_SMALL} times as long",
                of_presets(DEFAULT, "wgan-gp", "wgan", "medgan"),
                "goal",
                LONG_SMALL,
            ),
            Block(
                "pneumoniamnist",
                f"{PNEUMONIA}, 10 % of the data, {LONG_FEW} times as long",
                FEW,
                "goal-few",
                LONG_FEW,
            ),
        ),
    ),
    "mednist": Table(
        "MedNIST, six classes",
        (Block("mednist", MEDNIST, of_presets("wgan", "wgan-gp", "lsgan", DEFAULT)),),
    ),
    "chestmnist": Table(
        "ChestMNIST layout, normal and abnormal",
        (
            Block(
                "chestmnist",
                "ChestX-ray14 piece, 28 px",
                of_presets("lsgan", "wgan", "wgan-gp", DEFAULT),
                "stability",
            ),
        ),
    ),
    "mednist-three": Table(
        "MedNIST hand, breast MRI and abdomen CT: which metric orders generators rightly",
        (
            Block(
                "mednist-three", "Three classes, 64 px", of_presets("monai", "progressive", DEFAULT), "order"
            ),
        ),
    ),
    "rgb-and-ct": Table(
        "128 × 128 px: skin lesions in colour, lung CT",
        (
            Block("skin-lesions", "Skin lesions, RGB", of_presets("medgan", DEFAULT)),
            Block("chest-ctscan", "Lung CT, adenocarcinoma", of_presets("medgan", DEFAULT)),
        ),
    ),
    "chest-xray": Table(
        "Chest radiographs, normal and abnormal",
        (
            Block(
                "chest-xray-folder",
                "ChestX-ray14 piece, 64 px",
                of_presets("vanilla", "wgan", "dcgan", DEFAULT),
            ),
            Block(
                "chest-xray-pneumonia",
                "Paediatric pneumonia, 128 px",
                of_presets("vanilla", "wgan", "dcgan", DEFAULT),
            ),
        ),
    ),
    "causes": Table(
        "What the window floor and the noise of the generator are worth",
        (Block("mednist", MEDNIST, CAUSES),),
    ),
    "ablation": Table(
        "What each part of the default is worth at 10 % of the data",
        (ablation_block("pneumoniamnist", PNEUMONIA), ablation_block("mednist", MEDNIST)),
    ),
}
TRIAL = Table("Trial on the phantom", (Block("phantom", "Phantom, 28 px", of_presets("vanilla", DEFAULT)),))


@dataclass(frozen=True)
class Choice:
    """What is chosen on the command line of all that a table has."""

    seeds: int = 3
    scale: float = 1.0
    presets: Sequence[str] = ()
    extractors: tuple[str, ...] = ("domain", "inception-768")


def cell_of(block: Block, arm: Arm, seed: int, choice: Choice) -> Cell:
    return Cell(
        data=block.data,
        preset=arm.preset,
        cpu_seconds=PROTOCOLS[block.data].cpu_seconds * block.times * choice.scale,
        seed=seed,
        share=arm.share,
        overrides=arm.overrides,
        unlabelled=arm.unlabelled,
        init_from=arm.init_from,
        keep=arm.keep,
        extractors=choice.extractors,
    )


def cells_of(tables: Sequence[Table], choice: Choice) -> list[Cell]:
    """Every cell once: seed 0 of a whole table before seed 1, and last in a seed what needs another cell."""
    found: dict[Cell, None] = {}
    for table in tables:
        for seed in range(choice.seeds):
            cells = list(_of_seed(table, seed, choice))
            found |= dict.fromkeys(sorted(cells, key=lambda cell: cell.needs is not None))
    return list(found)


def _of_seed(table: Table, seed: int, choice: Choice) -> Iterator[Cell]:
    for block in table.blocks:
        for arm in block.arms:
            if not choice.presets or arm.preset in choice.presets:
                yield cell_of(block, arm, seed, choice)
