"""What `synthaug experiment` is asked to do, in one record."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions

if TYPE_CHECKING:
    from synthaug.augment.images import Splits
    from synthaug.evaluation.experiment.design import Design


RATIOS = (0.1, 0.25, 0.5, 0.75)  # tried where none are said, and by `train-classifier --synthetic-ratio auto`
REST = "rest"  # of the training images, as unlabelled ones; a folder of that name is ./rest


@dataclass(frozen=True)
class ExperimentOptions:
    """What an experiment is asked to do; the flags of `synthaug experiment` say what each means."""

    dataset: str
    scenario: str = "own"
    donor: str | None = None
    donor_classes: tuple[str, ...] = ()
    donor_share: float = 0.5
    donors: int = 1
    rare_classes: tuple[str, ...] = ()
    unlabelled: str | None = None
    fractions: tuple[float, ...] = (1.0,)
    labels_per_class: tuple[int, ...] = ()
    ratios: tuple[float, ...] = RATIOS
    seeds: int = 3
    inits: int = 1
    arms: str = "full"
    preset: str = "synthaug"
    generator: str | None = None
    synthetic: Path | None = None
    generator_steps: int = 2000
    steps: int = 500
    classifier: str = "small-resnet"
    extractor: str = "domain"
    inception_weights: Path | None = None
    reading: ReadOptions = ReadOptions()
    device: str = "auto"
    precision: str = "auto"

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together."""
        if self.scenario not in ("own", "donor"):
            raise UsageError(f"--scenario {self.scenario}: expected own or donor")
        if self.arms not in ("core", "full"):
            raise UsageError(f"--arms {self.arms}: expected core or full")
        if self.generator is not None and self.synthetic is not None:
            raise UsageError(
                "--generator and --synthetic: expected one of them, or none to train a generator"
            )
        if self.scenario == "own" and (self.donor is not None or self.donors > 1):
            raise UsageError("--donor, --donors: add --scenario donor")
        if not all("=" in pair for pair in self.donor_classes):
            raise UsageError(f"--donor-class {' '.join(self.donor_classes)}: expected theirs=ours")
        if self.donors > 1 and (self.donor is not None or not self.has_donor):
            raise UsageError(
                "--donors with --donor, --generator or --synthetic: that is one donor, leave --donors out"
            )
        if self.donor_classes and not (self.donor or self.generator or self.synthetic):
            raise UsageError(
                "--donor-class: add --donor, --generator or --synthetic, whose classes it renames"
            )
        cut = [said.rpartition("=")[0] for said in self.rare_classes]
        if len(set(cut)) < len(cut):
            raise UsageError(f"--rare-class {' '.join(self.rare_classes)}: expected each class once")
        self._check_unlabelled()

    def _check_unlabelled(self) -> None:
        """Raise `UsageError` where there are no unlabelled images, or nothing would learn from them."""
        if self.unlabelled == REST and 1.0 in self.fractions:
            raise UsageError(
                "--unlabelled rest with --fractions 1: all training images are labelled there, expected "
                "fractions below 1 or --labels-per-class"
            )
        to_generator = self.trains_generators and not (self.scenario == "donor" and self.unlabelled == REST)
        if self.unlabelled is not None and self.arms == "core" and not to_generator:
            raise UsageError(
                f"--unlabelled {self.unlabelled} with --arms core: no generator learns from them and the "
                "competitor that does is left out, expected --arms full"
            )

    def with_rare_classes(self, splits: "Splits") -> "Splits":
        """The data set, a class of its training images cut to a share where `--rare-class` asks for it.

        Raises:
            UsageError, DataError: no such class, no such share, or too few images.
        """
        from dataclasses import replace

        from synthaug.augment.splits import with_rare_class

        for said in self.rare_classes:
            name, _, share = said.rpartition("=")
            if not share.replace(".", "", 1).isdigit():
                raise UsageError(f"--rare-class {said}: expected CLASS=SHARE, such as malignant=0.05")
            splits = replace(splits, train=with_rare_class(splits.train, name, float(share)))
        return splits

    @property
    def shows_every_label(self) -> bool:
        """Whether no training image's label is hidden."""
        return self.fractions == (1.0,) and not self.labels_per_class and not self.rare_classes

    @property
    def other_unlabelled(self) -> str | None:
        """The data set of unlabelled images, where they are not those of `dataset` itself."""
        return None if self.unlabelled == REST else self.unlabelled

    @property
    def has_donor(self) -> bool:
        """Whether a donor's images are here, not only a generator or images that somebody made of them."""
        return self.scenario == "donor" and (self.donor is not None or self.trains_generators)

    @property
    def trains_generators(self) -> bool:
        """Whether generators are trained here, instead of one, or images, made elsewhere."""
        return self.generator is None and self.synthetic is None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what was not said: for config.toml and the report."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        plain |= {name: getattr(self.reading, name) for name in ("size", "channels", "split_seed")}
        plain["reading"] = self.reading.as_config() or None
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items() if v is not None}

    @property
    def design(self) -> "Design":
        """What everything is repeated over."""
        from synthaug.evaluation.experiment.design import Amount, Design

        amounts = [Amount(share) for share in self.fractions]
        amounts += [Amount(n, per_class=True) for n in self.labels_per_class]
        return Design(tuple(amounts), self.seeds, self.inits, self.donors)
