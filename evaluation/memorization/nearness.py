"""How near images lie to training images, and whether that tells who was trained on: in any vectors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from synthaug.augment.images import Indices, LabeledImages
from synthaug.classifiers.scores import auroc
from synthaug.evaluation.neighbours import Distances, Vectors, nearest
from synthaug.evaluation.statistics import Estimate, bootstrap

QUANTILES = (0.01, 0.05, 0.5)
SMALLEST_ATTACK = 10  # members, non-members, patients, and images attacked through; fewer say nothing

Groups = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Nearness:
    """How near one set of images lies to the training images.

    Attributes:
        n: images.
        quantiles: of the distances to the nearest training image: "1%", "5%", "50%".
        nndr_mean, nndr_median: of the nearest neighbour distance ratio, nearest / second nearest training
            image: 1 in the midst of many, 0 on top of one.
        authenticity: share of images farther from their nearest training image than that one is from its own
            nearest other training image (Alaa et al. 2022, "How Faithful is your Synthetic Data?"), with its
            95 % interval (Wilson); None where training images were not compared with each other.
    """

    n: int
    quantiles: dict[str, float]
    nndr_mean: float
    nndr_median: float
    authenticity: Estimate | None

    @classmethod
    def of(
        cls, distances: Distances, second: Distances, authentic: npt.NDArray[np.bool_] | None = None
    ) -> "Nearness":
        """From distances (N,) to the nearest and second nearest training image."""
        # on top of two equal training images the ratio is 0/0: being on top is what matters
        ratio = np.divide(distances, second, out=np.zeros_like(distances), where=second > 0)
        return cls(
            n=len(distances),
            quantiles={f"{q:.0%}": float(np.quantile(distances, q)) for q in QUANTILES},
            nndr_mean=float(ratio.mean()),
            nndr_median=float(np.median(ratio)),
            authenticity=None if authentic is None else proportion(authentic),
        )


@dataclass(frozen=True)
class Space:
    """What was measured in one kind of distance.

    Attributes:
        name: "aligned pixels" (see `CopyDetector`), "pixels" (Euclidean, as they lie, at most 32 px), or the
            features' name (Euclidean).
        floor: of held-out real images in the synthetic ones' place.
        membership: AUROC of the attack "was this real image trained on?", whose score is minus the distance
            to the nearest synthetic image; 0.5 is guessing. None where distances are not taken for it, or
            images are too few.
        membership_floor: the same, attacked through one half of the held-out images, with the other half as
            non-members.
        n_members: of the attack; there are as many non-members, of the same classes.
    """

    name: str
    synthetic: Nearness
    floor: Nearness
    membership: Estimate | None = None
    membership_floor: Estimate | None = None
    n_members: int = 0


def measure_space(
    name: str,
    train: LabeledImages,
    held_out: LabeledImages,
    vectors: tuple[Vectors, Vectors, Vectors],
    orders: tuple[Indices, Indices],
    seed: int = 0,
) -> Space:
    """Euclidean distances between vectors.

    Args:
        vectors: (N, D) of training, held-out and synthetic images.
        orders: rows of the training and of the held-out images; where fewer are wanted, the first are taken.
    """
    real, fresh, made = vectors
    n, in_place = len(made), fresh[orders[1][: len(made)]]
    distances, second, authentic = _neighbours(np.concatenate([made, in_place]), real)
    through, outside = _halves(held_out, orders[1])
    membership, n_members = _attack(train, held_out, real, fresh, made, orders, seed)
    floor, _ = _attack(train, held_out, real, fresh, fresh[through], (orders[0], outside), seed)
    return Space(
        name,
        Nearness.of(distances[:n], second[:n], authentic[:n]),
        Nearness.of(distances[n:], second[n:], authentic[n:]),
        membership,
        floor,
        n_members,
    )


def membership_auroc(
    members: Distances, outsiders: Distances, groups: Groups | None = None, seed: int = 0
) -> Estimate:
    """AUROC of telling members from outsiders by the distance to the nearest synthetic image.

    Args:
        members, outsiders: distances of real images that were trained on, and that were not.
        groups: patients of both, members first; None lets every image be its own.

    Returns:
        The estimate with its 95 % bootstrap interval over images, or patients.
    """
    is_member = np.repeat([1, 0], [len(members), len(outsiders)])
    score = -np.concatenate([members, outsiders])
    return bootstrap(auroc, is_member, np.stack([-score, score], axis=1), groups, seed=seed)


def proportion(yes: npt.NDArray[np.bool_]) -> Estimate:
    """Of True, with its 95 % interval (Wilson 1927)."""
    interval = binomtest(int(yes.sum()), len(yes)).proportion_ci(0.95, method="wilson")
    return Estimate(float(yes.mean()), float(interval.low), float(interval.high))


def _neighbours(queries: Vectors, real: Vectors) -> tuple[Distances, Distances, npt.NDArray[np.bool_]]:
    """(N,) distances to the nearest and second nearest real vector, and whether the query is authentic."""
    distances, rows = nearest(queries, real, k=2)
    looked_up, where = np.unique(rows[:, 0], return_inverse=True)
    apart = nearest(real[looked_up], real, k=2)[0][:, 1]  # the nearest of the two is the vector itself
    return distances[:, 0], distances[:, 1], distances[:, 0] > apart[where]


def _attack(
    train: LabeledImages,
    held_out: LabeledImages,
    real: Vectors,
    fresh: Vectors,
    through: Vectors,
    orders: tuple[Indices, Indices],
    seed: int,
) -> tuple[Estimate | None, int]:
    """The membership attack through some images, and its number of members."""
    members, outsiders = _same_classes(train.labels, held_out.labels, *orders)
    if min(len(members), len(through)) < SMALLEST_ATTACK:
        return None, 0
    groups = None
    if train.groups is not None and held_out.groups is not None:
        patients = train.groups[members], held_out.groups[outsiders]
        if min(len(set(some.tolist())) for some in patients) >= SMALLEST_ATTACK:
            groups = np.concatenate(patients)
    near = nearest(np.concatenate([real[members], fresh[outsiders]]), through)[0][:, 0]
    return membership_auroc(near[: len(members)], near[len(members) :], groups, seed), len(members)


def _halves(images: LabeledImages, order: Indices) -> tuple[Indices, Indices]:
    """The rows in two halves; a patient's images are alike, so each patient is in one of them."""
    if images.groups is None:
        return order[: len(order) // 2], order[len(order) // 2 :]
    patients = list(dict.fromkeys(images.groups[order].tolist()))
    first = np.isin(images.groups[order], patients[: len(patients) // 2])
    return order[first], order[~first]


def _same_classes(
    train: Indices, held_out: Indices, members: Indices, outsiders: Indices
) -> tuple[Indices, Indices]:
    """As many of both in every class, the first of each: classes differ in their distances, too."""
    rows: list[list[Indices]] = [[], []]
    for label in np.unique(held_out):
        of_class = members[train[members] == label], outsiders[held_out[outsiders] == label]
        n = min(map(len, of_class))
        rows[0].append(of_class[0][:n])
        rows[1].append(of_class[1][:n])
    return np.concatenate(rows[0]), np.concatenate(rows[1])
