"""How a folder of pictures is understood where no table says it: splits, classes, masks."""

import csv
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from synthaug.augment.errors import DataError
from synthaug.augment.files.columns import ROLES, key_of
from synthaug.augment.files.table import LABELS, split_name
from synthaug.augment.files.walk import files_below, is_document, is_picture, passed_over, say_passed_over
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import FACTS

log = logging.getLogger("synthaug")
MASK = re.compile(r"[ _-](mask|masks|seg|segmentation|groundtruth|gt|annotation)([ _-]?\d+)?$", re.IGNORECASE)
MASK_FOLDERS = {"mask", "masks", "segmentation", "segmentations", "groundtruth", "annotation", "annotations"}
IMAGE_FOLDERS = {"image", "images", "img", "imgs", "picture", "pictures", "original", "originals", "photos"}
# what pieces of one set are called, not classes: of an archive, of a disc, one patient each
PIECE = re.compile(
    r"(images?|imgs?|part|shard|batch|chunk|archive|zip|disc|disk|cd|volume|vol|patient|subject|case|study|"
    r"series|scan|pat|sub|pa|st|se)[ _-]*\d+$",
    re.IGNORECASE,
)
SAVED = re.compile(r"(train|val|test)\d+_(\d+(?:_\d+)*)$")  # medmnist's own pictures: split, number, labels
TRUST = "--trust-layout takes it as it lies"


@dataclass
class Layout:
    """What a folder's files are.

    Attributes:
        class_of: each picture's class, by its path below the folder; "" where only a table can tell it.
        split_of: its split, "" where there is none.
        passed_over: other files, counted by reason.
    """

    class_of: dict[str, str]
    split_of: dict[str, str]
    passed_over: dict[str, int] = field(default_factory=dict)


def layout_of(
    folder: Path, options: ReadOptions = ReadOptions(), say: Callable[..., None] = log.warning
) -> Layout:
    """The pictures below a folder with their class and split, as far as their places tell them.

    Known are class folders, train, val and test above or right below them, one folder around everything, the
    pictures that medmnist saves, and the dataset.json of StyleGAN's tools. Masks beside pictures are passed
    over.

    Args:
        options: with `trust_layout`, masks are pictures and every folder is a class.
        say: told of what is passed over, and of every class folder that is taken for another.

    Raises:
        DataError: there is no picture, or a class folder without any.
    """
    pictures: list[str] = []
    others: list[str] = []
    for path in files_below(folder):
        if not path.is_relative_to(folder / "__MACOSX"):
            (pictures if is_picture(path) else others).append(path.relative_to(folder).as_posix())
    pictures.sort()
    if not pictures:
        kinds = "".join(f", {n} of {kind}" for kind, n in passed_over(map(Path, others)).items())
        raise DataError(
            f"{folder}: found no image{kinds}, expected class folders of PNG, JPEG, TIFF or DICOM files"
        )
    masks = set() if options.trust_layout else masks_among(pictures)
    kept = [file for file in pictures if file not in masks]
    counted = passed_over(map(Path, others)) | ({"mask": len(masks)} if masks else {})
    if saved := _saved(kept, folder):
        return Layout(*saved, counted)
    parts = {file: file.split("/")[:-1] for file in kept}
    wrapper = _wrapper(parts.values())
    if wrapper:
        say("%s: took the folders in %s as classes, as nothing else is there", folder, "/".join(wrapper))
        parts = {file: folders[len(wrapper) :] for file, folders in parts.items()}
    split_of = _splits(parts)
    beside = [file for file in kept if split_of and not split_of[file]]
    for file in beside:
        del parts[file]
    if beside:
        counted["beside train and test"] = len(beside)
    class_of = {file: _class_folder(folders) for file, folders in parts.items()}
    short = _short_names({(split_of.get(file, ""), name) for file, name in class_of.items()})
    for long, name in short.items():
        if long != name:
            say("%s: took class folder %s for %s of another split", folder, long, name)
    if not options.trust_layout:
        _refuse_lost(folder, others, set(class_of.values()), len(wrapper))
        tables = [] if (folder / LABELS).exists() else tables_in(folder)
        refuse_pieces(folder, set(short.values()), tables)
        if tables and any(class_of.values()):
            say("%s: lies beside the pictures and is not read: name it in the folder's place", tables[0])
    say_passed_over(folder, counted, say)
    return Layout(
        {f: short[name] for f, name in class_of.items()}, {f: split_of.get(f, "") for f in parts}, counted
    )


def masks_among(files: Sequence[str]) -> set[str]:
    """Those that are outlines of others: x_mask.png of x.png, and masks/ beside images/."""
    stems = {_stem(file) for file in files}
    masks = {file for file in files if MASK.search(_stem(file)) and MASK.sub("", _stem(file)) in stems}
    folders = {"/".join(file.split("/")[:k]) for file in files for k in range(1, file.count("/") + 1)}
    beside: dict[str, set[str]] = {}
    for name in folders:
        above, _, last = name.rpartition("/")
        beside.setdefault(above, set()).add(key_of(last))
    for name in folders:
        above, _, last = name.rpartition("/")
        if key_of(last) in MASK_FOLDERS and beside[above] & IMAGE_FOLDERS:
            masks |= {file for file in files if file.startswith(f"{name}/")}
    return masks


