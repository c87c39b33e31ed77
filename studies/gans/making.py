"""A cell from its recipe to its stored numbers: `make` runs in a process of its own with one thread."""

import json
import platform
import time
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from cells import DEFAULT, Cell, Place, Record, alone, store, stored
from fitting import Pair, fit, make_images
from lightning_fabric import Fabric
from protocols import PROTOCOLS, Material, material, share_of
from safetensors import safe_open
from safetensors.torch import save_file
from scoring import ROUNDS, examples, score, yardstick

from synthaug._api.runtime import make_fabric
from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor
from synthaug.generators.checkpoint import GeneratorCard
from synthaug.generators.training.networks import build_networks
from synthaug.generators.training.transfer import Origin


@lru_cache(maxsize=1)
def one_thread() -> Fabric:
    """Fabric as the commands have it: bf16 where the hardware does."""
    torch.set_num_threads(1)
    return make_fabric("cpu", "auto")


def make(cell: Cell, place: Place) -> Record:
    """The cell's record; trained and scored unless it is stored."""
    if cell.needs is not None:
        make(cell.needs, place)
    with alone(place, cell):
        record = stored(cell, place)
        if record is None:
            record = made(cell, place, one_thread())
            store(cell, place, record)
    return record


def made(cell: Cell, place: Place, fabric: Fabric) -> Record:
    data = material(cell.data, place.data_root)
    labelled, rest = share_of(data.fit, cell.share) if cell.share < 1 else (data.fit, None)
    origin = origin_of(cell, place, data)
    config = origin.recipe(cell.config) if origin else cell.config
    if cell.keep < 1:
        assert cell.needs is not None
        pair = read_pair(cell.needs, place, data)
    else:
        judge = judge_of(cell, labelled, data, fabric)
        pair = fit(
            labelled,
            config,
            fabric,
            judge,
            cell.cpu_seconds,
            unlabelled=rest if cell.unlabelled else None,
            origin=origin,
        )
        if cell.keeps_networks:
            write_pair(cell, place, pair)
    start = time.process_time()
    yard = yardstick(cell.data, cell.extractors, place, fabric)
    prepared = time.process_time()
    synthetic = make_images(pair, yard.counts, data.fit.class_names, cell.seed, cell.keep)
    rows = score(cell, synthetic, yard, fabric)
    if cell.seed == 0:
        examples(synthetic, place.examples_of(cell))
        if not place.real_examples(cell.data).exists():
            examples(data.reference, place.real_examples(cell.data))
    images = {"fit": labelled, "judge": data.judge, "reference": data.reference}
    return {
        "cell": asdict(cell),
        "config": asdict(config),
        "data": {name: part.counts() for name, part in images.items()} | {"fit_sha256": labelled.digest()},
        "training": pair.facts,
        "scores": rows,
        "yardstick_cpu_seconds": prepared - start,
        "scoring_cpu_seconds": time.process_time() - prepared,
        "made_with": {
            "synthaug": version("synthaug"),
            "torch": torch.__version__,
            "precision": str(fabric.strategy.precision.precision),
            "threads": torch.get_num_threads(),
            "rounds": ROUNDS,
            "processor": processor(),
        },
    }


def processor() -> str:
    """Its name where the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def judge_of(cell: Cell, labelled: LabeledImages, data: Material, fabric: Fabric) -> SampleMonitor:
    """Looks with a classifier that was trained on the very images the generator has."""
    known = data.known
    train = labelled if len(known.class_names) == len(labelled.class_names) else known.train
    (extractor,) = extractors_for(
        ["domain"],
        Splits(train, known.val, known.test, f"{cell.data}, fit as"),
        fabric=fabric,
        steps=PROTOCOLS[cell.data].classifier_steps,
    )
    return SampleMonitor(data.judge, extractor, labelled)


def write_pair(cell: Cell, place: Place, pair: Pair) -> None:
    networks = {"generator": pair.generator, "discriminator": pair.discriminator}
    tensors = {
        f"{name}.{key}": tensor.contiguous().cpu().clone()
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    facts = {"size": pair.generator.size, "facts": pair.facts}
    with replacing(place.networks_of(cell)) as fresh:
        save_file(tensors, fresh, metadata={"facts": json.dumps(facts)})


def read_networks(cell: Cell, place: Place) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """Weights of both networks, and what `write_pair` noted of them."""
    with safe_open(place.networks_of(cell), framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    weights = {
        network: {k.removeprefix(f"{network}."): t for k, t in tensors.items() if k.startswith(f"{network}.")}
        for network in ("generator", "discriminator")
    }
    return weights, facts


def read_pair(cell: Cell, place: Place, data: Material) -> Pair:
    channels, side, _ = data.fit.image_shape
    weights, facts = read_networks(cell, place)
    networks = build_networks(
        cell.config, num_classes=len(data.fit.class_names), image_size=side, channels=channels
    )
    for network, name in zip(networks, ("generator", "discriminator"), strict=True):
        network.load_state_dict(weights[name])
        network.eval()
    return Pair(*networks, facts["facts"])


def origin_of(cell: Cell, place: Place, data: Material) -> Origin | None:
    """The generator that a cell starts from."""
    if not cell.init_from:
        return None
    assert cell.needs is not None
    names = material(cell.init_from, place.data_root).fit.class_names
    weights, facts = read_networks(cell.needs, place)
    card = GeneratorCard(names, facts["size"], cell.init_from, "", {}, cell.needs.config.architecture)
    return Origin(f"{DEFAULT} on {cell.init_from}", card, weights["generator"], weights["discriminator"])
