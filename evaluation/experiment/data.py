"""The images of an experiment: who has which, and where synthetic ones come from."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.balance import blend_plan, sampling_plan
from synthaug.augment.blend import match_classes
from synthaug.augment.files.atomic import replacing
from synthaug.augment.hdf5 import count_hdf5, read_hdf5, write_hdf5
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.splits import donor_and_recipient
from synthaug.augment.stream import ImageStream
from synthaug.augment.transforms import matching
from synthaug.classifiers.training import ClassifierConfig
from synthaug.evaluation.experiment.arms import Arm
from synthaug.evaluation.experiment.design import ALL, Design, Unit
from synthaug.evaluation.experiment.unlabelled import without, without_copies

# (images to learn from, images wanted per class, seed, unlabelled images to learn from too, or None)
# -> at least so many synthetic images of each class
Synthesize = Callable[[LabeledImages, list[int], int, LabeledImages | None], LabeledImages]


@dataclass(frozen=True, eq=False)
class ExperimentData:
    """Everything that a training of an experiment depends on besides its unit and its arm; it can be pickled.

    Attributes:
        splits: of the recipient; validation and test images are the same for every training.
        synthesize: makes a generator of the images it is given and images with it, or draws them from
            elsewhere.
        config: of every classifier.
        make_fabric: device and precision.
        folder: where cells, synthetic images and weights are kept.
        donor_share: of the training patients that belong to the donor, drawn anew for every donor split; 0
            where there is no such donor: generators learn from the labelled subset itself.
        donor: images of another data set with the recipient's classes, the donor of every split.
        unlabelled: images that `unlabelled.unlabelled` gave, or None: generators learn from them too, and a
            competitor labels them itself.
    """

    splits: Splits
    synthesize: Synthesize
    config: ClassifierConfig
    make_fabric: Callable[[], Fabric]
    folder: Path
    donor_share: float = 0.0
    donor: LabeledImages | None = None
    unlabelled: LabeledImages | None = None

    @property
    def has_donor(self) -> bool:
        """Whether generators learn from a donor's images."""
        return bool(self.donor_share) or self.donor is not None

    def donor_images(self, unit: Unit) -> LabeledImages:
        """What the donor of this unit has."""
        return self.parts(unit.donor)[0]

    def labelled(self, unit: Unit) -> LabeledImages:
        """The recipient's labelled subset."""
        return _labelled(self, replace(unit, init=0))

    def unlabelled_images(self, unit: Unit) -> LabeledImages:
        """What the recipient has without labels: nothing of its labelled subset, no donor's patient."""
        return _unlabelled(self, replace(unit, init=0))

    def lent(self, source: Unit) -> LabeledImages | None:
        """Unlabelled images that a generator learns from; a donor's sees no patient of the recipient's."""
        if self.unlabelled is None:
            return None
        if not self.has_donor:
            return self.unlabelled_images(source)
        donor, recipient = self.parts(source.donor)
        images = without_copies(without(self.unlabelled, recipient), donor)
        return images if len(images) else None

    def parts(self, donor: int) -> tuple[LabeledImages, LabeledImages]:
        """(the donor's images, the recipient's)."""
        train = self.splits.train
        if self.donor is not None:
            return self.donor, train
        if self.donor_share:
            return donor_and_recipient(train, self.donor_share, donor)
        return train.take([]), train

    def source(self, unit: Unit) -> Unit:
        """The unit whose synthetic images this one takes: one pool per donor, or per labelled subset."""
        if self.has_donor:
            return Unit(unit.donor, ALL, 0, 0)
        return replace(unit, init=0)

    def pool_path(self, unit: Unit) -> Path:
        """Where a unit's synthetic images are kept."""
        return self.folder / "pools" / f"{self.source(unit).slug}.h5"

    def has_pool(self, unit: Unit, wanted: list[int]) -> bool:
        """Whether a unit's synthetic images are there, wanted[label] of every class that there are any of."""
        if not self.pool_path(unit).exists():
            return False
        have = self.pool_counts(unit).values()
        return all(n == 0 or n >= least for n, least in zip(have, wanted, strict=True))

    def pool(self, unit: Unit) -> LabeledImages:
        """A unit's synthetic images, with the recipient's class names, size, channels and bit depth."""
        return match_classes(read_hdf5(self.pool_path(unit)), self.splits.class_names)

    def pool_counts(self, unit: Unit) -> dict[str, int]:
        """A unit's synthetic images per class of the recipient, without reading a pixel of them."""
        counts = Counter[str]()
        for name, n in count_hdf5(self.pool_path(unit)).items():
            counts[name.lower()] += n
        return {name: counts[name.lower()] for name in self.splits.class_names}

    def make_pool(self, source: Unit, wanted: list[int]) -> None:
        """Make and keep synthetic images: at least wanted[label] of every class that there are any of."""
        real = self.donor_images(source) if self.has_donor else self.labelled(source)
        made = self.synthesize(real, wanted, source.subset_seed, self.lent(source))
        made = matching(made, self.splits.train)  # once: every training reads them
        with replacing(self.pool_path(source)) as fresh:
            write_hdf5(ImageStream.of(made), fresh)

    def wanted(self, source: Unit, arms: Sequence[Arm], design: Design) -> list[int]:
        """The most images of each class that any arm takes from this pool."""
        users = [unit for unit in design.units() if self.source(unit) == source and unit.init == 0]
        plans = [plan_of(self.labelled(unit), arm) for unit in users for arm in arms]
        return [int(n) for n in np.max(plans, axis=0)]

    def weights_path(self, unit: Unit) -> Path:
        """Where the donor's own classifier is kept."""
        return self.folder / "weights" / f"{unit.of_donor.slug}.safetensors"


@lru_cache(maxsize=8)
def _labelled(data: ExperimentData, unit: Unit) -> LabeledImages:
    return unit.amount.of(data.parts(unit.donor)[1], unit.subset_seed)


@lru_cache(maxsize=2)
def _unlabelled(data: ExperimentData, unit: Unit) -> LabeledImages:
    donor, recipient = data.parts(unit.donor)
    if data.unlabelled is None:
        return recipient.take([])
    return without_copies(without(data.unlabelled, donor), data.labelled(unit))


def plan_of(real: LabeledImages, arm: Arm) -> list[int]:
    """Synthetic images of each class that an arm takes beside, or instead of, these."""
    if arm.procedure == "rare":
        return sampling_plan(real.labels, len(real.class_names), "not majority")
    ratio = {"blend": arm.ratio, "synthetic": 1.0, "pretrained": 1.0}.get(arm.procedure, 0.0)
    return blend_plan(list(real.counts().values()), ratio)
