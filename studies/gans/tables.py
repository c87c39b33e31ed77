"""Which trainings make which table. A table is one entry in TABLES; cells that tables share are made once."""

from dataclasses import dataclass, replace
from typing import Any

from synthaug.generators.presets import PRESETS

DEFAULT = "synthaug"
LONG = 9  # times the process time of the other tables; without bf16 that is some three times the images
LONG_SMALL = 3  # at 28 px
LONG_FEW = 6  # where images are few, until they are learnt by heart
ORIGINS = {"pneumoniamnist": "chestmnist"}  # radiographs of the same size
WITHOUT_DIFFAUGMENT: tuple[tuple[str, Any], ...] = (("diffaugment", ()),)


@dataclass(frozen=True)
class Arm:
    """A row: a preset, or the default with something changed.

    Attributes:
        share: of the fit images, by class.
        overrides: fields of GANConfig that differ from the preset.
        unlabelled: the rest of the fit images goes in without labels.
        init_from: a data set whose own cell is started from.
    """

    label: str
    preset: str = DEFAULT
    share: float = 1.0
    overrides: tuple[tuple[str, Any], ...] = ()
    unlabelled: bool = False
    init_from: str = ""


@dataclass(frozen=True)
class Block:
    """Rows on one data set, under one heading.

    Attributes:
        times: the data set's process time that every row has.
    """

    data: str
    heading: str
    arms: tuple[Arm, ...]
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
    Arm("with noise from 16 px", overrides=(("noise_from", 16),)),
)
FEW = Arm(DEFAULT, share=0.1), Arm("without DiffAugment", share=0.1, overrides=WITHOUT_DIFFAUGMENT)


def goal_blocks(data: str, heading: str) -> tuple[Block, Block]:
    return (
        Block(data, heading, of_presets(DEFAULT, *(n for n in PRESETS if n != DEFAULT))),
        Block(data, f"{heading}, 10 % of the data", FEW),
    )


WITHOUT = {
    "averaged weights": ("ema_halflife", 0.0),
    "balanced batches": ("balanced", False),
    "R1": ("r1", 0.0),
}


def ablation_block(data: str, heading: str) -> Block:
    """At 10 % of the data: each thing that is on, off; each that is off, on."""
    few, _ = FEW
    arms = [*FEW, *(replace(few, label=f"without {what}", overrides=(off,)) for what, off in WITHOUT.items())]
    arms.append(replace(few, label="with the other 90 % unlabelled", unlabelled=True))
    if origin := ORIGINS.get(data):
        arms.append(replace(few, label=f"started from {origin}", init_from=origin))
    return Block(data, heading, tuple(arms))


MEDNIST, PNEUMONIA = "MedNIST, 64 px", "PneumoniaMNIST, 28 px"
PNEUMONIA_FEW = f"{PNEUMONIA}, 10 % of the data"
CHEST_PRESETS = of_presets("vanilla", "wgan", "dcgan", DEFAULT)
TABLES = {
    "goal": Table(
        "The default against every preset",
        (*goal_blocks("mednist", MEDNIST), *goal_blocks("pneumoniamnist", PNEUMONIA)),
    ),
    "goal-long": Table(
        "The default for longer: against other presets, and without DiffAugment",
        (
            Block("mednist", f"{MEDNIST}, {LONG} times as long", of_presets(DEFAULT, "wgan-gp"), LONG),
            Block(
                "pneumoniamnist",
                f"{PNEUMONIA}, {LONG_SMALL} times as long",
                of_presets(DEFAULT, "wgan-gp", "wgan", "medgan"),
                LONG_SMALL,
            ),
            Block("pneumoniamnist", f"{PNEUMONIA_FEW}, {LONG_FEW} times as long", FEW, LONG_FEW),
        ),
    ),
    "mednist": Table(
        "MedNIST, six classes", (Block("mednist", MEDNIST, of_presets("wgan", "wgan-gp", "lsgan", DEFAULT)),)
    ),
    "chestmnist": Table(
        "ChestMNIST layout, normal and abnormal",
        (Block("chestmnist", "ChestX-ray14 piece, 28 px", of_presets("lsgan", "wgan", "wgan-gp", DEFAULT)),),
    ),
    "mednist-three": Table(
        "MedNIST hand, breast MRI and abdomen CT: which metric orders generators rightly",
        (Block("mednist-three", "Three classes, 64 px", of_presets("monai", "progressive", DEFAULT)),),
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
            Block("chest-xray-folder", "ChestX-ray14 piece, 64 px", CHEST_PRESETS),
            Block("chest-xray-pneumonia", "Paediatric pneumonia, 128 px", CHEST_PRESETS),
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
