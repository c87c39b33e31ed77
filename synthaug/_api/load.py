"""Images and data sets, given in memory or by name or path."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from synthaug.augment.datasets.describe import Description, describe
from synthaug.augment.datasets.load import list_datasets, load_dataset, refuse_one_class
from synthaug.augment.errors import UsageError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import OnProgress, reporting_to
from synthaug.augment.reading import ReadOptions

Data = str | Path | Splits
Images = str | Path | LabeledImages


def load(data: Data, *, on_progress: OnProgress | None = None, **options: Any) -> Splits:
    """Training, validation and test images of a data set.

    Args:
        data: a name (`synthaug datasets` lists them) or a path: a folder of class folders, DICOM, .h5, .npz,
            .csv. Splits in memory are returned as they are.
        on_progress: called with a `Progress` as images are decoded.
        **options: fields of `synthaug.augment.reading.ReadOptions`: root, split_seed, size, channels, bits,
            fit, window, label_from, group_from, images_from, skip_bad, …

    Returns:
        The splits. The test split is the data set's own, where it has one; else it is drawn by `split_seed`,
        stratified by class, no patient in two splits.

    Raises:
        DataError: the data set is unknown, missing, damaged or empty.
        UsageError: an option that its format does not have.
    """
    with reporting_to(on_progress):
        return as_splits(data, read_options(options))


def known_datasets(options: ReadOptions) -> list[dict[str, Any]]:
    """A row for each data set: name, found (where, or empty), images (None: unknown), classes, licence."""
    return list_datasets(options)


def described(data: str, options: ReadOptions) -> Description:
    """How a data set is understood: classes, counts, split, patients, levels, what was passed over."""
    return describe(data, options)


def read_options(options: dict[str, Any]) -> ReadOptions:
    """The record of reading options given by keyword.

    Raises:
        UsageError: there is no option of that name, or its value is out of bounds.
    """
    known = [field.name for field in fields(ReadOptions)]
    if unknown := sorted(set(options) - set(known)):
        raise UsageError(f"unknown option {', '.join(unknown)}: expected {', '.join(known)}")
    if options.get("root") is not None:
        options = {**options, "root": Path(options["root"])}
    return ReadOptions(**options)


def as_splits(data: Data, options: ReadOptions) -> Splits:
    """The data set: as given in memory, or read by name or path.

    Raises:
        DataError, UsageError: see `load`.
    """
    return data if isinstance(data, Splits) else load_dataset(str(data), options)


def as_training_splits(data: Data, options: ReadOptions) -> Splits:
    """The data set to train on: files of one class are refused, as a folder one level too high looks so.

    Raises:
        DataError, UsageError: see `load`.
    """
    splits = as_splits(data, options)
    if not isinstance(data, Splits):
        refuse_one_class(splits, str(data), options)
    return splits


def as_images(images: Images, options: ReadOptions) -> LabeledImages:
    """The images: as given in memory, or those of a file or folder.

    Raises:
        DataError, UsageError: the file is missing, damaged, or does not have what is asked for.
    """
    return images if isinstance(images, LabeledImages) else read_images(Path(images), options)
