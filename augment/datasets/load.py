"""Data sets by name or path: `load_dataset` is the one door to real images."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from synthaug.augment.datasets.medmnist import find_medmnist, load_medmnist, medmnist_names
from synthaug.augment.datasets.mednist import find_mednist, load_mednist
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.folder import is_image_folder, summarise_folder
from synthaug.augment.formats.registry import format_of, heeded, read_images
from synthaug.augment.images import PARTS, LabeledImages, Splits
from synthaug.augment.labels import normal_first
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.reading import EVERYWHERE, RULES, DataSource, ReadOptions
from synthaug.augment.splits import draw_splits, recorded_splits
from synthaug.augment.stream import wrote
from synthaug.augment.transforms import as_asked


@dataclass(frozen=True)
class Request:
    """What is asked of a data set: `load_dataset`'s options, and the parameters within its spec."""

    options: ReadOptions
    parameters: dict[str, float]


@dataclass(frozen=True)
class DatasetEntry:
    """A data set that has a name.

    Attributes:
        load: gives its splits.
        find: where it is below a data root, or None; the built-in set is everywhere.
        images: how many, as published.
        classes, licence: for the table.
    """

    load: Callable[[Request], Splits]
    find: Callable[[Path], Path | None]
    images: int | None
    classes: tuple[str, ...]
    licence: str


def load_dataset(spec: str, options: ReadOptions = ReadOptions()) -> Splits:
    """Training, validation and test images of a data set.

    Args:
        spec: a name of `datasets`, a folder below the data root, or a path (.h5, .npz, class folders, DICOM).
            The phantom takes parameters: "phantom:n=2000,abnormal=0.1,seed=3".
        options: what is asked of it; a named data set heeds `EVERYWHERE` only.

    Raises:
        DataError: unknown, missing, truncated or empty, in one line that says what to do.
        UsageError: something is asked of it that its format does not have.
    """
    name, parameters = _parse(spec)
    request = Request(options, parameters)
    entries = named_datasets()
    if name in entries:
        refuse_unheeded(options, EVERYWHERE, f"{name}, a data set with a form of its own,")
        splits = entries[name].load(request)
    elif (path := path_of(spec, options)) is not None:
        splits = _load_path(path, options)
    else:
        known = ", ".join([*entries, *local_folders(options.data_root)])
        raise DataError(f"no data set {spec!r}: expected a path or one of {known}")
    splits = splits.map(lambda part: as_asked(part, options))
    if options.rules == RULES and splits.train.by_rules:
        former = {name: replace(getattr(splits, name), former=Former(spec, options, name)) for name in PARTS}
        splits = replace(splits, **former)
    return replace(splits, source=DataSource(spec, options))


@dataclass(frozen=True)
class Former:
    """A part of a data set as rules 1 read it, for generators that remember their images so."""

    spec: str
    options: ReadOptions
    part: str

    def __call__(self) -> LabeledImages:
        """Read it."""
        part: LabeledImages = getattr(load_dataset(self.spec, replace(self.options, rules=1)), self.part)
        return part


def path_of(spec: str, options: ReadOptions = ReadOptions()) -> Path | None:
    """Where a data set without a name of its own is: a path, or below the data root; None if nowhere."""
    if _parse(spec)[0] in named_datasets():
        return None
    return next((path for path in (Path(spec), options.data_root / spec) if path.exists()), None)


def options_for(options: ReadOptions, spec: str, *others: str | None) -> ReadOptions:
    """What is asked of one of several data sets that are read together: what its format has.

    Args:
        others: data sets that the rest may be meant for; None is none.

    Raises:
        UsageError: something that none of them has.
    """
    specs = [spec, *filter(None, others)]
    if len(specs) == 1:  # what does not fit is refused where the files are read
        return options
    paths = [path_of(one, options) for one in specs]
    known = [EVERYWHERE if path is None else heeded(path) for path in paths]
    refuse_unheeded(options, set(chain(*known)), " or ".join(specs))
    return options.only(known[0])


def refuse_one_class(splits: Splits, spec: str, options: ReadOptions = ReadOptions()) -> None:
    """Stop before training on a folder or table of one class, unless synthaug wrote it.

    A folder one level too high looks so. One class is right in synthetic images and in what is evaluated.

    Raises:
        DataError: so.
    """
    path = path_of(spec, options)
    outside = path is not None and format_of(path) in ("folder", "csv", "dicom") and not wrote(path)
    if outside and len(splits.class_names) == 1 and not options.trust_layout:
        raise DataError(
            f"{spec}: found one class, {splits.class_names[0]!r}, expected two or more: name the folder that "
            "the class folders lie in, or the table that has the classes; --trust-layout takes it as it lies"
        )


