"""Which images a generator learns from, is chosen by and is held against: one entry per data set.

Three sets that share no image, and no patient or lesion where those are known: *fit* is what generators are
trained on, *judge* chooses the checkpoint, *reference* is what the finished images are compared with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from synthaug.augment.blend import match_classes
from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.images import Indices, LabeledImages, Splits, concatenate
from synthaug.augment.reading import ReadOptions
from synthaug.augment.splits import draw_splits
from synthaug.evaluation.protocol import content_order

SUBSET_SEED = 7  # of the hash by which the images of a share are chosen; the same images for every seed


@dataclass(frozen=True)
class DataProtocol:
    """How a data set is divided, and what is measured on it.

    Attributes:
        spec, side, channels: as `load_dataset` takes them.
        cpu_seconds: of every training.
        division: a key of DIVISIONS.
        classes: that are made; empty for all.
        published: score pairs of images, also in the published form.
        lpips: with LPIPS among them.
        downstream: train a classifier on the synthetic images as well.
        classifier_steps: of the domain classifiers.
    """

    spec: str
    side: int
    channels: int
    cpu_seconds: float
    division: str = "loader"
    classes: tuple[str, ...] = ()
    published: bool = False
    lpips: bool = False
    downstream: bool = False
    classifier_steps: int = 300


@dataclass(frozen=True, eq=False)
class Material:
    """The images of a protocol.

    Attributes:
        fit, judge, reference: of the classes that are made.
        known: the same three with every class that the domain classifiers tell apart.
    """

    fit: LabeledImages
    judge: LabeledImages
    reference: LabeledImages
    known: Splits


def in_halves(splits: Splits) -> Splits:
    """Fit and reference are halves of every class of train, by content: the official test is unlike it."""
    labels = splits.train.labels[order := content_order(splits.train)]
    halves = [np.array_split(order[labels == label], 2) for label in range(len(splits.class_names))]
    fit, reference = (splits.train.take(np.concatenate(half)) for half in zip(*halves, strict=True))
    return Splits(fit, splits.val, reference, splits.name)


def by_groups(splits: Splits) -> Splits:
    """50, 10 and 40 % of the patients or lesions."""
    images = concatenate([splits.train, splits.val, splits.test])
    return draw_splits(images, splits.name, val=0.1, test=0.4, seed=0)


DIVISIONS: dict[str, Callable[[Splits], Splits]] = {
    "loader": lambda splits: splits,
    "halves": in_halves,
    "groups": by_groups,
}

CHEST_CTSCAN_CLASSES = ("adenocarcinoma",)  # made; the domain classifiers know all four
PROTOCOLS = {
    "mednist": DataProtocol("mednist", 64, 1, 240),
    "mednist-three": DataProtocol(
        "mednist", 64, 1, 180, classes=("AbdomenCT", "BreastMRI", "Hand"), downstream=True
    ),
    "pneumoniamnist": DataProtocol("pneumoniamnist", 28, 1, 120, "halves"),
    "chestmnist": DataProtocol("chestmnist", 28, 1, 120, published=True, lpips=True),
    "skin-lesions": DataProtocol("skin-lesions", 128, 3, 240, "groups", published=True, lpips=True),
    "chest-ctscan": DataProtocol(
        "chest-ctscan", 128, 1, 240, classes=CHEST_CTSCAN_CLASSES, published=True, lpips=True
    ),
    "chest-xray-folder": DataProtocol("chest-xray-folder", 64, 1, 150, published=True),
    "chest-xray-pneumonia": DataProtocol("chest-xray-pneumonia", 128, 1, 240, "halves", published=True),
    "phantom": DataProtocol("phantom:n=240,abnormal=0.4", 28, 1, 10, published=True, classifier_steps=20),
}


@lru_cache(maxsize=2)
def material(name: str, root: Path) -> Material:
    """The three sets of a data set.

    Raises:
        DataError: as `load_dataset`.
    """
    protocol = PROTOCOLS[name]
    loaded = load_dataset(
        protocol.spec, ReadOptions(root=root, size=protocol.side, channels=protocol.channels)
    )
    known = DIVISIONS[protocol.division](loaded)
    made = protocol.classes or known.class_names
    if len(made) > 1:  # a classifier needs two classes at least
        known = known.map(lambda part: match_classes(part, made))
    parts = (match_classes(part, made) for part in (known.train, known.val, known.test))
    return Material(*parts, known=known)


def first_of_each(images: LabeledImages, counts: Sequence[int], seed: int = 0) -> tuple[Indices, Indices]:
    """Rows of so many images of every class (all, where there are fewer), by content, and the other rows."""
    order = content_order(images, seed)
    labels = images.labels[order]
    chosen = np.concatenate([order[labels == label][:n] for label, n in enumerate(counts)])
    return chosen, np.setdiff1d(np.arange(len(images)), chosen)


def share_of(images: LabeledImages, share: float) -> tuple[LabeledImages, LabeledImages]:
    """(so large a share of every class, the other images): the same images whoever asks."""
    counts = [round(share * n) for n in images.counts().values()]
    chosen, rest = first_of_each(images, counts, SUBSET_SEED)
    return images.take(chosen), images.take(rest)


def thinned(counts: Sequence[int], most: int) -> list[int]:
    """Counts that sum to `most` at most, classes keeping their shares (largest remainders)."""
    total = sum(counts)
    if total <= most:
        return list(counts)
    exact = np.array(counts) * most / total
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: most - int(whole.sum())]] += 1
    return [int(n) for n in whole]
