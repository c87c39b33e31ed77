"""Training a class-conditional generator on the training split of a data set."""

import logging
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from synthaug._api.generator import Generator, TrainedGenerator
from synthaug._api.load import Data, as_training_splits, read_options
from synthaug._api.runtime import make_fabric
from synthaug._api.temporary import TemporaryFolder
from synthaug.augment.datasets.load import licence_of, load_dataset, options_for
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import OnProgress, reporting_to
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import matching
from synthaug.evaluation.experiment.unlabelled import unlabelled as without_held_out
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor, can_monitor, sample_monitor_for
from synthaug.generators.config import GANConfig
from synthaug.generators.presets import preset as preset_named
from synthaug.generators.runs import Source, train_run
from synthaug.generators.sampling import find_generator
from synthaug.generators.training.diffaugment import policy
from synthaug.generators.training.gan import check_images
from synthaug.generators.training.networks import check_recipe
from synthaug.generators.training.transfer import Origin

log = logging.getLogger("synthaug")


def train_generator(
    data: Data,
    *,
    preset: str = "synthaug",
    out: str | Path | None = None,
    minutes: float | None = None,
    unlabelled: Data | None = None,
    init_from: str | Path | Generator | None = None,
    monitor: bool = True,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
    **options: Any,
) -> TrainedGenerator:
    """Train a class-conditional generator; it sees the training split only.

    Args:
        data: what `load` takes, or splits in memory.
        preset: a recipe (`synthaug models` lists them).
        out: run folder for configuration, log, samples and checkpoints; None: a temporary one, deleted with
            the returned object.
        minutes: stop after this much wall time, if the steps are not done; the steps reached are recorded.
        unlabelled: more images for the discriminator, a data set in memory or by name; labels are not used.
            Images of patients who validate or test here, their look-alikes and synthetic ones are left out.
        init_from: a generator to start from.
        monitor: compare samples with validation images as the training runs: undo a collapse, keep the best
            weights.
        seed: of every random number.
        resume: go on from the last checkpoint in `out`, to the weights of a training that was never stopped.
        overwrite: replace what stands at `out`.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "32-true" or "bf16-mixed".
        **options: fields of `synthaug.generators.config.GANConfig` in place of the preset's (steps,
            batch_size, width, generator_lr, discriminator_lr, r1, diffaugment, …), and reading options (see
            `load`).

    Raises:
        UsageError: a recipe that cannot work, or `out` is taken.
        DataError: images that no training can take.
        GateError: the training diverged or collapsed twice.
    """
    with reporting_to(on_progress):
        recipe = {name: options.pop(name) for name in RECIPE if name in options}
        plan = plan_training(
            data,
            preset=preset,
            out=None if out is None else Path(out),
            minutes=minutes,
            unlabelled=unlabelled,
            init_from=init_from,
            monitor=monitor,
            resume=resume,
            overwrite=overwrite,
            device=device,
            precision=precision,
            options=read_options(options),
            recipe={"seed": seed, **recipe},
        )
        return plan.run()


