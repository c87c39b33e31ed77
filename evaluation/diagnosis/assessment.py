"""Everything that is said of a set of synthetic images: scores, memorization, what kind of wrong, a light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from synthaug.augment.blend import match_classes
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.transforms import matching
from synthaug.evaluation.diagnosis.findings import Finding, View, diagnose
from synthaug.evaluation.fidelity.diversity import diversity
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.fidelity.pairs import nearest_real
from synthaug.evaluation.fidelity.perceptual import Perceptual
from synthaug.evaluation.fidelity.published import published_form
from synthaug.evaluation.fidelity.scores import fidelity_scores
from synthaug.evaluation.memorization.scores import Memorization, measure_memorization
from synthaug.evaluation.protocol import (
    LARGEST,
    SMALLEST,
    Part,
    Sets,
    comparable_sets,
    left_out,
    parts_of,
)
from synthaug.evaluation.score import Score, together

Light = Literal["red", "amber", "green"]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was found.

    Attributes:
        sets: the images that were compared.
        parts: what the scores are of.
        scores: fidelity in features, nearest-real pairs and diversity.
        published: numbers in the form that the field's tables have; never part of a judgement.
        closest: the synthetic images nearest to training images, and those training images; None where
            memorization was not looked for.
        findings: kinds of wrong, by name, with the evidence.
    """

    sets: Sets
    parts: Sequence[Part]
    scores: Sequence[Score]
    published: Sequence[Score]
    memorization: Memorization | None
    closest: tuple[LabeledImages, LabeledImages] | None
    findings: Sequence[Finding]

    @property
    def worse(self) -> list[Score]:
        """Scores, overall and of classes, that are worse, allowing for how many are looked at together."""
        return [score for score in self.scores if score.is_worse]

    @property
    def copied(self) -> bool:
        """Whether there are more near copies of training images than false alarms explain."""
        return self.memorization is not None and self.memorization.beyond_chance

    @property
    def light(self) -> Light:
        """Red: copies or a kind of wrong were found. Amber: some score is worse, or images want a look."""
        if self.copied or self.findings:
            return "red"
        flagged = self.memorization is not None and not self.memorization.passed
        return "amber" if self.worse or flagged else "green"

    @property
    def sentence(self) -> str:
        """The light in words."""
        return " ".join(filter(None, (self._verdict, self._unjudged)))

    @property
    def _verdict(self) -> str:
        if self.light == "red":
            kinds = dict.fromkeys(finding.name for finding in self.findings)
            names = ", ".join(["near copies of training images"] * self.copied + list(kinds))
            return f"Do not use these images as they are. Found: {names}."
        if self.worse:
            places: dict[str, list[str]] = {}
            for score in self.worse:
                places.setdefault(score.part, []).append(score.metric)
            words = "; ".join(f"{part}: {', '.join(dict.fromkeys(names))}" for part, names in places.items())
            return f"No fault found, but the images differ measurably from new real images ({words})."
        n = sum(part.n for part in self.parts if part.name != "overall")
        if self.light == "amber" and self.memorization is not None:
            copies = len(self.memorization.near_copies)
            return f"No fault found; look at {copies} images that resemble training images."
        return f"No difference from new real images was shown, with the {n:,} images compared."

    @property
    def _unjudged(self) -> str:
        missing = left_out(self.sets, self.parts)
        if not missing:
            return ""
        words = ", ".join(f"{name} ({n} synthetic)" for name, n in missing.items())
        return f"Not judged, with fewer than {SMALLEST} images in a set: {words}."

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "light": self.light,
            "assessment": self.sentence,
            "left_out": left_out(self.sets, self.parts),
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
        parts=parts,
        scores=together(scores),
        published=together(published_form(sets, parts, perceptual, seed=seed)) if published else [],
        memorization=memory,
        closest=closest,
        findings=diagnose(
            views["reference"],
            views["floor"],
            views["synthetic"],
            near_copies=None
            if memory is None
            else memory.near_copy_shares
            if memory.beyond_chance
            else (0, 0),
        ),
    )


def _memorization(
    real: Splits, synthetic: LabeledImages, domain: Extractor, seed: int
) -> tuple[Memorization, tuple[LabeledImages, LabeledImages]]:
    """Of all synthetic images, in pixels and in the domain's features; and the closest pairs as images."""
    made = matching(match_classes(synthetic, real.class_names), real.train)
    train, held_out, synthesised = (domain.extract(images).vectors for images in (real.train, real.val, made))
    features = {f"{domain.protocol.name} features": (train, held_out, synthesised)}
    memorization = measure_memorization(real.train, real.val, made, features, seed=seed)
    rows = [(pair.synthetic, pair.train) for pair in memorization.closest]
    return memorization, (made.take([row for row, _ in rows]), real.train.take([row for _, row in rows]))
