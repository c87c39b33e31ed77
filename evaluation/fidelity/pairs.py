"""Measures of image pairs, and the one form in which they say something of synthetic images: nearest-real.

PSNR, MSE, SSIM, MS-GMSD and LPIPS want a pair: an image and what it should have been. A synthetic image has
no such partner, so it is held against the nearest real training image of its class, and held-out real images
against theirs. Nearer than real images are to each other is memorised, farther is poor.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import piq
import torch
from scipy import stats
from torch import Tensor

from synthaug.augment.images import Indices, LabeledImages
from synthaug.augment.transforms import to_unit_range
from synthaug.evaluation.fidelity.perceptual import PREPROCESSING, Perceptual
from synthaug.evaluation.neighbours import nearest
from synthaug.evaluation.protocol import Part, Sets
from synthaug.evaluation.score import Protocol, Score
from synthaug.evaluation.statistics import Estimate

log = logging.getLogger("synthaug")

Values = npt.NDArray[np.float64]

HALF_LEVEL = (0.5 / 255) ** 2  # MSE of half an 8-bit grey level, below which PSNR does not grow
MOST_PAIRS = 2000  # per part; more cost time and change a mean little
BATCH = 64
BLOCK = 2**24  # pixel values whose distances are computed at once: 128 MiB
NEAREST = "nearest training image of the class by Euclidean distance of pixels"


@dataclass(frozen=True)
class PairMeasure:
    """A number of each pair of images.

    Attributes:
        compare: (N, C, H, W) and (N, C, H, W) in [0, 1] -> (N,), finite.
        better: of two images that should be the same one.
        definition: what it is, with unit and constants.
        smallest: side in pixels from which on it is defined.
        preprocessing: value range, and size where the measure changes it.
        weights: SHA-256 of its network's weights, if it has one.
    """

    compare: Callable[[Tensor, Tensor], Tensor]
    better: Literal["higher", "lower"]
    definition: str
    smallest: int = 1
    preprocessing: str = "[0, 1]"
    weights: str = ""

    def protocol(self, pairs: str, side: int) -> Protocol:
        """Of this measure over `pairs` (which ones, in words) of images of a side in pixels."""
        return Protocol(pairs, self.definition, f"{side} px, {self.preprocessing}", self.weights)


def mse(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference of values in [0, 1]."""
    return (first.double() - second.double()).square().mean(dim=(1, 2, 3))


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most 54.15: equal images would score infinity."""
    return -10 * mse(first, second).clamp(min=HALF_LEVEL).log10()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11 px, sd 1.5, wholly inside the image."""
    value: Tensor = piq.ssim(first, second, data_range=1.0, reduction="none", downsample=False)
    return value


def ms_gmsd(first: Tensor, second: Tensor) -> Tensor:
    """Gradient magnitude similarity deviation on four scales (Zhang et al. 2017), of luminance."""
    value: Tensor = piq.multi_scale_gmsd(first, second, data_range=1.0, reduction="none")
    return value


MEASURES = {
    "PSNR": PairMeasure(psnr, "higher", "PSNR in dB, at most 54.15 (half an 8-bit grey level)"),
    "MSE": PairMeasure(mse, "lower", "MSE"),
    "SSIM": PairMeasure(ssim, "higher", "SSIM (Wang 2004), Gaussian window of 11 px", smallest=11),
    "MS-GMSD": PairMeasure(ms_gmsd, "lower", "MS-GMSD (Zhang 2017), 4 scales, luminance", smallest=17),
}


def measures_with(perceptual: Perceptual | None) -> dict[str, PairMeasure]:
    """`MEASURES`, and LPIPS where its network is given."""
    if perceptual is None:
        return MEASURES
    definition = "LPIPS (Zhang 2018), SqueezeNet 1.1, v0.1"
    weights = perceptual.weights
    return MEASURES | {"LPIPS": PairMeasure(perceptual, "lower", definition, 1, PREPROCESSING, weights)}