RECIPE = tuple(field.name for field in fields(GANConfig) if field.name != "seed")


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """A training with all it needs, not begun yet.

    Attributes:
        splits: the data; `unlabelled` are more images for the discriminator, without anybody held out.
        left_out: unlabelled images that are held out here, or synthetic.
    """

    splits: Splits
    config: GANConfig
    out: Path | None
    licence: str
    unlabelled: LabeledImages | None = None
    left_out: int = 0
    origin: Origin | None = None
    monitor: bool = True
    minutes: float | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    precision: str = "auto"

    @property
    def shape(self) -> str:
        """Of an image: channels × height × width."""
        return "×".join(str(n) for n in self.splits.train.image_shape)

    def run(self) -> TrainedGenerator:
        """Train; see `train_generator`."""
        check_images(self.splits.train)
        if self.origin is not None:
            self.origin.refuse_misfit(self.splits.train, self.config)
        fabric = make_fabric(self.device, self.precision)
        sample_monitor: SampleMonitor | None = None
        if self.monitor and not can_monitor(self.splits):
            log.warning("too few classes or validation images to monitor samples: the last weights are kept")
        elif self.monitor:
            domain = extractors_for(["domain"], self.splits, fabric=fabric)[0]
            sample_monitor = sample_monitor_for(self.splits, domain)
        temporary = TemporaryFolder() if self.out is None else None
        folder = temporary.path / "run" if temporary else self.out
        assert folder is not None
        if self.overwrite and folder.exists() and not self.resume:
            shutil.rmtree(folder)
        training = train_run(
            self.splits.train,
            self._source(),
            self.config,
            folder,
            fabric=fabric,
            sample_monitor=sample_monitor,
            unlabelled=self.unlabelled,
            origin=self.origin,
            resume=self.resume,
            minutes=self.minutes,
        )
        return TrainedGenerator(
            folder,
            self.splits,
            self.config,
            steps_done=training.steps_done,
            best_step=training.monitor.best_step,
            rollbacks=training.monitor.rollbacks,
            temporary=temporary,
        )

    def _source(self) -> Source:
        """What the generator's card and the run's configuration say of the data."""
        words = f"{self.splits.name} train split, {len(self.splits.train)} images {self.shape}"
        known = self.splits.source
        if known is None:
            return Source(words, self.licence)
        spec, options = known.spec, known.options
        place = str(Path(spec).absolute()) if Path(spec).exists() else spec
        return Source(words, self.licence, place, options.split_seed, options.as_config())


def plan_training(
    data: Data,
    *,
    preset: str = "synthaug",
    out: Path | None = None,
    minutes: float | None = None,
    unlabelled: Data | None = None,
    init_from: str | Path | Generator | None = None,
    monitor: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "auto",
    options: ReadOptions = ReadOptions(),
    recipe: dict[str, Any] | None = None,
) -> TrainingPlan:
    """Read the data and check what can be checked before the work; see `train_generator`.

    Args:
        recipe: fields of `GANConfig` in place of the preset's.

    Raises:
        UsageError, DataError: see `train_generator`.
    """
    chosen = {name: value for name, value in (recipe or {}).items() if value is not None}
    if isinstance(chosen.get("diffaugment"), str):
        chosen["diffaugment"] = policy(chosen["diffaugment"])
    start = init_from.path if isinstance(init_from, Generator) else init_from
    origin = None if start is None else Origin.read(find_generator(start))
    config = preset_named(preset)
    config = replace(config if origin is None else origin.recipe(config), **chosen)
    check_recipe(config)
    if resume and (out is None or not out.exists()):
        raise UsageError(f"--resume: no run at {out}, leave --resume out to start one")
    if out is not None and not resume:
        refuse_existing(out, overwrite)
    spec, other = (None if isinstance(one, Splits | None) else str(one) for one in (data, unlabelled))
    splits = as_training_splits(data, options if spec is None else options_for(options, spec, other))
    more, left_out = None, 0
    if unlabelled is not None:
        others = (spec,) if other is not None else ()
        theirs = options if other is None else options_for(options, other, *others)
        more, left_out = _unlabelled(unlabelled, splits, theirs)
    return TrainingPlan(
        splits,
        config,
        out,
        licence_of(spec if spec is not None else splits.source.spec if splits.source else ""),
        more,
        left_out,
        origin,
        monitor,
        minutes,
        resume,
        overwrite,
        device,
        precision,
    )


def _unlabelled(data: Data, splits: Splits, options: ReadOptions) -> tuple[LabeledImages, int]:
    """Training images of another data set that nobody validates or tests on here, and how many do."""
    if isinstance(data, Splits):
        images = data.train
    else:
        channels, side, _ = splits.train.image_shape
        images = load_dataset(str(data), replace(options, size=side, channels=channels)).train
    images = matching(images, splits.train)
    kept = without_held_out(images, splits)
    if not len(kept):
        name = data.name if isinstance(data, Splits) else data
        raise DataError(f"--unlabelled {name}: all {len(images)} images validate or test {splits.name}")
    return kept, len(images) - len(kept)
