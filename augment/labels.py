"""The order of classes: normal is class 0 and abnormal class 1 wherever there are two."""

from collections.abc import Collection
from dataclasses import replace

from synthaug.augment.images import LabeledImages

NORMAL_WORDS = {"normal", "negative", "healthy", "benign", "control", "no finding"}


def class_order(names: Collection[str]) -> tuple[str, ...]:
    """Class names in alphabetical order, except that of two the normal one comes first."""
    ordered = sorted(set(names), key=str.lower)
    if len(ordered) == 2 and is_normal(ordered[1]):
        ordered.reverse()
    return tuple(ordered)


def normal_first(images: LabeledImages) -> LabeledImages:
    """The images, two classes swapped where the data set has the normal one second (BreastMNIST)."""
    names = images.class_names
    if len(names) != 2 or not is_normal(names[1]) or is_normal(names[0]):
        return images
    return replace(images, labels=1 - images.labels, class_names=names[::-1])


def is_normal(name: str) -> bool:
    """Whether a class name says that nothing is found ("Normal", "normal, benign")."""
    return name.split(",")[0].strip().lower() in NORMAL_WORDS
