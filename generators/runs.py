"""A run's folder from first byte to last: configuration, training, the finished generator."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w
from lightning_fabric import Fabric

from synthaug.augment.errors import DataError, GateError, UsageError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.fingerprint import SeenImages
from synthaug.augment.images import LabeledImages
from synthaug.augment.jpeg import usual_qualities
from synthaug.generators.checkpoint import GeneratorCard, save_generator
from synthaug.generators.config import BEFORE, GANConfig
from synthaug.generators.sampling import Synthesizer, collect
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.loop import train_generator
from synthaug.generators.training.monitor import SampleMonitor
from synthaug.generators.training.transfer import Origin


@dataclass(frozen=True)
class Source:
    """What a generator was trained on.

    Attributes:
        data, licence: in words, for its card.
        dataset, split_seed, reading: how to find the images again, for the run's own config.toml only: a path
            may name its owner.
    """

    data: str
    licence: str
    dataset: str = ""
    split_seed: int = 0
    reading: Mapping[str, Any] = field(default_factory=dict)

    def after(self, card: GeneratorCard) -> "Source":
        """This source for a generator that went on from another one: its images and licence count too."""
        licences = dict.fromkeys([self.licence, card.licence])
        return replace(
            self, data=f"{self.data}; started from {card.data}", licence="; ".join(filter(None, licences))
        )


def train_run(
    images: LabeledImages,
    source: Source,
    config: GANConfig,
    run: Path,
    *,
    fabric: Fabric,
    sample_monitor: SampleMonitor | None = None,
    unlabelled: LabeledImages | None = None,
    origin: Origin | None = None,
    resume: bool = False,
    minutes: float | None = None,
    cpu_seconds: float | None = None,
) -> GANTraining:
    """Train into `run` and write `generator.safetensors`, also when the training was stopped early.

    The file remembers every image that went into it: labelled, unlabelled, and those of its origin.

    Raises:
        UsageError: `resume` with another configuration or other images than the run was started with.
        DataError: see `train_generator`; or `config.toml` is not what this function wrote.
    """
    path = run / "config.toml"
    stored = _stored(path) if resume and path.exists() else {}
    if older := {name: value for name, value in BEFORE.items() if stored and name not in stored}:
        config, stored = replace(config, **older), stored | older
    facts = _as_toml(config, source, images, fabric)
    facts["source"] |= {  # always written, so that a resumed run can neither lose nor gain one
        "unlabelled_sha256": "" if unlabelled is None else unlabelled.digest(),
        "init_from": "" if origin is None else origin.card.sha256,
        "watched": sample_monitor is not None,
    }
    if stored:
        _same_but_longer(path, stored, facts)
    with replacing(path) as fresh:
        fresh.write_text(tomli_w.dumps(facts))
    generator = run / "generator.safetensors"
    try:
        training = train_generator(
            images,
            config,
            run,
            fabric=fabric,
            sample_monitor=sample_monitor,
            unlabelled=unlabelled,
            origin=origin,
            resume=resume,
            minutes=minutes,
            cpu_seconds=cpu_seconds,
        )
    except GateError:
        generator.unlink(missing_ok=True)  # of an earlier stop: nobody should take it for the result
        raise
    seen = SeenImages.of(images)
    if unlabelled is not None:
        seen |= SeenImages.of(unlabelled)
    if origin is not None:
        seen |= origin.card.training_images
        source = source.after(origin.card)
    kept = training.monitor.best_step or training.steps_done
    card = GeneratorCard(
        class_names=images.class_names,
        size=training.ema.size,
        data=source.data,
        licence=source.licence,
        config=asdict(config) | {"steps_done": training.steps_done, "steps_kept": kept},
        architecture=config.architecture,
        jpeg=tuple(usual_qualities(images).tolist()),
    )
    save_generator(generator, training.finished(), seen, card)
    return training


@dataclass(frozen=True)
class GeneratorTrainer:
    """Trains a generator on given images and synthesises from it; picklable.

    Each set of images has its own run folder, and a training that was stopped there goes on.

    Attributes:
        config: its seed is the caller's.
        run: the folder of the run folders.
        name: of the data set.
        monitor_for: the sample monitor for given training images; it must not use labels that an experiment
            hides.
    """

    config: GANConfig
    run: Path
    name: str
    make_fabric: Callable[[], Fabric]
    monitor_for: Callable[[LabeledImages], SampleMonitor | None] | None = None

    def folder(self, real: LabeledImages, seed: int) -> Path:
        """The run folder of the generator that learns from these images."""
        return self.run / f"generator-n{len(real)}-seed{seed}"

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        """wanted[label] images of every class."""
        folder, fabric = self.folder(real, seed), self.make_fabric()
        more = "" if unlabelled is None else f" and {len(unlabelled)} unlabelled ones"
        words = f"{self.name}: {len(real)} training images{more}, subset seed {seed}"
        source = Source(words, "as the data set")
        training = train_run(
            real,
            source,
            replace(self.config, seed=seed),
            folder,
            fabric=fabric,
            sample_monitor=self.monitor_for(real) if self.monitor_for else None,
            unlabelled=unlabelled,
            resume=(folder / "checkpoints" / "last.safetensors").exists(),
        )
        if training.steps_done < self.config.steps:  # SIGINT or SIGTERM: a half-trained one must not go on
            raise KeyboardInterrupt
        return collect(Synthesizer(folder, str(fabric.device)), wanted, seed)


def _as_toml(config: GANConfig, source: Source, images: LabeledImages, fabric: Fabric) -> dict[str, Any]:
    known = {name: value for name, value in asdict(source).items() if name != "reading" or value}
    generator = asdict(config) | {"diffaugment": list(config.diffaugment)}  # TOML has lists, no tuples
    return {
        "generator": generator,
        "source": known | {"images_sha256": images.digest()},
        "precision": str(fabric.strategy.precision.precision),
    }


def _stored(path: Path) -> dict[str, Any]:
    """The configuration that a run was started with, without its sections."""
    try:
        return _flat(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected the configuration of a run, found {error}") from None


def _same_but_longer(path: Path, stored: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuse to resume with anything changed but `steps`, or where the same images were found."""
    free = ("steps", "dataset", "split_seed")
    changed = [key for key, value in _flat(asked).items() if key not in free and stored.get(key) != value]
    if changed:
        raise UsageError(f"--resume: {', '.join(changed)} differ from {path}: resume with the same options")


def _flat(facts: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat
