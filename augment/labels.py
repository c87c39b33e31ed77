"""Class names: one parser of labels for every format, and their order."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from synthaug.augment.images import Indices, LabeledImages

log = logging.getLogger("synthaug")
NORMAL_WORDS = {"normal", "negative", "healthy", "benign", "control", "no finding"}
MISSING = {"", "nan", "na", "n/a", "#n/a", "<na>", "null"}  # what tables have where nothing is known


def parse_label(text: str) -> str:
    """A label's text in one form: NFC, trimmed, whole numbers without ".0"; "" where it is missing."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if name.lower() in MISSING:
        return ""
    number = re.fullmatch(r"([+-]?\d+)\.0*", name)
    return number[1] if number else name


def class_numbers(
    where: object, texts: Sequence[str], first: Sequence[str] = ()
) -> tuple[Indices, tuple[str, ...]]:
    """(N,) labels and the class names that they are indices of.

    Names that differ in upper and lower case only are one class, called as most of its images are; a warning
    says so. The names of `first` stay as they are.

    Args:
        where: what the warning calls the data set.
        texts: a label for each image, none missing.
        first: class names that are known, in their order; the others follow in `class_order`.
    """
    known = set(first)
    forms = {text: text if text in known else parse_label(text) for text in set(texts)}
    counts = Counter(forms[text] for text in texts)
    spelled: dict[str, list[str]] = {}
    for name in [*first, *sorted(counts, key=lambda name: (-counts[name], name))]:
        spelled.setdefault(name.casefold(), []).append(name)
    called: dict[str, str] = {}
    for alike in spelled.values():
        forms_of_one = list(dict.fromkeys(alike))
        if len(forms_of_one) > 1 and any(name not in known for name in forms_of_one):
            log.warning("%s: took %s for one class, %s", where, " and ".join(forms_of_one), forms_of_one[0])
        called |= {name: name if name in known else forms_of_one[0] for name in forms_of_one}
    found = {called[name] for name in counts}
    names = (*first, *class_order(found - known))
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[called[forms[text]]] for text in texts], dtype=np.int64), names


def class_order(names: Collection[str]) -> tuple[str, ...]:
    """Class names by number where all are, else in alphabetical order; of two, the normal one comes first."""
    numbers = all(re.fullmatch(r"[+-]?\d+(\.\d+)?", name) for name in names)
    ordered = sorted(set(names), key=float) if numbers else sorted(set(names), key=str.lower)
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
    first = name.split(",")[0].strip().lower()
    return first in NORMAL_WORDS or first.startswith("no ")
