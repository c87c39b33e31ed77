"""What the diagnosis calls each false generator, and what it says of real images: a table per data set.

    python benchmarks/trap_suite.py mednist pneumoniamnist phantom --data-root DIR

Reference and held-out images are the training and validation splits; the false generators spoil images of
the test split, which no training has seen. Below them real images take the synthetic ones' place: the test
split, random halves of it, few images per class, one class nearly missing, one class only. They must get no
finding. Further sets of synthetic images are judged with --synthetic FILE. Nothing is written.

A row is "named" when the fault's name is among the findings, "missed" when not, "clean" for real images
without a finding, and "false alarm" for those with one. Evidence is printed with --evidence.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.diagnosis.findings import View, diagnose
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.protocol import by_content, comparable_sets

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
from false_generators import (
    FALSE_COLOURS,
    FALSE_GENERATORS,
    FalseGenerator,
    another_data_set,
)

OTHERS = {"phantom": "pneumoniamnist", "pneumoniamnist": "phantom", "mednist": "pneumoniamnist"}
ANOTHER = "another distribution"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+", help="by name, or NAME@SIDE for another side in pixels")
    parser.add_argument("--data-root", required=True, type=Path)
    parser.add_argument("--synthetic", action="append", default=[], type=Path, help="judge this set as well")
    parser.add_argument("--largest", type=int, default=2000, help="images per set")
    parser.add_argument("--halves", type=int, default=10, help="random halves of the test split, twice each")
    parser.add_argument("--evidence", action="store_true")
    options = parser.parse_args()
    counts: dict[str, int] = {}
    for name in options.datasets:
        for verdict in judge_dataset(name, options):
            counts[verdict] = counts.get(verdict, 0) + 1
    print(", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())))


def judge_dataset(name: str, options: argparse.Namespace) -> Iterator[str]:
    splits = load(name, options.data_root)
    fabric = Fabric(accelerator="cpu", devices=1)
    extractor = extractors_for(["domain"], splits, inception_weights=None, fabric=fabric, steps=300)[0]

    def view(images: LabeledImages) -> View:
        return View(images, extractor.extract(images))

    def sets(images: LabeledImages) -> tuple[View, View, View]:
        compared = comparable_sets(splits, images, largest=options.largest)
        return known[0], known[1], view(compared.synthetic)

    compared = comparable_sets(splits, splits.val, largest=options.largest)
    known = view(compared.reference), view(compared.floor)
    sizes = ", ".join(f"{len(getattr(splits, part))} {part}" for part in ("train", "val", "test"))
    print(f"\n{name}: {sizes}, images of {splits.train.image_shape}")
    for row, expected, images in rows(name, splits, compared.reference, options):
        findings = diagnose(*sets(images))
        names = [finding.name for finding in findings]
        if expected is None:
            verdict = "clean" if not findings else "false alarm"
        else:
            verdict = "named" if expected in names else "missed"
        if row.endswith(".h5"):
            verdict = "judged"
        said = "; ".join(dict.fromkeys(f"{f.name} ({f.part})" for f in findings)) or "no finding"
        print(f"  {verdict:12s}{row:32s}{len(images):6d}  {said}", flush=True)
        for finding in findings if options.evidence else []:
            print(f"{'':20s}{finding.name}, {finding.part}: {finding.evidence}")
        yield verdict


def rows(
    name: str, splits: Splits, reference: LabeledImages, options: argparse.Namespace
) -> Iterator[tuple[str, str | None, LabeledImages]]:
    """(row, the finding that must be there, images); None: none may be there."""
    rng = np.random.default_rng(0)
    fresh = by_content(splits.test, options.largest)
    false: dict[str, FalseGenerator] = dict(FALSE_GENERATORS)
    if fresh.image_shape[0] == 3:
        false |= FALSE_COLOURS
    other = load(OTHERS.get(name.partition("@")[0], "mednist"), options.data_root).test
    false["reals of another data set"] = FalseGenerator(ANOTHER, another_data_set(other))
    for row, generator in false.items():
        # the memoriser returns images of the whole training split where the reference is a part of it
        yield row, generator.finding, generator.make(splits.train, fresh, rng)
    for row in (
        "labels swapped",
        "labels shuffled",
        "mean image",
        "blurred reals",
        "full-covariance Gaussian",
    ):
        few = few_per_class(fresh, 50)
        yield f"{row}, 50 a class", false[row].finding, false[row].make(splits.train, few, rng)
    yield "test", None, splits.test
    for half in range(options.halves):
        order = rng.permutation(len(splits.test))
        for side, part in zip("ab", np.array_split(order, 2), strict=True):
            yield f"test, half {half}{side}", None, splits.test.take(part)
    for n in (10, 20, 50):
        yield (
            f"test, {n} a class",
            None,
            few_per_class(splits.test.take(rng.permutation(len(splits.test))), n),
        )
    for label, scarce in enumerate(splits.class_names):
        rest = np.flatnonzero(splits.test.labels != label)
        own = np.flatnonzero(splits.test.labels == label)
        yield f"test, {scarce} scarce", None, splits.test.take(np.concatenate([rest, own[:12]]))
        yield f"test, {scarce} only", None, splits.test.take(own)
    for path in options.synthetic:
        made = read_images(path)
        if set(made.class_names) & set(splits.class_names):
            yield path.name, None, made


def few_per_class(images: LabeledImages, n: int) -> LabeledImages:
    labels = range(len(images.class_names))
    return images.take(np.concatenate([np.flatnonzero(images.labels == k)[:n] for k in labels]))


def load(name: str, root: Path) -> Splits:
    name, _, side = name.partition("@")
    return load_dataset(name, ReadOptions(root=root, size=int(side) if side else None))


if __name__ == "__main__":
    main()
