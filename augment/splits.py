"""Drawing splits and labelled subsets: stratified, group-wise, from a seed, and never sharing an image."""

import logging
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import train_test_split

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.fingerprint import image_fingerprints
from synthaug.augment.images import PARTS, Indices, LabeledImages, Splits, concatenate
from synthaug.augment.labels import normal_first

log = logging.getLogger("synthaug")


def draw_splits(
    images: LabeledImages, name: str, *, val: float = 0.1, test: float = 0.2, seed: int = 0
) -> Splits:
    """Split at random: stratified by class, whole groups, exact duplicates together.

    Synthetic images all go to train: nothing is ever validated or tested on them.

    Args:
        val, test: shares of the groups.
        seed: the same seed gives the same split.

    Raises:
        DataError: no real image, or a class has too few groups for three parts.
    """
    if images.synthetic.any():
        if images.synthetic.all():
            raise DataError(
                f"{name}: found synthetic images only, expected real ones to validate and test on"
            )
        drawn = draw_splits(images.take(~images.synthetic), name, val=val, test=test, seed=seed)
        return replace(drawn, train=concatenate([drawn.train, images.take(images.synthetic)]))
    groups = whole_groups(images)
    rest, test_rows = _part(images, groups, np.arange(len(images)), test, seed)
    train_rows, val_rows = _part(images, groups, rest, val / (1 - test), seed + 1)
    return Splits(images.take(train_rows), images.take(val_rows), images.take(test_rows), name=name)


def labelled_subset(images: LabeledImages, fraction: float, seed: int) -> LabeledImages:
    """A stratified, group-wise part of `images`, as if only that part had labels.

    Raises:
        DataError: a class has too few groups for such a part.
    """
    if fraction >= 1:
        return images
    _, rows = _part(images, whole_groups(images), np.arange(len(images)), fraction, seed)
    return images.take(rows)


def few_of_each_class(images: LabeledImages, n: int, seed: int) -> LabeledImages:
    """`n` images of every class, each of another patient where there are as many, as if only they had labels.

    Raises:
        DataError: a class has fewer images.
    """
    groups, order = whole_groups(images), np.random.default_rng(seed).permutation(len(images))
    rows: list[Indices] = []
    for label, (name, count) in enumerate(images.counts().items()):
        if count < n:
            raise DataError(f"class {name!r} has {count} images: expected at least {n}, ask for fewer labels")
        members = order[images.labels[order] == label]
        first = np.sort(np.unique(groups[members], return_index=True)[1])  # one image of every patient
        others = np.setdiff1d(np.arange(len(members)), first)
        rows.append(members[np.concatenate([first, others])[:n]])
    return images.take(np.concatenate(rows))


def with_rare_class(images: LabeledImages, class_name: str, share: float, seed: int = 0) -> LabeledImages:
    """The images with `share` of one class's patients only, as if that class were rare.

    Raises:
        UsageError: there is no such class, or the share is not between 0 and 1.
        DataError: too few images or patients.
    """
    if class_name not in images.class_names or not 0 < share < 1:
        raise UsageError(
            f"{class_name}={share:g}: expected a class among {', '.join(images.class_names)} and a share "
            "between 0 and 1"
        )
    rows = np.flatnonzero(images.labels == images.class_names.index(class_name))
    _, kept = _part(images, whole_groups(images), rows, share, seed)
    return images.take(np.setdiff1d(np.arange(len(images)), np.setdiff1d(rows, kept)))


def donor_and_recipient(
    images: LabeledImages, share: float, seed: int
) -> tuple[LabeledImages, LabeledImages]:
    """(donor, recipient): two parts that share no patient, the donor with `share` of them, stratified.

    Raises:
        DataError: a class has too few groups for two parts.
    """
    rest, part = _part(images, whole_groups(images), np.arange(len(images)), share, seed)
    return images.take(part), images.take(rest)


def carve_validation(train: LabeledImages, share: float, seed: int) -> tuple[LabeledImages, LabeledImages]:
    """(train, val) from the training images of a data set that has an official test split only.

    Raises:
        DataError: a class has too few groups for two parts.
    """
    train_rows, val_rows = _part(train, whole_groups(train), np.arange(len(train)), share, seed)
    return train.take(train_rows), train.take(val_rows)


