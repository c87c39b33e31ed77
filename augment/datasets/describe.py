"""How a data set is understood: what a user looks at before training on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synthaug.augment.datasets.load import load_dataset, path_of
from synthaug.augment.files.atomic import replacing
from synthaug.augment.formats.registry import format_of
from synthaug.augment.images import PARTS, LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import resize, squared, with_bits, with_channels

COLUMNS, TILE = 8, 64  # images of each class on the contact sheet, and their side in pixels


@dataclass(frozen=True)
class Description:
    """What a data set is taken for.

    Attributes:
        splits: as training would have it.
        format: hdf5, npz, folder, dicom, csv, or "named".
    """

    spec: str
    splits: Splits
    format: str

    @property
    def parts(self) -> dict[str, LabeledImages]:
        """The three parts by name."""
        return {name: getattr(self.splits, name) for name in PARTS}

    def as_dict(self) -> dict[str, Any]:
        """Plain values: classes with their images in each part, split, patients, shape, bits, passed over."""
        train = self.splits.train
        groups = [part.groups for part in self.parts.values()]
        patients = {name for group in groups if group is not None for name in group.tolist()} - {"synthetic"}
        return {
            "dataset": self.spec,
            "format": self.format,
            "classes": {
                name: {part: images.counts()[name] for part, images in self.parts.items()}
                for name in self.splits.class_names
            },
            "images": sum(map(len, self.parts.values())),
            "synthetic": sum(int(part.synthetic.sum()) for part in self.parts.values()),
            "split": "the data set's own" if self.splits.official else "drawn here",
            "patients": len(patients) if patients else None,
            "image_shape": list(train.image_shape),
            "bits": 8 * train.pixels.dtype.itemsize,
            "levels": [int(train.pixels.min()), int(train.pixels.max())],
            "passed_over": dict(train.passed_over),
        }

    def contact_sheet(self) -> Image.Image:
        """The first training images of every class, a row each."""
        rows = []
        for label in range(len(self.splits.class_names)):
            some = self.splits.train.take(np.flatnonzero(self.splits.train.labels == label)[:COLUMNS])
            tiles = np.zeros((COLUMNS, 3, TILE, TILE), np.uint8)
            if len(some):
                tiles[: len(some)] = with_channels(resize(squared(with_bits(some, 8), "pad"), TILE), 3).pixels
            rows.append(np.concatenate(tiles.transpose(0, 2, 3, 1), axis=1))
        return Image.fromarray(np.concatenate(rows))

    def write_contact_sheet(self, path: Path) -> None:
        """Write the sheet as a picture; a killed process leaves the old file or the new one."""
        with replacing(path) as fresh:
            self.contact_sheet().save(fresh, format="PNG")


def describe(spec: str, options: ReadOptions = ReadOptions()) -> Description:
    """Read a data set by name or path and say what it is taken for.

    Raises:
        DataError, UsageError: as `load_dataset`.
    """
    path = path_of(spec, options)
    kind = "named" if path is None else format_of(path)
    return Description(spec, load_dataset(spec, options), kind)
