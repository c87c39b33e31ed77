"""Fidelity and diversity of synthetic images, each number beside what fresh real images would score.

Protocol: the reference is the real training split; the synthetic images and the *floor*, held-out real
images of the validation split, are both scored against it with the same n. A synthetic set that scores its
floor is, for this metric, as good as new real images. Numbers of other n do not compare.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from synthaug.augment.blend import match_classes
from synthaug.augment.errors import DataError
from synthaug.augment.images import Indices, LabeledImages, Splits
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.features import Extractor, Features

log = logging.getLogger("synthaug")

LARGEST = 5000  # images per set; more would only cost time
SMALLEST = 10  # images per set; fewer say nothing
NEIGHBOURS = 3  # k of precision and recall, as in the paper


@dataclass(frozen=True)
class Metric:
    """A number from features, real first.

    Attributes:
        score: (real, synthetic) -> value; both sets have at least `SMALLEST` rows.
        higher_is_better: the direction of "good".
        wants_dimensions: whether n should exceed the number of feature dimensions.
        needs_logits: whether the extractor must give class logits.
    """

    score: Callable[[Features, Features], float]
    higher_is_better: bool
    wants_dimensions: bool = False
    needs_logits: bool = False


def fid(real: Features, synthetic: Features) -> float:
    """Fréchet distance of two Gaussians fitted to the features (Heusel et al. 2017)."""
    statistics = [fid_features_to_statistics(torch.from_numpy(f.vectors)) for f in (real, synthetic)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


def kid(real: Features, synthetic: Features) -> float:
    """Unbiased squared maximum mean discrepancy, cubic kernel, mean of 50 subsets (Bińkowski et al. 2018)."""
    size = min(1000, len(real.vectors), len(synthetic.vectors))
    pair = [torch.from_numpy(f.vectors) for f in (real, synthetic)]
    found = kid_features_to_metric(*pair, kid_subsets=50, kid_subset_size=size, verbose=False)
    return float(found["kernel_inception_distance_mean"])


def inception_score(real: Features, synthetic: Features) -> float:
    """exp E KL(p(y|x) | p(y)) of the synthetic images alone, one split (Salimans et al. 2016)."""
    assert synthetic.logits is not None
    return float(isc_features_to_metric(torch.from_numpy(synthetic.logits), splits=1)["inception_score_mean"])


def _precision_recall(real: Features, synthetic: Features) -> dict[str, float]:
    pair = [torch.from_numpy(f.vectors) for f in (synthetic, real)]  # torch-fidelity: the generated first
    found: dict[str, float] = prc_features_to_metric(*pair, prc_neighborhood=NEIGHBOURS, verbose=False)
    return found


def precision(real: Features, synthetic: Features) -> float:
    """Share of synthetic images inside the manifold of real ones: quality (Kynkäänniemi et al. 2019)."""
    return float(_precision_recall(real, synthetic)["precision"])


def recall(real: Features, synthetic: Features) -> float:
    """Share of real images inside the manifold of synthetic ones: diversity (Kynkäänniemi et al. 2019)."""
    return float(_precision_recall(real, synthetic)["recall"])


METRICS = {
    "FID": Metric(fid, False, wants_dimensions=True),
    "KID": Metric(kid, False),
    "IS": Metric(inception_score, True, needs_logits=True),
    "precision": Metric(precision, True),
    "recall": Metric(recall, True),
}


@dataclass(frozen=True)
class FidelityScore:
    """One number with everything needed to read it.

    Attributes:
        part: "overall" or a class name.
        value, floor: of the synthetic images, and of held-out real images in their place.
        n_reference, n: images in the reference, and in both sets held against it.
        note: a warning in words, or empty.
    """

    metric: str
    part: str
    extractor: str
    dimensions: int
    value: float
    floor: float
    n_reference: int
    n: int
    higher_is_better: bool
    note: str

    @property
    def better(self) -> str:
        """The direction of "good", in a word."""
        return "higher" if self.higher_is_better else "lower"

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        return asdict(self)


def evaluate_fidelity(
    real: Splits, synthetic: LabeledImages, extractors: Sequence[Extractor], seed: int = 0
) -> list[FidelityScore]:
    """Every metric, overall and per class, with its floor; a class of too few images is left out.

    The synthetic images are brought to the real ones' size and channels first. "Overall" compares sets of
    the same class proportions, the held-out real images': a class-balanced synthetic set is not marked down
    for being balanced. It is left out where a class is missing.

    Raises:
        DataError: fewer than ten images, or no class name that the real set has.
    """
    channels, side, _ = real.train.image_shape
    pool = with_channels(resize(match_classes(synthetic, real.class_names), side), channels)
    if min(len(pool), len(real.val)) < SMALLEST:
        found = f"{len(pool)} synthetic images, {len(real.val)} held-out real ones"
        raise DataError(f"{found}: expected at least {SMALLEST} of each to score fidelity")
    shuffled = np.random.default_rng(seed)
    sets = {
        "reference": _at_most(real.train, LARGEST, shuffled),
        "floor": _at_most(real.val, LARGEST, shuffled),
        "synthetic": _at_most(pool, LARGEST, shuffled),
    }
    parts = {"overall": _of_equal_proportions(sets)}
    for label, name in enumerate(real.class_names):
        parts[name] = {key: np.flatnonzero(images.labels == label) for key, images in sets.items()}
    scores: list[FidelityScore] = []
    for extractor in extractors:
        features = {name: extractor.extract(images) for name, images in sets.items()}
        for part, rows in parts.items():
            n = min(len(rows["floor"]), len(rows["synthetic"]))
            fewest = min(len(numbers) for numbers in rows.values())
            if fewest < SMALLEST:
                log.warning("fidelity of %s left out: %d images, expected %d or more", part, fewest, SMALLEST)
                continue
            reference = _rows(features["reference"], rows["reference"])
            floor = _rows(features["floor"], rows["floor"][:n])
            made = _rows(features["synthetic"], rows["synthetic"][:n])
            scores += _score_part(extractor, part, reference, floor, made)
    return scores


def _of_equal_proportions(sets: dict[str, LabeledImages]) -> dict[str, Indices]:
    """Rows of each set in the class proportions of the floor; floor and synthetic rows are equally many."""
    have = {name: np.array(list(images.counts().values())) for name, images in sets.items()}
    mix = np.maximum(have["floor"], 1)  # every class of the floor has images, or it would not be validated on
    scale = {name: float((counts / mix).min()) for name, counts in have.items()}
    scale["floor"] = scale["synthetic"] = min(1.0, scale["synthetic"])
    return {
        name: np.concatenate(
            [np.flatnonzero(images.labels == k)[: int(scale[name] * n)] for k, n in enumerate(mix)]
        )
        for name, images in sets.items()
    }


def _score_part(
    extractor: Extractor, part: str, reference: Features, floor: Features, synthetic: Features
) -> list[FidelityScore]:
    n, dimensions = synthetic.vectors.shape
    scores = []
    for name, metric in METRICS.items():
        if metric.needs_logits and synthetic.logits is None:
            continue
        few = metric.wants_dimensions and n <= dimensions
        scores.append(
            FidelityScore(
                metric=name,
                part=part,
                extractor=extractor.protocol,
                dimensions=dimensions,
                value=metric.score(reference, synthetic),
                floor=metric.score(reference, floor),
                n_reference=len(reference.vectors),
                n=n,
                higher_is_better=metric.higher_is_better,
                note=f"n={n} is not above {dimensions} dimensions: read KID instead" if few else "",
            )
        )
    return scores


def _at_most(images: LabeledImages, n: int, rng: np.random.Generator) -> LabeledImages:
    return images.take(rng.permutation(len(images))[:n])


def _rows(features: Features, rows: np.ndarray) -> Features:
    return Features(features.vectors[rows], None if features.logits is None else features.logits[rows])
