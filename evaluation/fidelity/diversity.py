"""Diversity within a class: how unlike each other two images of it are, beside two held-out real ones.

A generator that has collapsed makes images that look alike one by one and pass every measure of a single
image. Pairs of different classes would hide this (six classes of one image each differ), so none is ever
drawn.
"""

import logging
from collections.abc import Sequence

import numpy as np
import piq
import torch
from torch import Tensor

from synthaug.augment.images import Indices, LabeledImages
from synthaug.evaluation.fidelity.pairs import (
    PairMeasure,
    compare_pairs,
    measures_with,
    score_of_pairs,
    side_of,
)
from synthaug.evaluation.fidelity.perceptual import Perceptual
from synthaug.evaluation.protocol import Part, Sets
from synthaug.evaluation.score import Score

log = logging.getLogger("synthaug")

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of the five scales (Wang et al. 2003)
WINDOW = 11  # px
SMALLEST = 32  # px: below, fewer than two scales hold more than a few windows
PAIRS = "random disjoint pairs within a class"


def diversity(
    sets: Sets, parts: Sequence[Part], perceptual: Perceptual | None = None, pairs: int = 500, seed: int = 0
) -> list[Score]:
    """Mean LPIPS and mean MS-SSIM of random pairs within a class: no image is in two pairs.

    LPIPS as in MUNIT (Huang et al. 2018) and StarGAN v2 (Choi et al. 2020): 0 where all images are one.
    MS-SSIM as in Odena et al. (2017): 1 where all images are one. Both should be what pairs of held-out real
    images score. "Overall" draws from all classes in the part's proportions, each pair within one class.

    Args:
        perceptual: the LPIPS network; None leaves LPIPS out.
        pairs: of each part at most; a part of n images has at most n / 2.

    Returns:
        Scores whose `n` counts pairs; no reference image is compared with. MS-SSIM is left out with a warning
        under 32 px.
    """
    measures = {}
    if perceptual is not None:
        measures["LPIPS diversity"] = measures_with(perceptual)["LPIPS"]
    side = side_of(sets)
    if side >= SMALLEST:
        measures["MS-SSIM diversity"] = ms_ssim_measure(side)
    else:
        instead = "read LPIPS diversity instead"
        log.warning(
            "MS-SSIM diversity left out: images of %d px, expected %d or more: %s", side, SMALLEST, instead
        )
    scores = []
    for part in parts:
        values = []
        for images, rows in ((sets.synthetic, part.synthetic), (sets.floor, part.floor)):
            first, second = disjoint_pairs(images, rows, pairs, seed)
            values.append(compare_pairs(measures, images, first, images, second))
        n = min(len(of_measure) for of_set in values for of_measure in of_set.values()) if measures else 0
        if n < 2:
            log.warning("diversity of %s left out: %d pairs of different patients, expected 2", part.name, n)
            continue
        for name, measure in measures.items():
            made, fresh = (of_set[name][:n] for of_set in values)
            protocol = measure.protocol(PAIRS, side)
            scores.append(score_of_pairs(name, part, protocol, made, fresh, n_reference=0))
    return scores


def disjoint_pairs(images: LabeledImages, rows: Indices, most: int, seed: int = 0) -> tuple[Indices, Indices]:
    """First and second images of at most so many random pairs among `rows`, each within one class.

    Every image, and every patient where they are known, is in one pair at most: images of one patient are
    alike, and pairs are independent. The draw depends on the order of the rows, which is that of content.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for label in np.unique(images.labels[rows]):
        members = rng.permutation(rows[images.labels[rows] == label])
        if images.groups is not None:
            members = members[np.unique(images.groups[members], return_index=True)[1]]
            members = rng.permutation(members)
        drawn.append(members[: len(members) // 2 * 2].reshape(-1, 2))
    chosen = rng.permutation(np.concatenate(drawn))[:most]
    return chosen[:, 0], chosen[:, 1]


def ms_ssim_measure(side: int) -> PairMeasure:
    """MS-SSIM (Wang et al. 2003) on as many of its five scales as images of a side have room for.

    Each scale halves the image and must still hold the window of 11 px: two scales from 21 px on, three from
    41, four from 81, five from 161. The weights of the scales that remain are scaled to sum to 1, so values
    of another number of scales do not compare. Contrast below zero counts as zero, channels are averaged.
    """
    scales = sum(side >= (WINDOW - 1) * 2**scale + 1 for scale in range(len(SCALES)))
    weights = torch.tensor(SCALES[:scales])

    def compare(first: Tensor, second: Tensor) -> Tensor:
        value: Tensor = piq.multi_scale_ssim(
            first, second, kernel_size=WINDOW, data_range=1.0, reduction="none", scale_weights=weights
        )
        return value

    definition = f"MS-SSIM (Wang 2003), the first {scales} of 5 scales, Gaussian window of {WINDOW} px"
    return PairMeasure(compare, "higher", definition, SMALLEST)
