"""What an experiment is asked to do, in one record: each field is an option of `synthaug experiment` too."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthaug.augment.errors import UsageError
from synthaug.augment.options import option
from synthaug.augment.reading import ReadOptions

if TYPE_CHECKING:  # the command line's help needs no images
    from synthaug.augment.images import Splits
    from synthaug.evaluation.experiment.arms import Recipe
    from synthaug.evaluation.experiment.design import Design

RATIOS = (0.1, 0.25, 0.5, 0.75)  # tried where none are given
REST = "rest"  # of the training images, as unlabelled ones; a folder of that name is ./rest


def shares(texts: Sequence[str]) -> tuple[float, ...]:
    """Numbers from repeated or comma-separated texts: ["0.1,0.5", "1"] -> (0.1, 0.5, 1.0).

    Raises:
        UsageError: something is not a number above 0, at most 1.
    """
    try:
        numbers = tuple(float(part) for text in texts for part in str(text).split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number <= 1 for number in numbers):
        raise UsageError(f"{' '.join(map(str, texts))}: expected numbers above 0, at most 1, such as 0.1,0.5")
    return numbers


def counts(texts: Sequence[str]) -> tuple[int, ...]:
    """Whole numbers from repeated or comma-separated texts: ["5,10", "20"] -> (5, 10, 20).

    Raises:
        UsageError: something is not a whole number above 0.
    """
    parts = [part.strip() for text in texts for part in str(text).split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"{' '.join(map(str, texts))}: expected whole numbers above 0, such as 5,10")
    return tuple(map(int, parts))


@dataclass(frozen=True)
class ExperimentOptions:
    """What an experiment is asked to do.

    Of data sets (`dataset`, `donor`, `unlabelled`) it takes splits in memory too, of `synthetic` images.

    Attributes:
        dataset: a name or path.
        reading: how data sets are read.
    """

    dataset: Any
    scenario: str = option(
        "own", "own: generators learn from the labelled subset; donor: from others' images."
    )
    donor: Any = option(
        None, "The donor's data set; without it, part of the training patients.", type=str | None
    )
    donor_classes: tuple[str, ...] = option(
        (),
        "A class that the donor or --generator calls otherwise, as theirs=ours.",
        flag="--donor-class",
        parse_list=tuple,
    )
    rare_classes: tuple[str, ...] = option(
        (),
        "Cut a class's training images to a share, as CLASS=0.05: what if it were rare?",
        flag="--rare-class",
        parse_list=tuple,
    )
    donor_share: float = option(
        0.5, "Share of the training patients that is the donor's.", low=0.05, high=0.95
    )
    donors: int | None = option(
        None, "Donor splits, each with its own generator; 3 in the donor scenario.", low=1
    )
    unlabelled: Any = option(
        None,
        "More images, labels not used: a data set; or rest, the training images outside of the labelled "
        "subset (./rest is a folder).",
        type=str | None,
    )
    fractions: tuple[float, ...] = option(
        (), "Shares of the labelled data, such as 0.1,1.", parse_list=shares
    )
    labels_per_class: tuple[int, ...] = option(
        (), "Instead: labelled images of every class, such as 5,10.", parse_list=counts
    )
    ratios: tuple[float, ...] = option(
        RATIOS, "Synthetic shares of the blend; 0.1,0.25,0.5,0.75.", parse_list=shares
    )
    seeds: int = option(3, "Labelled subsets (per donor split).", low=1)
    inits: int = option(1, "Initial weights per labelled subset.", low=1)
    arms: str = option("full", "full: every classical arm and competitor; core: few.")
    reference: str | None = option(
        None,
        "The recipe without synthetic images to compare with, such as 'balanced + augmentation'; by default "
        "the one that validation images of the other subsets choose.",
    )
    looks: int = option(
        1, "Times that the verdict is read while --seeds grows: the error is divided among them.", low=1
    )
    preset: str = option("synthaug", "Recipe of the generators trained here.")
    generator: Any = option(None, "Use this generator instead of training any.", type=str | None)
    synthetic: Any = option(None, "Use these images instead of a generator.", type=Path | None)
    generator_steps: int = option(2000, "Updates of each generator.", low=1)
    steps: int = option(500, "Updates of each classifier, the same for every arm.", low=1)
    classifier: str = option("small-resnet", "small-resnet, timm/…, torchvision/… or monai/….")
    extractor: str = option("domain", "For fidelity: domain, inception, both, or none.")
    inception_weights: Path | None = option(None, "Inception weights file; else torch-fidelity's download.")
    device: str = option("auto", "auto, cpu, cuda or mps.")
    precision: str = option("auto", "auto, 32-true or bf16-mixed.")
    reading: ReadOptions = field(default_factory=ReadOptions)

    def resolved(self) -> "ExperimentOptions":
        """With the defaults that depend on other options, checked.

        Raises:
            UsageError: options that do not go together.
        """
        if self.fractions and self.labels_per_class:
            raise UsageError("--fractions and --labels-per-class: expected one of them")
        one_donor = self.scenario == "own" or self.donor or self.generator is not None
        one_donor = one_donor or self.synthetic is not None
        options = replace(
            self,
            fractions=tuple(self.fractions) or (() if self.labels_per_class else (1.0,)),
            labels_per_class=tuple(self.labels_per_class),
            ratios=tuple(self.ratios),
            donors=self.donors or (1 if one_donor else 3),
        )
        options.check()
        return options

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
        if self.scenario == "own" and (self.donor is not None or self.donor_splits > 1):
            raise UsageError("--donor, --donors: add --scenario donor")
        if not all("=" in pair for pair in self.donor_classes):
            raise UsageError(f"--donor-class {' '.join(self.donor_classes)}: expected theirs=ours")
        if self.donor_splits > 1 and (self.donor is not None or not self.has_donor):
            raise UsageError(
                "--donors with --donor, --generator or --synthetic: that is one donor, leave --donors out"
            )
        renames = self.donor is not None or self.generator is not None or self.synthetic is not None
        if self.donor_classes and not renames:
            raise UsageError(
                "--donor-class: add --donor, --generator or --synthetic, whose classes it renames"
            )
        cut = [text.rpartition("=")[0] for text in self.rare_classes]
        if len(set(cut)) < len(cut):
            raise UsageError(f"--rare-class {' '.join(self.rare_classes)}: expected each class once")
        self.reference_recipe  # noqa: B018 - raises
        self._check_unlabelled()

    def _check_unlabelled(self) -> None:
        """Raise `UsageError` where there are no unlabelled images, or nothing would learn from them."""
        rest = self.unlabelled == REST
        if rest and 1.0 in self.fractions:
            raise UsageError(
                "--unlabelled rest with --fractions 1: all training images are labelled there, expected "
                "fractions below 1 or --labels-per-class"
            )
        to_generator = self.trains_generators and not (self.scenario == "donor" and rest)
        if self.unlabelled is not None and self.arms == "core" and not to_generator:
            raise UsageError(
                f"--unlabelled {self.unlabelled} with --arms core: no generator learns from them and the "
                "competitor that does is left out, expected --arms full"
            )

    def with_rare_classes(self, splits: "Splits") -> "Splits":
        """The data set, a class of its training images cut to a share where `rare_classes` asks for it.

        Raises:
            UsageError, DataError: no such class, no such share, or too few images.
        """
        from synthaug.augment.splits import with_rare_class

        for text in self.rare_classes:
            name, _, share = text.rpartition("=")
            if not share.replace(".", "", 1).isdigit():
                raise UsageError(f"--rare-class {text}: expected CLASS=SHARE, such as malignant=0.05")
            splits = replace(splits, train=with_rare_class(splits.train, name, float(share)))
        return splits

    @property
    def reference_recipe(self) -> "Recipe | None":
        """The recipe that was chosen beforehand, or None.

        Raises:
            UsageError: no such recipe among the arms.
        """
        from synthaug.evaluation.experiment.arms import recipe_named

        return None if self.reference is None else recipe_named(self.reference, self.arms)

    @property
    def donor_splits(self) -> int:
        """Donors, each with its own generator."""
        return self.donors or 1

    @property
    def shows_every_label(self) -> bool:
        """Whether no training image's label is hidden."""
        return self.fractions == (1.0,) and not self.labels_per_class and not self.rare_classes

    @property
    def other_unlabelled(self) -> Any:
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
        """Plain values, without what was not given: for config.toml and the report."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "reading"}
        values |= {"size": self.reading.size, "channels": self.reading.channels}
        values |= {"split_seed": self.reading.split_seed, "reading": self.reading.as_config() or None}
        return {name: _plain(value) for name, value in values.items() if value is not None}

    @property
    def design(self) -> "Design":
        """What everything is repeated over."""
        from synthaug.evaluation.experiment.design import Amount, Design

        amounts = [Amount(share) for share in self.fractions]
        amounts += [Amount(n, per_class=True) for n in self.labels_per_class]
        return Design(tuple(amounts), self.seeds, self.inits, self.donor_splits)


def _plain(value: Any) -> Any:
    """A value as TOML and JSON have it; data in memory by name."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str | int | float | dict):
        return value
    if isinstance(value, Path):
        return str(value)
    return f"{getattr(value, 'name', 'images')} (in memory)"
