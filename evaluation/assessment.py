"""Everything that is said of a set of synthetic images: scores, memorization, what kind of wrong, a light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from synthaug.augment.blend import match_classes
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.diagnosis import Finding, View, diagnose
from synthaug.evaluation.diversity import diversity
from synthaug.evaluation.features import Extractor
from synthaug.evaluation.fidelity import fidelity_scores
from synthaug.evaluation.memorization import Memorization, measure_memorization
from synthaug.evaluation.pairs import nearest_real
from synthaug.evaluation.perceptual import Perceptual
from synthaug.evaluation.protocol import LARGEST, Sets, comparable_sets, parts_of
from synthaug.evaluation.published import published_form
from synthaug.evaluation.score import Score

Light = Literal["red", "amber", "green"]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was found.

    Attributes:
        sets: the images that were compared.
        scores: fidelity in features, nearest-real pairs and diversity.
        published: numbers in the form that the field's tables have; never part of a judgement.
        closest: the synthetic images nearest to training images, and those training images; None where
            memorization was not looked for.
        findings: kinds of wrong, by name, with the evidence.
    """

    sets: Sets
    scores: Sequence[Score]
    published: Sequence[Score]
    memorization: Memorization | None
    closest: tuple[LabeledImages, LabeledImages] | None
    findings: Sequence[Finding]

    @property
    def worse(self) -> list[Score]:
        """Scores that are worse than new real images', allowing for how many are looked at.

        Looked at are the overall ones; where a class has no synthetic images, those of the other classes.
        """
        overall = [score for score in self.scores if score.part == "overall"] or list(self.scores)
        return [score for score in overall if score.is_worse(len(overall))]

    @property
    def light(self) -> Light:
        """Red: a near copy or a kind of wrong was found. Amber: some score is worse. Green: neither."""
        copied = self.memorization is not None and not self.memorization.passed
        if copied or self.findings:
            return "red"
        return "amber" if self.worse else "green"

    @property
    def sentence(self) -> str:
        """The light in words."""
        if self.light == "red":
            kinds = list(dict.fromkeys(finding.name for finding in self.findings))
            copies = self.memorization is not None and not self.memorization.passed
            found = ", ".join(["near copies of training images"] * copies + kinds)
            return f"Do not use these images as they are. Found: {found}."
        if self.light == "amber":
            metrics = ", ".join(dict.fromkeys(score.metric for score in self.worse))
            return f"No fault found, but the images differ measurably from new real images: {metrics}."
        n = min((score.n for score in self.scores), default=0)
        return f"No difference from new real images was shown, with the {n:,} images compared."

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "light": self.light,
            "assessment": self.sentence,
            "findings": [{"name": f.name, "part": f.part, "evidence": f.evidence} for f in self.findings],
            "fidelity": [score.as_dict() for score in self.scores],
            "published_form": [score.as_dict() for score in self.published],
            "memorization": None if self.memorization is None else self.memorization.as_dict(),
        }


def assess(
    real: Splits,
    synthetic: LabeledImages,
    domain: Extractor,
    extractors: Sequence[Extractor] = (),
    *,
    perceptual: Perceptual | None = None,
    memorization: bool = True,
    published: bool = False,
    largest: int = LARGEST,
    seed: int = 0,
) -> Assessment:
    """Judge synthetic images against the real ones of a data set; the test split is not looked at.

    Args:
        domain: the extractor that knows the classes; the diagnosis is made with it.
        extractors: those that fidelity is measured in; none takes `domain`.
        perceptual: LPIPS, where its weights are at hand.
        memorization: look for near copies of training images, among all synthetic images.
        published: add the numbers in published form.
        largest: images per set that are scored, at most.

    Raises:
        DataError: too few images, or no class in common.
    """
    sets = comparable_sets(real, synthetic, largest=largest, seed=seed)
    parts = parts_of(sets)
    scores = fidelity_scores(sets, parts, extractors or [domain], seed=seed)
    scores += nearest_real(sets, parts, perceptual)
    scores += diversity(sets, parts, perceptual, seed=seed)
    views = {name: View(images, domain.extract(images)) for name, images in sets.items()}
    memory, closest = _memorization(real, synthetic, domain, seed) if memorization else (None, None)
    return Assessment(
        sets=sets,
        scores=scores,
        published=published_form(sets, parts, perceptual, seed=seed) if published else [],
        memorization=memory,
        closest=closest,
        findings=diagnose(
            views["reference"],
            views["floor"],
            views["synthetic"],
            near_copies=None if memory is None else memory.near_copy_shares,
        ),
    )


def _memorization(
    real: Splits, synthetic: LabeledImages, domain: Extractor, seed: int
) -> tuple[Memorization, tuple[LabeledImages, LabeledImages]]:
    """Of all synthetic images, in pixels and in the domain's features; and the closest pairs as images."""
    channels, side, _ = real.train.image_shape
    made = with_channels(resize(match_classes(synthetic, real.class_names), side), channels)
    train, held_out, synthesised = (domain.extract(images).vectors for images in (real.train, real.val, made))
    features = {f"{domain.protocol.name} features": (train, held_out, synthesised)}
    found = measure_memorization(real.train, real.val, made, features, seed=seed)
    rows = [(pair.synthetic, pair.train) for pair in found.closest]
    return found, (made.take([row for row, _ in rows]), real.train.take([row for _, row in rows]))
