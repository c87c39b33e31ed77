"""Numbers in the form of the field's published tables, to be set beside those and for nothing else.

The tables paired *random, unrelated* images. PSNR, MSE, SSIM, MS-GMSD and LPIPS of such pairs say how spread
out a data set is, not how good images are: real against real scores about 11.5 dB on ChestMNIST, and a
generator that has collapsed to the mean image 14.5 dB. It beats every honest generator by 3 dB of mean
squared error, since E|x - mean|² is half of E|x - y|². Their "FID" was a Fréchet distance of raw pixels,
which sees means and covariances only: fog of the same covariance scores as real images do.

Each number stands beside the floor of held-out real images in the same form. None of them is read as quality.
"""

from collections.abc import Sequence

import numpy as np

from synthaug.augment.images import Indices, LabeledImages
from synthaug.augment.transforms import resize_pixels, to_unit_range
from synthaug.evaluation.fidelity.features import Features
from synthaug.evaluation.fidelity.jackknife import estimate, freedom
from synthaug.evaluation.fidelity.metrics import score_all
from synthaug.evaluation.fidelity.pairs import (
    compare_pairs,
    defined,
    measures_with,
    patients_of,
    score_of_pairs,
    side_of,
    spread,
)
from synthaug.evaluation.fidelity.perceptual import Perceptual
from synthaug.evaluation.protocol import Part, Sets
from synthaug.evaluation.score import Protocol, Score

UNPAIRED = "random unpaired images of one class (published form: no fidelity, a mean image beats real ones)"
NO_QUALITY = "pairs of unrelated images: says how spread out the set is, not how good"
SIDE = 28  # px of the published tables; larger images are brought to it
SUBSETS = 10  # that the interval of pixel-fd is made from


def published_form(
    sets: Sets, parts: Sequence[Part], perceptual: Perceptual | None = None, seed: int = 0
) -> list[Score]:
    """PSNR, MSE, SSIM, MS-GMSD and LPIPS of unrelated images, and `pixel-fd`: for published tables only.

    What is wrong with the first five: a pair is a synthetic image and a random real training image of its
    class, which it was never meant to resemble. Real against real scores badly (11.5 dB on ChestMNIST) and a
    collapsed mean image *better* (14.5 dB). The reading is therefore against the floor on both sides. For
    `pixel-fd` see there.

    Args:
        perceptual: the LPIPS network; None leaves LPIPS out.
        seed: of the pairing. Each image is in one pair at most; the i-th synthetic image of a class and its
            i-th held-out image meet the same training image.

    Returns:
        Scores named `unpaired PSNR` and so on, whose `n` counts pairs (at most 2,000 of each part), and
        `pixel-fd`, whose `n` counts images.
    """
    if not parts:
        return []
    side = side_of(sets)
    measures = defined(measures_with(perceptual), side, "unpaired")
    partners = [random_partners(images, sets.reference, seed) for images in (sets.synthetic, sets.floor)]
    rows = []  # of each part: those of the synthetic images, and of the held-out ones beside them
    for part in parts:
        paired = (partners[0][part.synthetic] >= 0) & (partners[1][part.floor] >= 0)
        rows.append((spread(part.synthetic[paired]), spread(part.floor[paired])))
    used = [np.unique(np.concatenate(of_parts)) for of_parts in zip(*rows, strict=True)]
    values = [
        compare_pairs(measures, images, here, sets.reference, partner[here])
        for images, here, partner in zip((sets.synthetic, sets.floor), used, partners, strict=True)
    ]
    scores = []
    for part, (made, fresh) in zip(parts, rows, strict=True):
        for name, measure in measures.items():
            scores.append(
                score_of_pairs(
                    f"unpaired {name}",
                    part,
                    measure.protocol(UNPAIRED, side),
                    values[0][name][np.searchsorted(used[0], made)],
                    values[1][name][np.searchsorted(used[1], fresh)],
                    n_reference=len(made),
                    patients=patients_of(sets.floor, fresh),
                    matched=True,
                    note=NO_QUALITY,
                )
            )
        scores.append(pixel_fd(sets, part))
    return scores


def random_partners(images: LabeledImages, reference: LabeledImages, seed: int) -> Indices:
    """For each image the row of a random reference image of its class, none twice; -1 where none is left."""
    partners = np.full(len(images), -1)
    for label in np.unique(images.labels):
        rows = np.flatnonzero(images.labels == label)
        drawn = np.random.default_rng([seed, label]).permutation(np.flatnonzero(reference.labels == label))
        n = min(len(rows), len(drawn))
        partners[rows[:n]] = drawn[:n]
    return partners


def pixel_fd(sets: Sets, part: Part) -> Score:
    """The published "FID": a Fréchet distance of raw pixel vectors in [0, 1], at 28 px at most. Not an FID.

    What is wrong with it: it compares the mean image and the pixels' covariance, nothing that an eye or a
    classifier looks for, and with fewer images than pixels it mostly measures how few they are (real against
    real: 4.27 in the published form). Compare at one n, with its floor, and with nothing else.

    """
    reference, fresh, made = (
        _pixels(images, rows)
        for images, rows in (
            (sets.reference, part.reference),
            (sets.floor, part.floor),
            (sets.synthetic, part.synthetic),
        )
    )
    dimensions = made.vectors.shape[1]
    side = min(side_of(sets), SIDE)
    few = f"{part.n} images, {dimensions} dimensions: falls as n grows, compare at one n only"
    value, floor, gap = estimate(score_all, reference, fresh, made, ["FID"], rounds=SUBSETS)["FID"]
    return Score(
        metric="pixel-fd",
        part=part.name,
        protocol=Protocol(
            "pixels", "raw values (published form: no FID)", f"{side} px, [0, 1]", "", dimensions
        ),
        value=value,
        floor=floor,
        gap=gap,
        better="lower",
        n_reference=len(part.reference),
        n=part.n,
        note=few if part.n <= dimensions else "",
        freedom=freedom(fresh, made, SUBSETS),
    )


def _pixels(images: LabeledImages, rows: Indices) -> Features:
    """Vectors (rows, C · H · W) in [0, 1]."""
    pixels = images.pixels[rows]
    if min(images.image_shape[1:]) > SIDE:
        pixels = resize_pixels(pixels, SIDE)
    return Features(to_unit_range(pixels).flatten(1).numpy(), groups=patients_of(images, rows))