def official_splits(train: LabeledImages, val: LabeledImages, test: LabeledImages, name: str) -> Splits:
    """The data set's own split, without what stands in two parts: copies leave train first, then val.

    The published splits of several data sets share images; such an image stays in the part that is touched
    last (test, then val), and the log says how many went.
    """
    in_test, in_val = (np.unique(image_fingerprints(part)) for part in (test, val))
    val = _without(val, in_test, name, "val")
    return Splits(_without(train, np.union1d(in_test, in_val), name, "train"), val, test, name, official=True)


def recorded_splits(images: LabeledImages, name: str, *, seed: int = 0) -> Splits:
    """The splits that the images say they are in; drawn where none is in test.

    Synthetic images all go to train. Where no image is in val, a tenth of train becomes it.

    Args:
        seed: of what is drawn.

    Raises:
        DataError: as `draw_splits`; or images are held out already and none is left to train on.
    """
    named = np.full(len(images), "train") if images.split is None else images.split
    found = set(named[~images.synthetic].tolist())
    if found and "train" not in found:
        raise DataError(f"{name}: found {' and '.join(sorted(found))} images only, expected some of train")
    if "test" not in found:
        if "val" in found:
            log.warning("%s: no image of it is in test: train, val and test are drawn anew", name)
        return draw_splits(images, name, seed=seed)
    rows = {part: ~images.synthetic & (named == part) for part in PARTS}
    train, val, test = (images.take(rows[part]) for part in PARTS)
    if not len(val):
        train, val = carve_validation(train, 0.1, seed)
    if images.synthetic.any():
        train = concatenate([train, images.take(images.synthetic)])
    return official_splits(train, val, test, name).map(normal_first)


def whole_groups(images: LabeledImages) -> npt.NDArray[np.int64]:
    """(N,) numbers of what must stay together: equal images, and the patients who share one.

    An image of one grey level, such as a black one, is not what tells that two patients are one.
    """
    equal: npt.NDArray[np.int64] = np.unique(image_fingerprints(images), return_inverse=True)[1]
    if images.groups is None:
        return equal
    names, patients = np.unique(images.groups, return_inverse=True)
    varied = np.array([pixels.min() < pixels.max() for pixels in images.pixels])
    edges = patients[varied], len(names) + equal[varied]
    nodes = len(names) + int(equal.max()) + 1
    links = coo_array((np.ones(len(edges[0]), bool), edges), shape=(nodes, nodes))
    person = connected_components(links, directed=False)[1][: len(names)]
    first = np.unique(person, return_index=True)[1]  # in the order of the names, which drawn splits rest on
    numbers: npt.NDArray[np.int64] = np.unique(first[person][patients], return_inverse=True)[1]
    return numbers


def _without(
    images: LabeledImages, fingerprints: npt.NDArray[np.uint64], name: str, part: str
) -> LabeledImages:
    copies = np.isin(image_fingerprints(images), fingerprints)
    if copies.any():
        log.warning("%s: left %d images out of %s that stand in another split too", name, copies.sum(), part)
        return images.take(~copies)
    return images


def _part(
    images: LabeledImages, groups: npt.NDArray[np.int64], rows: Indices, share: float, seed: int
) -> tuple[Indices, Indices]:
    """Split `rows` into (rest, part) with `share` of the groups in the part, stratified by class.

    Every class that occurs is in both.
    """
    names, first = np.unique(groups[rows], return_index=True)
    group_labels = images.labels[rows][first]
    try:
        _, chosen = train_test_split(names, test_size=share, stratify=group_labels, random_state=seed)
    except ValueError:  # what it says of the numbers is said better below
        chosen = names[:0]
    inside = np.isin(groups[rows], chosen)
    parts = rows[~inside], rows[inside]
    classes = np.unique(group_labels)
    if not all(np.isin(classes, images.labels[part]).all() for part in parts):
        numbers = np.bincount(group_labels, minlength=len(images.class_names)).tolist()
        counts = ", ".join(f"{name} {n}" for name, n in zip(images.class_names, numbers, strict=True))
        raise DataError(
            f"too few images or patients per class ({counts}) to take {share:.3g} of each: "
            "add images or ask for another share"
        )
    return parts
