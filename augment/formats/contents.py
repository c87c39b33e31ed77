"""What a data set holds, counted while it goes by: a card and a Croissant description tell it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from synthaug.augment.images import PARTS, LabeledImages
from synthaug.augment.stream import ImageStream

MANY = 20  # generators or seeds that are named one by one
FOLDERS = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s\\/]+[\\/])+")  # of an absolute path


@dataclass
class Contents:
    """Counts of a stream that has gone by, and what is known of the whole set.

    Attributes:
        stream: whose class names, shape, depth and facts are told.
        counts: images by (label, split or "", synthetic).
        generators: SHA-256 of those that synthetic images name.
        seeds: of the synthetic images.
    """

    stream: ImageStream
    counts: Counter[tuple[int, str, bool]] = field(default_factory=Counter)
    generators: set[str] = field(default_factory=set)
    seeds: set[int] = field(default_factory=set)

    def watched(self, batches: Iterable[LabeledImages]) -> Iterator[LabeledImages]:
        """The same batches, counted as they go by."""
        for batch in batches:
            parts = [""] * len(batch) if batch.split is None else batch.split.tolist()
            self.counts.update(zip(batch.labels.tolist(), parts, batch.synthetic.tolist(), strict=True))
            if batch.provenance is not None and max(len(self.generators), len(self.seeds)) <= MANY:
                made = batch.provenance[batch.synthetic]
                self.generators.update(name.decode() for name in np.unique(made["generator"]) if name)
                self.seeds.update(np.unique(made["seed"]).tolist()[: MANY + 1])
            yield batch

    def number(self, label: int | None = None, split: str | None = None, made: bool | None = None) -> int:
        """Images of a class, a split and an origin; None is all."""
        wanted = (label, split, made)
        return sum(
            n
            for key, n in self.counts.items()
            if all(want is None or want == has for want, has in zip(wanted, key, strict=True))
        )

    @property
    def splits(self) -> list[str]:
        """The splits that occur, in order; [""] where the set is not divided."""
        return [part for part in ("", *PARTS) if self.number(split=part)]

    def fact(self, name: str) -> str:
        """A fact of the whole set on one line, without the folders of any path in it; "" where unknown."""
        return " ".join(FOLDERS.sub("", str(self.stream.attributes.get(name, ""))).split())

    @property
    def source(self) -> str:
        """The name of the data set or file that the images come from."""
        return Path(self.fact("source")).name

    @property
    def licence(self) -> str:
        """As stated for the set; "" where it is not."""
        return self.fact("licence")

    @property
    def kind(self) -> str:
        """Real, synthetic, or both."""
        real, made = self.number(made=False), self.number(made=True)
        return "real and synthetic" if real and made else "synthetic" if made else "real"
