"""What an experiment repeats its arms over: donors, amounts of labels, labelled subsets, initial weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from synthaug.augment.errors import UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.splits import few_of_each_class, labelled_subset


@dataclass(frozen=True, order=True)
class Amount:
    """How much of the recipient's training images is labelled.

    Attributes:
        value: a share in (0, 1], or a number of images.
        per_class: the value is a number of images of every class.
    """

    value: float
    per_class: bool = False

    def __post_init__(self) -> None:
        if self.per_class and not (self.value >= 1 and float(self.value).is_integer()):
            raise UsageError(f"{self.value:g} labelled images per class: expected a whole number from 1 on")
        if not self.per_class and not 0 < self.value <= 1:
            raise UsageError(f"label fraction {self.value:g}: expected above 0 and up to 1")

    def of(self, images: LabeledImages, seed: int) -> LabeledImages:
        """A labelled subset, stratified and by whole patients.

        Raises:
            DataError: a class has too few images or patients.
        """
        if self.per_class:
            return few_of_each_class(images, int(self.value), seed)
        return labelled_subset(images, self.value, seed)

    @property
    def slug(self) -> str:
        """Short, for file names."""
        return f"{self.value:g}-per-class" if self.per_class else f"{self.value:g}"

    def __str__(self) -> str:
        if self.per_class:
            return f"{self.value:g} labelled image{'s' * (self.value > 1)} per class"
        return f"{100 * self.value:.3g} % of the training labels"


ALL = Amount(1.0)


@dataclass(frozen=True, order=True)
class Unit:
    """Where one training of an arm stands; arms of one unit are paired.

    Attributes:
        donor: number of the donor split; 0 where there is none.
        amount: of labels.
        subset: number of the labelled subset.
        init: number of the initial weights.
    """

    donor: int
    amount: Amount
    subset: int
    init: int

    @property
    def seed(self) -> int:
        """Of weights, batches and the choice of synthetic images: the same for every arm and amount."""
        return int(np.random.SeedSequence([self.donor, self.subset, self.init]).generate_state(1)[0])

    @property
    def subset_seed(self) -> int:
        """Of the labelled subset."""
        return 1000 * self.donor + self.subset

    @property
    def of_donor(self) -> "Unit":
        """Where a training stands that no labelled subset goes into."""
        return Unit(self.donor, ALL, 0, self.init)

    @property
    def slug(self) -> str:
        """For file names."""
        return f"donor{self.donor}-labels{self.amount.slug}-subset{self.subset}-init{self.init}"

    def __str__(self) -> str:
        return f"{self.amount}, donor {self.donor}, subset {self.subset}, initial weights {self.init}"


@dataclass(frozen=True)
class Design:
    """How often everything is repeated.

    Raises:
        UsageError: nothing to repeat, or an amount twice.
    """

    amounts: tuple[Amount, ...] = (ALL,)
    subsets: int = 3
    inits: int = 1
    donors: int = 1

    def __post_init__(self) -> None:
        if not self.amounts or len(set(self.amounts)) < len(self.amounts):
            raise UsageError(f"amounts of labels {[str(a) for a in self.amounts]}: expected some, each once")
        if min(self.subsets, self.inits, self.donors) < 1:
            raise UsageError(
                f"{self.donors} donors, {self.subsets} subsets, {self.inits} initial weights: "
                "expected 1 or more"
            )

    def units(self, amount: Amount | None = None) -> Iterator[Unit]:
        """Every unit, or those of one amount."""
        for each in self.amounts if amount is None else (amount,):
            for donor in range(self.donors):
                for subset in range(self.subsets):
                    yield from (Unit(donor, each, subset, init) for init in range(self.inits))