def nearest_real(sets: Sets, parts: Sequence[Part], perceptual: Perceptual | None = None) -> list[Score]:
    """Each synthetic image against its nearest real training image, beside the floor of held-out real images.

    Nearest in its class by Euclidean distance of pixels. The best score is the floor's: nearer than new real
    images is memorised, farther is unlike any real image. At most 2,000 images of each part are scored,
    evenly spread.

    Returns:
        Scores named `nearest-real PSNR` and so on; `n` counts pairs, `n_reference` images searched.
    """
    if not parts:
        return []
    side = side_of(sets)
    measures = defined(measures_with(perceptual), side, "nearest-real")
    rows, values = {}, {}
    for which, images in (("floor", sets.floor), ("synthetic", sets.synthetic)):
        rows[which] = np.unique(np.concatenate([spread(getattr(part, which)) for part in parts]))
        partners = nearest_of_class(images, rows[which], sets.reference)
        values[which] = compare_pairs(measures, images, rows[which], sets.reference, partners)
    scores = []
    for part in parts:
        at = {which: np.searchsorted(rows[which], spread(getattr(part, which))) for which in rows}
        searched = np.isin(sets.reference.labels, sets.synthetic.labels[part.synthetic])
        for name, measure in measures.items():
            made, fresh = (values[which][name][at[which]] for which in ("synthetic", "floor"))
            protocol = measure.protocol(NEAREST, side)
            scores.append(
                score_of_pairs(
                    f"nearest-real {name}",
                    part,
                    protocol,
                    made,
                    fresh,
                    n_reference=int(searched.sum()),
                    patients=patients_of(sets.floor, rows["floor"][at["floor"]]),
                    made_patients=patients_of(sets.synthetic, rows["synthetic"][at["synthetic"]]),
                )
            )
    return scores


def patients_of(images: LabeledImages, rows: Indices) -> npt.NDArray[np.str_] | None:
    """(rows,) where they are known."""
    return None if images.groups is None else images.groups[rows]


def side_of(sets: Sets) -> int:
    """The shorter side of the images in pixels."""
    return min(sets.reference.image_shape[1:])


def defined(measures: Mapping[str, PairMeasure], side: int, form: str) -> dict[str, PairMeasure]:
    """Those of the measures that images of a side in pixels have; each of the others is warned about."""
    for name, measure in measures.items():
        if side < measure.smallest:
            reason = f"images of {side} px, expected {measure.smallest} or more"
            log.warning("%s %s left out: %s: read PSNR instead", form, name, reason)
    return {name: measure for name, measure in measures.items() if side >= measure.smallest}


