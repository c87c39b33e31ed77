"""What kind of wrong a set of synthetic images is, in words and with the numbers that say so.

Each kind has a detector of its own: a small function with a rule, which measures the synthetic images and the
held-out real ones in the same way, the real ones being what a perfect generator would return. Detectors run
in an order, the ones that look at grey values first. Images that one of them finds spoilt are not judged
further: the label of noise is no news. What remains after a repair is found by running the diagnosis again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.diagnosis.image_faults import Found, channels_swapped, noise, scrambled, value_range
from synthaug.evaluation.diagnosis.image_statistics import SMALLEST, MeasuredSet, image_statistics
from synthaug.evaluation.diagnosis.label_faults import labels_wrong
from synthaug.evaluation.diagnosis.set_faults import (
    another_distribution,
    blurred,
    duplicated,
    gaussian,
    mean_image,
    one_image,
    without_twins,
)
from synthaug.evaluation.fidelity.features import Features

SMALLEST_SHARE = 0.01  # of near copies above the held-out images', below which nothing is said
CHANCE = 1e-3  # one-sided probability under which a surplus of near copies is not an accident


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: of the fault.
        evidence: what was measured, on the synthetic and on the held-out real images.
        part: "overall" or the class concerned.
    """

    name: str
    evidence: str
    part: str


@dataclass(frozen=True, eq=False)
class View:
    """One set of images and what the domain classifier says of it.

    Attributes:
        images: of the same size, channels and class names as the other sets'.
        features: vectors (N, D) and logits (N, K) of a classifier trained on the real training split.
    """

    images: LabeledImages
    features: Features


Detector = Callable[[MeasuredSet, MeasuredSet, MeasuredSet], Found]

# In this order: the faults that would make a later rule err come first.
DETECTORS: dict[str, Detector] = {
    "value range": value_range,
    "noise": noise,
    "mean image": mean_image,
    "one image per class": one_image,
    "rows or columns scrambled": scrambled,
    "colour channels swapped": channels_swapped,
    "duplicated images": duplicated,
    "full-covariance Gaussian": gaussian,
    "blurred": blurred,
    "another distribution": another_distribution,
}


def diagnose(
    reference: View,
    held_out: View,
    synthetic: View,
    *,
    near_copies: tuple[float, float] | None = None,
) -> list[Finding]:
    """Name what is wrong with the synthetic images; an empty list where no detector finds anything.

    The order of the images does not matter beyond ties, and nothing is drawn at random but the Gaussian
    images, always the same ones.

    Args:
        reference: real training images.
        held_out: real images that no training saw: what each rule measures beside the synthetic images.
        synthetic: what is judged. A class of fewer than ten images is judged with all others only, and
            fewer than ten images that are left to judge are not.
        near_copies: share of near copies of training images among the synthetic and among the held-out
            images, where these are more than false alarms explain (`Memorization.beyond_chance`), else zeros;
            None looks for exact copies of `reference` here.
    """
    real, fresh, left = _measured(reference), _measured(held_out), _measured(synthetic)
    findings = _copies(real, fresh, left, near_copies)
    for name, detect in DETECTORS.items():
        evidence_of = detect(real, fresh, left)
        findings += [Finding(name, evidence, part) for part, evidence in evidence_of.items()]
        if evidence_of and detect is duplicated:
            left = without_twins(fresh, left)
        elif evidence_of:
            left = left.take(
                np.flatnonzero([not {"overall", left.class_names[k]} & set(evidence_of) for k in left.labels])
            )
        if len(left) < SMALLEST:
            return findings
    return findings + [Finding(*evidence_of) for evidence_of in labels_wrong(fresh, left)]


def _measured(view: View) -> MeasuredSet:
    assert view.features.logits is not None
    logits = view.features.logits.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return MeasuredSet(
        view.images.labels,
        view.images.class_names,
        view.images.pixels,
        view.features.vectors.astype(np.float64),
        odds / odds.sum(axis=1, keepdims=True),
        image_statistics(view.images),
    )


def _copies(
    real: MeasuredSet, fresh: MeasuredSet, made: MeasuredSet, near: tuple[float, float] | None
) -> list[Finding]:
    """Training images among the synthetic ones: more than among held-out images, beyond chance and a percent.

    Sound because both shares count the same thing: held-out images resemble training images as much as
    another picture of the same kind can (MedNIST holds neighbouring slices), a memoriser's more.
    """
    known = real.statistics.content
    here, usual = near or (np.isin(s.statistics.content, known).mean() for s in (made, fresh))
    counts = [(round(share * len(s)), len(s)) for share, s in ((here, made), (usual, fresh))]
    chance = fisher_exact(np.array([[hits, n - hits] for hits, n in counts]), "greater").pvalue
    if here - usual < SMALLEST_SHARE or (near is None and chance > CHANCE):
        return []
    kind = "near copies of training images" if near else f"among the {len(real)} training images looked at"
    words = f"{here:.1%} of the images are {kind} (held-out real images: {usual:.1%})"
    return [Finding("training images returned", words, "overall")]
