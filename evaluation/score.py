"""One number with everything needed to read it: interval, floor, protocol, counts, the reading in words."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from synthaug.evaluation.statistics import Estimate, student_quantile

Better = Literal["higher", "lower", "floor"]


@dataclass(frozen=True)
class Protocol:
    """What a number was measured in, as far as another number must share it to be compared.

    Attributes:
        name: the extractor, or the kind of pairs.
        layer: of the network, or what the vectors are.
        preprocessing: size and value range that the images were brought to.
        weights: SHA-256 of the network's weights; empty where there is no network.
        dimensions: of the vectors; 0 where images are compared pair by pair.
    """

    name: str
    layer: str
    preprocessing: str
    weights: str = ""
    dimensions: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.layer}), {self.preprocessing}{self._weights}"

    @property
    def definition(self) -> str:
        """Without the name, for a measure of pairs."""
        return f"{self.layer}; {self.preprocessing}{self._weights}"

    @property
    def _weights(self) -> str:
        return f", weights {self.weights[:8]}" if self.weights else ""


@dataclass(frozen=True)
class Score:
    """A metric of synthetic images beside its floor.

    Attributes:
        part: "overall" or a class name.
        value: of the synthetic images.
        floor: of as many held-out real images in their place: what new real images score.
        gap: value - floor, resampled together.
        better: the direction of "good"; "floor" where both more and less than real images is worse.
        n_reference, n: real images compared with, and images (or pairs) in each of the two sets compared.
        note: a warning in words, or empty.
        freedom: degrees of freedom of the intervals, which are Student's.
        comparisons: scores looked at together, this one among them (`together`).
    """

    metric: str
    part: str
    protocol: Protocol
    value: Estimate
    floor: Estimate
    gap: Estimate
    better: Better
    n_reference: int
    n: int
    note: str = ""
    freedom: float = math.inf
    comparisons: int = 1

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval of the gap lies on the bad side of zero.

        It is widened for the scores looked at together (Bonferroni), so that of equally good sets no more
        than one in twenty is called worse by any.
        """
        tail = (1 - self.gap.level) / 2
        wide, plain = (student_quantile(p, self.freedom) for p in (tail / self.comparisons, tail))
        widen = wide / plain
        below = self.gap.value + widen * (self.gap.high - self.gap.value) < 0
        above = self.gap.value - widen * (self.gap.value - self.gap.low) > 0
        return {"higher": below, "lower": above, "floor": below or above}[self.better]

    @property
    def as_good_as_real(self) -> bool:
        """The rule behind a green number, on the page, in JSON and on the command line."""
        return not self.is_worse

    @property
    def reading(self) -> str:
        """In plain words, what the number says."""
        if self.as_good_as_real:
            return "no difference shown"
        if self.better == "floor":
            return f"{'above' if self.gap.value > 0 else 'below'} new real images"
        return "worse than new real images"

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        facts = asdict(self)
        facts["freedom"] = self.freedom if math.isfinite(self.freedom) else None
        return facts | {"reading": self.reading, "as_good_as_real": self.as_good_as_real}


def together(scores: Sequence[Score]) -> list[Score]:
    """The scores as numbers that are looked at together: any may call the set worse."""
    return [replace(score, comparisons=len(scores)) for score in scores]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one extractor, or of one form of pairs, that belong side by side."""

    title: str
    scores: Sequence[Score]

    @property
    def metrics(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys(score.metric for score in self.scores))

    @property
    def parts(self) -> list[str]:
        """ "overall" and class names, in order."""
        return list(dict.fromkeys(score.part for score in self.scores))

    @property
    def definitions(self) -> list[str]:
        """What each measure of pairs is, and at which size and value range; the title says it of features."""
        return list(dict.fromkeys(s.protocol.definition for s in self.scores if not s.protocol.dimensions))

    @property
    def notes(self) -> list[str]:
        """Warnings in words, each once."""
        return list(dict.fromkeys(f"{s.part}: {s.note}" for s in self.scores if s.note))

    def find(self, part: str, metric: str) -> Score | None:
        """The score at a place of the table."""
        return next((s for s in self.scores if (s.part, s.metric) == (part, metric)), None)

    def counts(self, part: str) -> str:
        """How many images stand behind a part's numbers, in words."""
        score = self.first(part)
        reference = f"reference {score.n_reference:,} real, " if score.n_reference else ""
        what = "" if score.protocol.dimensions else " pairs"
        return f"{reference}{score.n:,} synthetic{what}, {score.n:,} held-out real{what}"

    def first(self, part: str) -> Score:
        """A score of the part; all of a table share their counts."""
        return next(score for score in self.scores if score.part == part)


def tables(scores: Sequence[Score]) -> list[ScoreTable]:
    """The scores by protocol; measures of pairs, each with a protocol of its own, by their kind of pairs."""
    groups: dict[str, list[Score]] = {}
    for score in scores:
        title = str(score.protocol) if score.protocol.dimensions else score.protocol.name
        groups.setdefault(title, []).append(score)
    return [ScoreTable(title, members) for title, members in groups.items()]
