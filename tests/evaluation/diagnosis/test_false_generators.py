"""Every false generator is named on whole data sets, and real images in any selection get no finding.

Reference and held-out images are the training and validation splits; false generators spoil images of the
test split, which no training has seen.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from false_generators import FALSE_COLOURS, FALSE_GENERATORS, FalseGenerator, another_data_set
from lightning_fabric import Fabric

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.diagnosis.findings import View, diagnose
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.protocol import by_content, comparable_sets

OTHERS = {"phantom": "phantom:n=300,seed=9", "pneumoniamnist": "phantom", "mednist": "pneumoniamnist"}
LARGEST = 2000  # images per set
FEW = ("labels swapped", "labels shuffled", "mean image", "blurred reals", "full-covariance Gaussian")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True, eq=False)
class Case:
    splits: Splits
    other: LabeledImages
    extractor: Extractor

    def names(self, images: LabeledImages) -> set[str]:
        sets = comparable_sets(self.splits, images, largest=LARGEST)
        views = [
            View(part, self.extractor.extract(part)) for part in (sets.reference, sets.floor, sets.synthetic)
        ]
        return {finding.name for finding in diagnose(*views)}


@pytest.fixture(scope="module", params=OTHERS)
def case(request: pytest.FixtureRequest) -> Case:
    if request.param != "phantom" and not os.environ.get("SYNTHAUG_DATA"):
        pytest.skip("SYNTHAUG_DATA is not set: no real data")
    root = Path(os.environ.get("SYNTHAUG_DATA", ""))
    splits = load_dataset(request.param, ReadOptions(root=root))
    size, channels = splits.train.image_shape[1], splits.train.image_shape[0]
    other = load_dataset(OTHERS[request.param], ReadOptions(root=root, size=size, channels=channels)).test
    if request.param == "phantom":  # its own kind: upside down it is another distribution
        other = LabeledImages(np.ascontiguousarray(other.pixels[:, :, ::-1]), other.labels, other.class_names)
    fabric = Fabric(accelerator="cpu", devices=1)
    return Case(splits, other, extractors_for(["domain"], splits, fabric=fabric)[0])


def few_per_class(images: LabeledImages, n: int) -> LabeledImages:
    labels = range(len(images.class_names))
    return images.take(np.concatenate([np.flatnonzero(images.labels == k)[:n] for k in labels]))


def test_each_false_generator_is_named(case: Case) -> None:
    rng, fresh = np.random.default_rng(0), by_content(case.splits.test, LARGEST)
    false = dict(FALSE_GENERATORS) | (FALSE_COLOURS if fresh.image_shape[0] == 3 else {})
    false["reals of another data set"] = FalseGenerator("another distribution", another_data_set(case.other))
    rows = [(row, each, fresh) for row, each in false.items()]
    rows += [(f"{row}, 50 a class", false[row], few_per_class(fresh, 50)) for row in FEW]
    missed = {
        row: names
        for row, generator, images in rows
        if generator.finding not in (names := case.names(generator.make(case.splits.train, images, rng)))
    }
    assert missed == {}


def real_sets(test: LabeledImages) -> Iterator[tuple[str, LabeledImages]]:
    """Whole, random halves, few per class, one class nearly missing, one class alone."""
    rng = np.random.default_rng(0)
    yield "whole", test
    for half in range(10):
        for part in np.array_split(rng.permutation(len(test)), 2):
            yield f"half {half}", test.take(part)
    for n in (10, 20, 50):
        yield f"{n} a class", few_per_class(test.take(rng.permutation(len(test))), n)
    for label, name in enumerate(test.class_names):
        rest, own = (np.flatnonzero((test.labels == label) == is_it) for is_it in (False, True))
        yield f"{name} scarce", test.take(np.concatenate([rest, own[:12]]))
        yield f"{name} only", test.take(own)


def test_real_images_get_hardly_ever_a_finding_in_any_selection(case: Case) -> None:
    """One false alarm is allowed, of ten images a class: the statistics of so few are of one draw."""
    found = {row: names for row, images in real_sets(case.splits.test) if (names := case.names(images))}
    assert set(found) <= {"10 a class"}
