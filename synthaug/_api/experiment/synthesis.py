"""Where an experiment's synthetic images come from: a file, a generator made before, or one trained for it.

All of them can be pickled: an experiment's processes call them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightning_fabric import Fabric

from synthaug.augment.errors import UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.splits import carve_validation
from synthaug.evaluation.experiment.unlabelled import without
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.monitor import SampleMonitor, can_monitor, sample_monitor_for
from synthaug.generators.runs import GeneratorTrainer
from synthaug.generators.sampling import Synthesizer, collect_for

HELD_OUT = 0.1  # of a donor's images, to judge its generator by
JUDGE_STEPS = 300


@dataclass(frozen=True, eq=False)
class FromFile:
    """The same images for everyone."""

    pool: LabeledImages

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        """All of them; an arm that wants more says so."""
        return self.pool


@dataclass(frozen=True)
class FromGenerator:
    """Images of a generator that knows nothing of the images it is given.

    Attributes:
        class_names: of the recipient.
        ours: the recipient's names of classes that the generator calls otherwise.
    """

    generator: str | Path
    class_names: tuple[str, ...]
    device: str
    ours: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        """wanted[label] images of every class."""
        theirs = {here.lower(): there for there, here in self.ours.items()}
        asked = tuple(theirs.get(name.lower(), name) for name in self.class_names)
        return with_names(
            collect_for(Synthesizer(self.generator, self.device), asked, wanted, seed), self.ours
        )


def with_names(images: LabeledImages, ours: Mapping[str, str]) -> LabeledImages:
    """The images with other names for some classes.

    Args:
        ours: new names by old ones.

    Raises:
        UsageError: there is no class of an old name.
    """
    ours = {name.lower(): new for name, new in ours.items()}
    if unknown := set(ours) - {name.lower() for name in images.class_names}:
        raise UsageError(
            f"--donor-class {', '.join(sorted(unknown))}: the donor has {', '.join(images.class_names)}, "
            "expected one of them"
        )
    return replace(images, class_names=tuple(ours.get(name.lower(), name) for name in images.class_names))


@dataclass(frozen=True, eq=False)
class JudgeOfSubset:
    """Looks at a generator's samples beside validation images, in features learnt from its own images."""

    splits: Splits
    make_fabric: Callable[[], Fabric]
    steps: int

    def __call__(self, real: LabeledImages) -> SampleMonitor | None:
        """The judge of a generator that learns from `real`; None where there are too few images for one."""
        known = replace(self.splits, train=real)
        if not can_monitor(known):
            return None
        found = extractors_for(
            ["domain"], known, fabric=self.make_fabric(), steps=min(JUDGE_STEPS, self.steps)
        )
        return sample_monitor_for(known, found[0])


@dataclass(frozen=True, eq=False)
class DonorGenerator:
    """Trained by a donor on images of its own, and judged by others of its own: the recipient lends none."""

    own: GeneratorTrainer
    steps: int

    def __call__(
        self, real: LabeledImages, wanted: list[int], seed: int, unlabelled: LabeledImages | None = None
    ) -> LabeledImages:
        """wanted[label] images of every class."""
        train, held_out = carve_validation(real, HELD_OUT, seed)
        known = Splits(train, held_out, held_out.take([]), f"{self.own.name}, donor {seed}")
        judged = replace(self.own, monitor_for=JudgeOfSubset(known, self.own.make_fabric, self.steps))
        more = None if unlabelled is None else without(unlabelled, held_out)
        more = more if more is not None and len(more) else None
        return judged(train, wanted, seed, more)
