"""What there is to choose from: generators, recipes, classifiers; and what this machine offers."""

import shutil
from dataclasses import dataclass
from typing import Any

from synthaug._api.runtime import cores, make_fabric
from synthaug.augment.datasets.load import list_datasets
from synthaug.augment.files.cache import cache_folder
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.reports.pages import versions
from synthaug.generators.architectures import ARCHITECTURES
from synthaug.generators.checkpoint import GeneratorCard
from synthaug.generators.objectives import OBJECTIVES
from synthaug.generators.presets import PRESETS
from synthaug.generators.sampling import Synthesizer, shipped
from synthaug.generators.training.networks import build_networks

CLASSIFIERS = ("small-resnet (default)", "timm/<model>", "torchvision/<model>", "monai/<network>")


@dataclass(frozen=True)
class Preset:
    """A training recipe.

    Attributes:
        parameters: of generator and discriminator at 64 px, one channel and two classes.
    """

    name: str
    architecture: str
    objective: str
    paper: str
    parameters: tuple[int, int]
    config: dict[str, Any]


def shipped_generators() -> dict[str, GeneratorCard]:
    """The cards of the generators that come with synthaug, by name."""
    return {name: Synthesizer(name).card for name in shipped()}


def presets() -> list[Preset]:
    """The training recipes."""
    found = []
    for name, recipe in PRESETS.items():
        networks = build_networks(recipe.config, num_classes=2, image_size=64, channels=1)
        generator, discriminator = (sum(p.numel() for p in net.parameters()) for net in networks)
        config = recipe.config
        found.append(
            Preset(
                name,
                config.architecture,
                config.objective,
                recipe.paper,
                (generator, discriminator),
                vars(config),
            )
        )
    return found


def architectures() -> dict[str, dict[str, str]]:
    """Paper, and how the class enters, by name."""
    return {name: {"paper": one.paper, "label": one.label} for name, one in ARCHITECTURES.items()}


def objectives() -> dict[str, str]:
    """Papers by name."""
    return {name: one.paper for name, one in OBJECTIVES.items()}


def machine(options: ReadOptions = ReadOptions()) -> dict[str, Any]:
    """Versions, device, precision, cores, cache, and which data sets are found."""
    fabric = make_fabric("auto", "auto")
    root = options.data_root
    return {
        **versions(),
        "device": str(fabric.device),
        "precision": "bf16-mixed" if "bf16" in str(fabric.strategy.precision.precision) else "32-true",
        "cores": cores(),
        "cache": str(cache_folder()),
        "data root": str(root),
        "data sets found": ", ".join(row["name"] for row in list_datasets(options) if row["found"]) or "none",
        "shipped generators": ", ".join(shipped()),
        "dciodvfy (DICOM validator)": shutil.which("dciodvfy") or "not installed",
    }
