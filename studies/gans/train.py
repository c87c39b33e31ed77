"""A cell from its recipe to its stored numbers, by the product's own training, on one thread."""

import json
import platform
import time
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from cells import Cell, Place, Record
from filelock import FileLock
from lightning_fabric import Fabric
from protocols import PROTOCOLS, Material, material, share_of
from scoring import ROUNDS, in_order, score, yardstick

from synthaug._api.runtime import make_fabric
from synthaug.augment.errors import GateError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import LabeledImages, Splits
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor
from synthaug.generators.config import GANConfig
from synthaug.generators.runs import Source, train_run
from synthaug.generators.sampling import Synthesizer, collect
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.transfer import Origin

LOOKS = 12
GROWN = 0.95  # of the budget: when a network that grows is planned to be done
SHOWN = 8  # images of each class that are kept for the pictures


@lru_cache(maxsize=1)
def one_thread() -> Fabric:
    """Fabric as the commands have it: bf16 where the hardware does."""
    torch.set_num_threads(1)
    return make_fabric("cpu", "auto")


def make(cell: Cell, place: Place) -> Record:
    """The cell's record; trained and scored unless it is stored."""
    if cell.needs is not None:
        make(cell.needs, place)
    folder = place.folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        record = place.stored(cell)
        if record is None:
            record = made(cell, place, one_thread())
            with replacing(folder / "record.json") as fresh:
                fresh.write_text(json.dumps(record))
    return record


def made(cell: Cell, place: Place, fabric: Fabric) -> Record:
    data = material(cell.data, place.data_root)
    labelled, rest = share_of(data.fit, cell.share) if cell.share < 1 else (data.fit, None)
    unlabelled = rest if cell.unlabelled else None
    origin = None
    if cell.needs is not None:
        origin = Origin.read(place.folder(cell.needs) / "run" / "generator.safetensors")
    config = origin.recipe(cell.config) if origin else cell.config
    config = planned(labelled, config, fabric, cell.cpu_seconds, unlabelled)
    run = place.folder(cell) / "run"
    training, note = None, ""
    try:
        training = train_run(
            labelled,
            Source(f"{cell.data}, fit", "as the data set"),
            config,
            run,
            fabric=fabric,
            sample_monitor=monitor_of(cell, labelled, data, fabric),
            unlabelled=unlabelled,
            origin=origin,
            cpu_seconds=cell.cpu_seconds,
        )
    except GateError as error:
        note = str(error)
    batch = config.batch_size * (1.5 if unlabelled is not None else 1) * config.discriminator_steps
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    looks = [line for line in log if "kid" in line]
    steps = looks[-1]["step"] if looks else 0
    record: Record = {
        "cell": asdict(cell),
        "config": asdict(config),
        "data": {
            n: i.counts() for n, i in zip(("judge", "reference"), (data.judge, data.reference), strict=True)
        },
        "training": {
            "cpu_seconds": looks[-1]["cpu_seconds"] if looks else 0,
            "steps": steps,
            "images_seen": int(steps * batch),
            "best_step": training.monitor.best_step if training else 0,
            "looks": looks,
            "note": note,
        },
        "scores": [],
        "made_with": made_with(fabric),
    }
    record["data"] |= {"fit": labelled.counts(), "fit_sha256": labelled.digest()}
    if training is None:  # it diverged twice: there is no generator
        return record
    networks = {"generator": training.ema, "discriminator": training.discriminator.module}
    for name, network in networks.items():
        record["training"][f"{name}_parameters"] = sum(p.numel() for p in network.parameters())
    yard = yardstick(cell.data, cell.extractors, place, fabric)
    start = time.process_time()
    synthetic = collect(Synthesizer(run), yard.counts, seed=cell.seed)
    record["scores"] = score(cell, synthetic, yard, fabric)
    record["scoring_cpu_seconds"] = time.process_time() - start
    keep_some(synthetic, place.folder(cell) / "examples.npz")
    keep_some(data.reference, place.work / f"real-{cell.data}.npz")
    return record


def planned(
    images: LabeledImages,
    config: GANConfig,
    fabric: Fabric,
    cpu_seconds: float,
    unlabelled: LabeledImages | None,
) -> GANConfig:
    """The recipe with twelve looks in its budget, from the cost of steps spread over a throwaway training.

    The budget ends the training, but for networks that grow: their growth is spread over `steps`.
    """
    trial = GANTraining(images, replace(config, steps=1000), fabric, unlabelled)
    trial.step()  # the first pays for what is set up once
    seconds = []
    for trial.steps_done in (100, 300, 500, 700, 900, 100, 300, 500, 700, 900):
        start = time.process_time()
        trial.step()
        seconds.append(time.process_time() - start)
    affordable = cpu_seconds / np.minimum(seconds[:5], seconds[5:]).mean()
    steps = affordable * (GROWN if config.architecture == "progressive" else 2)
    return replace(config, steps=max(1, int(steps)), interval=max(1, int(affordable / LOOKS)))


def monitor_of(cell: Cell, labelled: LabeledImages, data: Material, fabric: Fabric) -> SampleMonitor:
    """Looks with a classifier that was trained on the very images the generator has."""
    known = data.known
    train = labelled if len(known.class_names) == len(labelled.class_names) else known.train
    real = Splits(train, known.val, known.test, f"{cell.data}, fit as")
    steps = PROTOCOLS[cell.data].classifier_steps
    (extractor,) = extractors_for(["domain"], real, fabric=fabric, steps=steps)
    return SampleMonitor(data.judge, extractor, labelled)


def keep_some(images: LabeledImages, path: Path) -> None:
    few = in_order(images, [SHOWN] * len(images.class_names))
    with replacing(path) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, pixels=few.pixels, labels=few.labels)


def made_with(fabric: Fabric) -> Record:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "synthaug": version("synthaug"),
        "torch": torch.__version__,
        "precision": str(fabric.strategy.precision.precision),
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "processor": names[0] if names else platform.machine(),
    }