def named_datasets() -> dict[str, DatasetEntry]:
    """Every data set that has a name, in the order of the table. Adding one is one entry here."""
    return {
        "phantom": DatasetEntry(_phantom, lambda root: None, None, ("normal", "abnormal"), "none, made here"),
        "mednist": DatasetEntry(
            lambda r: load_mednist(r.options.data_root, r.options.split_seed),
            find_mednist,
            58_954,
            ("AbdomenCT", "BreastMRI", "ChestCT", "CXR", "Hand", "HeadCT"),
            "CC BY-SA 4.0",
        ),
        **{name: _medmnist_entry(name, facts) for name, facts in medmnist_names().items()},
    }


def local_folders(root: Path) -> list[str]:
    """Folders of class folders below a data root: each is a data set by its folder's name."""
    if not root.is_dir():
        return []
    own = {"MedNIST", "medmnist"}
    return [path.name for path in sorted(root.iterdir()) if path.name not in own and is_image_folder(path)]


def _medmnist_entry(name: str, facts: dict[str, Any]) -> DatasetEntry:
    multi_label = facts["task"].startswith("multi-label")
    return DatasetEntry(
        load=lambda r: load_medmnist(name, r.options.data_root, r.options.size),
        find=lambda root: find_medmnist(name, root) or find_medmnist(name, root, 64),
        images=sum(facts["n_samples"].values()),
        classes=("normal", "abnormal") if multi_label else tuple(facts["label"].values()),
        licence=facts["license"],
    )


def _phantom(request: Request) -> Splits:
    parameters = {"n": 2000.0, "abnormal": 0.25, "seed": 0.0} | request.parameters
    unknown = set(parameters) - {"n", "abnormal", "seed"}
    if unknown or not 0 < parameters["abnormal"] < 1:
        raise DataError(
            f"phantom options {request.parameters}: expected n, abnormal (between 0 and 1) and seed"
        )
    n = round(parameters["n"])
    abnormal = round(n * parameters["abnormal"])
    images = phantom([n - abnormal, abnormal], request.options.size or 64, round(parameters["seed"]))
    return draw_splits(images, "phantom", val=0.15, test=0.35, seed=request.options.split_seed)


def _load_path(path: Path, options: ReadOptions) -> Splits:
    images = read_images(path, options)
    if images.split is None:
        return draw_splits(normal_first(images), path.stem, seed=options.split_seed)
    return recorded_splits(images, path.stem, seed=options.split_seed)


def _parse(spec: str) -> tuple[str, dict[str, float]]:
    match = re.fullmatch(r"(phantom):(.*)", spec)
    if match is None:
        return spec, {}
    try:
        pairs = [pair.split("=") for pair in match[2].split(",")]
        return match[1], {key.strip(): float(value) for key, value in pairs}
    except ValueError:
        raise DataError(f"{spec!r}: expected phantom:n=2000,abnormal=0.25,seed=0") from None


def list_datasets(options: ReadOptions = ReadOptions()) -> list[dict[str, Any]]:
    """One row per data set: name, where it is found (or ""), images (None: unknown), classes, licence."""
    root = options.data_root
    rows = []
    for name, entry in named_datasets().items():
        found = "built in" if name == "phantom" else str(entry.find(root) or "")
        rows.append((name, found, entry.images, list(entry.classes), entry.licence))
    for name in local_folders(root):
        try:
            classes, count = summarise_folder(root / name)
            rows.append((name, str(root / name), count, list(classes), "your own folder"))
        except DataError as error:  # the table shows what is wrong with it
            rows.append((name, str(root / name), None, [], str(error)))
    columns = ("name", "found", "images", "classes", "licence")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def licence_of(spec: str) -> str:
    """Of a named data set; a path's licence is its owner's."""
    entry = named_datasets().get(_parse(spec)[0])
    return entry.licence if entry else "as the source data set's"


def read_part(spec: str, part: str = "all", options: ReadOptions = ReadOptions()) -> LabeledImages:
    """Images of a file as they stand in it, or of a data set's train, val, test or all.

    Raises:
        DataError: as `load_dataset`.
        UsageError: no such part.
    """
    path = Path(spec)
    if part == "all" and path.exists() and spec not in named_datasets():
        return read_images(path, options)
    splits = load_dataset(spec, options)
    if part == "all":
        return splits.joined()
    if part not in PARTS:
        raise UsageError(f"part {part!r}: expected train, val, test or all")
    images: LabeledImages = getattr(splits, part)
    return replace(images, split=np.full(len(images), part))
