"""One number with everything needed to read it: interval, floor, protocol, counts, and the reading in words."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from synthaug.evaluation.statistics import Estimate

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
        weights = f", weights {self.weights[:8]}" if self.weights else ""
        return f"{self.name} ({self.layer}), {self.preprocessing}{weights}"


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

    @property
    def as_good_as_real(self) -> bool:
        """The rule behind the green light: the gap's interval reaches zero or lies on the good side of it."""
        worse_below, worse_above = self.gap.high < 0, self.gap.low > 0
        if self.better == "higher":
            return not worse_below
        if self.better == "lower":
            return not worse_above
        return not (worse_below or worse_above)

    @property
    def reading(self) -> str:
        """In plain words, what the number says."""
        if self.as_good_as_real:
            return f"no difference from new real images shown (n={self.n})"
        if self.better == "floor":
            return f"{'above' if self.gap.value > 0 else 'below'} what new real images score"
        return "worse than new real images"

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        return asdict(self) | {"reading": self.reading, "as_good_as_real": self.as_good_as_real}