def tables_in(folder: Path) -> list[Path]:
    """CSV files right in a folder that name pictures and say something of each, by their headers."""
    found = []
    for path in sorted(folder.glob("[!.]*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                columns = next(csv.reader(file), [])
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        keys = {key_of(column) for column in columns}
        told = [role for role, known in ROLES.items() if keys & set(map(key_of, known.known))]
        if "file" in told and len(told) > 1:
            found.append(path)
    return found


def refuse_pieces(where: object, classes: Collection[str], tables: Sequence[Path] = ()) -> None:
    """Stop at classes that are called as pieces of one set, as patients, or as pictures and their outlines.

    Args:
        tables: that may have the classes.

    Raises:
        DataError: all of several are.
    """
    keys = {key_of(name) for name in classes}
    pieces = len(classes) > 1 and all(PIECE.search(name) for name in classes)
    outlines = keys & MASK_FOLDERS and keys <= MASK_FOLDERS | IMAGE_FOLDERS
    if pieces or outlines:
        some = ", ".join(sorted(classes)[:3])
        table = f"name the table {tables[0]}" if tables else "name the table that has the classes"
        raise DataError(
            f"{where}: found folders {some} of {len(classes)}, which are called as parts of a set, not as "
            f"classes, expected a folder per class: {table}, or {TRUST}"
        )


def _stem(file: str) -> str:
    return file.rpartition(".")[0]


def _saved(files: Sequence[str], folder: Path) -> tuple[dict[str, str], dict[str, str]] | None:
    """(classes, splits) of pictures whose names or dataset.json say them; None of others."""
    if all(found := [SAVED.search(_stem(file)) for file in files]):
        matches = [(match[1], match[2].split("_")) for match in found if match]
        several = any(len(labels) > 1 for _, labels in matches)
        names = [
            ("abnormal" if "1" in labels else "normal") if several else labels[0] for _, labels in matches
        ]
        splits = [split for split, _ in matches]
        return dict(zip(files, names, strict=True)), dict(zip(files, splits, strict=True))
    try:
        listed = json.loads((folder / FACTS).read_text(encoding="utf-8"))["labels"]
        labels = {str(file): str(label) for file, label in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if set(files) - set(labels):
        missing = min(set(files) - set(labels))
        raise DataError(f"{folder / FACTS}: found no label of {missing}, expected one of every picture")
    return {file: labels[file] for file in files}, dict.fromkeys(files, "")


def _wrapper(parts: Collection[Sequence[str]]) -> list[str]:
    """The folders that everything lies in and that are no class: those with several folders below them."""
    for depth in range(2):
        tops = {tuple(folders[: depth + 1]) for folders in parts}
        below = {folders[depth + 1] if len(folders) > depth + 1 else "" for folders in parts}
        if len(tops) != 1 or "" in below or split_name(next(iter(tops))[-1]):
            return []
        if len(below) > 1:
            return list(next(iter(tops)))
    return []


def _splits(parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each file's split: of its top folder, else of the one below that all have; {} where there is none."""
    for depth in (0, 1):
        named = {
            f: split_name(folders[depth]) if len(folders) > depth else "" for f, folders in parts.items()
        }
        if {"train", "test"} <= set(named.values()) and (depth == 0 or all(named.values())):
            return named
    return {}


def _class_folder(folders: Sequence[str]) -> str:
    return next((name for name in folders if not split_name(name)), "")


def _refuse_lost(folder: Path, others: Sequence[str], classes: Collection[str], depth: int) -> None:
    """Stop at a class folder of which no file is a picture."""
    lost: Counter[str] = Counter()
    for file in others:
        name = _class_folder(file.split("/")[:-1][depth:])
        if name and name not in classes and not is_document(Path(file)):
            lost[name] += 1
    for name, count in lost.items():
        kinds = passed_over(Path(f) for f in others if f"/{name}/" in f"/{f}")
        raise DataError(
            f"{folder}: found no picture among the {count} files of {name} ({', '.join(kinds)}), expected "
            "PNG, JPEG, TIFF, WebP, BMP, GIF, PGM or JPEG 2000: convert or remove them"
        )


def _short_names(folders: Collection[tuple[str, str]]) -> dict[str, str]:
    """Class folders, (split, name), by the class they are of.

    A name that only lengthens one of another split is that class: adenocarcinoma_left.lobe is adenocarcinoma.
    Two folders of one split are two classes: where benign_mild and benign_severe lengthen benign, none is it.
    """
    splits: dict[str, set[str]] = {}
    for split, name in folders:
        splits.setdefault(name, set()).add(split)
    longer: dict[str, list[str]] = {}
    for name in splits:
        shorter = [o for o in splits if name.startswith(f"{o}_") and not splits[o] & splits[name]]
        longer.setdefault(max(shorter, key=len, default=name), []).append(name)
    short: dict[str, str] = {}
    for name, names in longer.items():
        alone = not any(splits[one] & splits[other] for one, other in combinations(names, 2))
        short |= {long: name if alone else long for long in names}
    return short