def spread(rows: Indices, most: int = MOST_PAIRS) -> Indices:
    """At most so many of the rows, evenly spread, so that classes keep their shares."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def compare_pairs(
    measures: Mapping[str, PairMeasure],
    first: LabeledImages,
    first_rows: Indices,
    second: LabeledImages,
    second_rows: Indices,
    batch: int = BATCH,
) -> dict[str, Values]:
    """Every measure (N,) of the pairs (first_rows[i], second_rows[i]); bit depths may differ."""
    parts_by_name: dict[str, list[Tensor]] = {name: [] for name in measures}
    for start in range(0, len(first_rows), batch):
        here = to_unit_range(first.pixels[first_rows[start : start + batch]])
        there = to_unit_range(second.pixels[second_rows[start : start + batch]])
        for name, measure in measures.items():
            parts_by_name[name].append(measure.compare(here, there).double())
    return {
        name: torch.cat([torch.zeros(0), *parts]).double().numpy() for name, parts in parts_by_name.items()
    }


def nearest_of_class(
    images: LabeledImages, rows: Indices, reference: LabeledImages, block: int = BLOCK
) -> Indices:
    """For each of the rows, the row of the reference image of its class that is nearest in pixels.

    Args:
        block: pixel values of queries, and of reference images, at once: memory does not grow with the sets.
    """
    step = max(1, block // images.pixels[0].size)
    rows_nearest = np.zeros(len(rows), np.int64)
    best = np.full(len(rows), np.inf)
    for label in np.unique(images.labels[rows]):
        here, there = np.flatnonzero(images.labels[rows] == label), np.flatnonzero(reference.labels == label)
        for start in range(0, len(there), step):
            points = _vectors(reference, there[start : start + step])
            for begin in range(0, len(here), step):
                queries = here[begin : begin + step]
                distances, nearby = nearest(_vectors(images, rows[queries]), points)
                closer = distances[:, 0] < best[queries]
                best[queries[closer]] = distances[closer, 0]
                rows_nearest[queries[closer]] = there[start + nearby[closer, 0]]
    return rows_nearest


def _vectors(images: LabeledImages, rows: Indices) -> npt.NDArray[np.float32]:
    """(rows, values) in [0, 1]."""
    return to_unit_range(images.pixels[rows]).flatten(1).numpy()


def score_of_pairs(
    metric: str,
    part: Part,
    protocol: Protocol,
    made: Values,
    fresh: Values,
    *,
    n_reference: int,
    patients: npt.NDArray[np.str_] | None = None,
    made_patients: npt.NDArray[np.str_] | None = None,
    matched: bool = False,
    note: str = "",
) -> Score:
    """Mean over pairs of synthetic images, and of held-out real ones, with Student and Welch intervals.

    The best score is the floor's, whatever the measure.

    Args:
        made, fresh: (N,) each, N of 2 or more.
        patients: (N,) of `fresh`; images of one patient count as one draw in the standard error.
        made_patients: (N,) of `made`, where what is judged has patients, as real images do.
        matched: entry i of both shares an image, so the gap is a mean of differences.
    """
    gap, freedom = (
        _mean(made - fresh, patients) if matched else _difference(made, fresh, made_patients, patients)
    )
    return Score(
        metric=metric,
        part=part.name,
        protocol=protocol,
        value=_mean(made, made_patients)[0],
        floor=_mean(fresh, patients)[0],
        gap=gap,
        better="floor",
        n_reference=n_reference,
        n=len(made),
        note=note,
        freedom=freedom,
    )


def _mean(values: Values, patients: npt.NDArray[np.str_] | None = None) -> tuple[Estimate, float]:
    """With its degrees of freedom."""
    error, freedom = _error(values, patients)
    return interval(float(values.mean()), error, freedom), freedom


def _difference(
    made: Values,
    fresh: Values,
    made_patients: npt.NDArray[np.str_] | None,
    patients: npt.NDArray[np.str_] | None,
) -> tuple[Estimate, float]:
    """With its degrees of freedom (Welch 1947)."""
    sides = [_error(made, made_patients), _error(fresh, patients)]
    errors, freedoms = np.array([error for error, _ in sides]) ** 2, np.array([free for _, free in sides])
    total = float(errors.sum())
    freedom = total**2 / float((errors**2 / freedoms).sum()) if total else float(freedoms.sum())
    return interval(float(made.mean() - fresh.mean()), total**0.5, freedom), freedom


def _error(values: Values, patients: npt.NDArray[np.str_] | None) -> tuple[float, int]:
    """Standard error of the mean, and its degrees of freedom: patients, where they are known, less one."""
    names = np.arange(len(values)) if patients is None else np.unique(patients, return_inverse=True)[1]
    sums = np.bincount(names, values - values.mean())
    k = len(sums)
    if k < 2 and patients is not None:  # a single patient cannot show how patients differ
        return _error(values, None)
    return float(np.sqrt((sums**2).sum() * k / (k - 1)) / len(values)), k - 1


def interval(value: float, error: float, freedom: float, level: float = 0.95) -> Estimate:
    """Student's, from a standard error and its degrees of freedom."""
    half = error * float(stats.t.ppf((1 + level) / 2, freedom))
    return Estimate(value, value - half, value + half, level)
