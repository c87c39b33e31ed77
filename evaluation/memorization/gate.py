"""The gate in front of every file of synthetic images: no near copy of a training image leaves unnoticed."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import GateError
from synthaug.augment.fingerprint import SeenImages
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.evaluation.memorization.near_copies import CopyDetector

log = logging.getLogger("synthaug")

ATTRIBUTE = "memorization_gate"  # of every file written: what was checked, or that it was not
OVERRIDE = "--allow-near-copies"
NAMED = 10  # images that a refusal names


@dataclass(frozen=True)
class MemorizationGate:
    """Looks at synthetic images on their way to a file.

    Attributes:
        near_copies: (N,) bool of a batch; what it says of an image depends on no other image.
        against: what the images are compared with, in words; empty where there is nothing.
        altered: whether shifted, mirrored, brighter and noisy copies are found, not only exact ones.
        note: what else the files must say.
    """

    near_copies: Callable[[LabeledImages], npt.NDArray[np.bool_]]
    against: str
    altered: bool = True
    note: str = ""

    @classmethod
    def of_training_images(cls, detector: CopyDetector, name: str) -> "MemorizationGate":
        """Compares pixels, tolerant to shifts, mirroring, brightness and noise (see `copies`)."""
        return cls(detector.near_copies, f"pixels of {len(detector.train):,} training images of {name}")

    @classmethod
    def of_fingerprints(cls, seen: SeenImages, name: str) -> "MemorizationGate":
        """Compares what a generator file remembers of its training images: finds exact copies only."""
        against = f"fingerprints of {len(seen):,} training images in {name}"
        return cls(seen.look_alikes, against, altered=False)

    @classmethod
    def without_training_images(cls) -> "MemorizationGate":
        """Nothing to compare with: every image passes, and every file says that nothing was checked."""
        return cls(lambda images: np.zeros(len(images), dtype=bool), "", altered=False)

    def also(self, other: "MemorizationGate") -> "MemorizationGate":
        """Compares with the training images of both."""
        return MemorizationGate(
            lambda images: self.near_copies(images) | other.near_copies(images),
            " and ".join(filter(None, (self.against, other.against))),
            self.altered or other.altered,
            "; ".join(filter(None, (self.note, other.note))),
        )

    def guard(
        self, stream: ImageStream, *, allow: bool = False, judged: bool = False, before: str = ""
    ) -> ImageStream:
        """The same stream; once its last image has gone by it raises, if near copies were among them.

        `write_images` discards what it wrote when the stream raises. The result of the check stands among the
        stream's attributes.

        Args:
            allow: near copies may pass; the attributes say so.
            judged: near copies were taken out of the stream already, by this gate.
            before: what the files that the images come from say of their own check.

        Raises:
            GateError: when the stream ends, naming the near copies.
        """
        attributes = {**stream.attributes, ATTRIBUTE: self._verdict(allow, before)}
        batches = stream.batches if judged or not self.against else self._checked(stream, allow)
        return replace(stream, attributes=attributes, batches=batches)

    def _verdict(self, allow: bool, before: str) -> str:
        if not self.against:
            source = f"; its source says: {before}" if before else ""
            return f"not checked: no training images to compare with{source}"
        kind = "near copy" if self.altered else "exact copy (altered ones are not looked for)"
        verdict = f"overridden by {OVERRIDE}" if allow else f"passed, no {kind}"
        note = f"; {self.note}" if self.note else ""
        overridden = f"; its source says: {before}" if OVERRIDE in before else ""
        return f"{verdict}: compared with {self.against}{note}{overridden}"

    def _checked(self, stream: ImageStream, allow: bool) -> Iterator[LabeledImages]:
        copies: list[str] = []
        position = looked_at = 0
        for batch in stream.batches:
            rows = np.flatnonzero(batch.synthetic)
            if len(rows):
                flagged = rows[self.near_copies(batch.take(rows))]
                copies += [_name_of(batch, row, position + int(row)) for row in flagged]
            position += len(batch)
            looked_at += len(rows)
            yield batch
        if not copies:
            return
        more = f" and {len(copies) - NAMED} more" if len(copies) > NAMED else ""
        message = (
            f"{len(copies)} of {looked_at:,} synthetic images are near copies of training images "
            f"({', '.join(copies[:NAMED])}{more}; compared with {self.against})"
        )
        if not allow:
            raise GateError(f"{message}: nothing was written; leave them out, or add {OVERRIDE}")
        log.warning("%s: written all the same, as %s says", message, OVERRIDE)


def _name_of(batch: LabeledImages, row: int, position: int) -> str:
    """Class and index in the generator's sequence, or the position in the file."""
    name = batch.class_names[batch.labels[row]]
    if batch.provenance is None or not batch.provenance["generator"][row]:
        return f"{name} at position {position}"
    return f"{name} {batch.provenance['index'][row]}"
