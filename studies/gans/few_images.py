"""What few images reach, and whether generators of few images copy them.

    python studies/gans/few_images.py --data-root DIR --inception-weights FILE --work WORK

The images of the share themselves, each as often as the reference's class mix takes, are held against the
reference; then 1,000 images of every stored generator of `goal-long` against those it learnt
from: copies, and the kernel distance of each class in the domain's features.
"""

import argparse
from pathlib import Path

import numpy as np
from cells import Place
from fitting import make_images
from making import one_thread, read_pair
from protocols import Material, material, share_of
from scoring import yardstick
from tables import TABLES, Block, Choice, cell_of

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.fidelity.metrics import METRICS, Pair
from synthaug.evaluation.memorization.scores import measure_memorization
from synthaug.evaluation.protocol import content_order

LATENTS = 100  # added to the seed: latents that neither looks nor scores have
MADE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--data-root", "--inception-weights", "--work"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args()
    place, choice = Place(asked.data_root, asked.work, asked.inception_weights), Choice()
    (block,) = (block for block in TABLES["goal-long"].blocks if block.kind == "goal-few")
    data = material(block.data, place.data_root)
    few = share_of(data.fit, block.arms[0].share)[0]
    as_often(few, block, place, choice)
    for seed in range(choice.seeds):
        copies(few, block, data, place, choice, seed)


def as_often(few: LabeledImages, block: Block, place: Place, choice: Choice) -> None:
    """Print KID and FID of the few images in the reference's class mix."""
    yard = yardstick(block.data, choice.extractors, place, one_thread())
    for measure, extractor in zip(choice.extractors, yard.extractors, strict=True):
        reference = yard.reference[measure]
        reference = reference.take(content_order(reference))  # the order that the yardstick has features of
        counts = reference.counts().values()
        rows = [np.resize(np.flatnonzero(few.labels == label), n) for label, n in enumerate(counts)]
        pair = Pair(extractor.extract(reference), extractor.extract(few).take(np.concatenate(rows)))
        said = ", ".join(f"{name} {METRICS[name].of_pair(pair):.4f}" for name in ("KID", "FID"))
        print(f"{len(few)} images as often as {len(reference):,} take, {measure}: {said}")


def copies(few: LabeledImages, block: Block, data: Material, place: Place, choice: Choice, seed: int) -> None:
    """Print how many images of one seed's generator are near copies of the few, and how near all are."""
    cell = cell_of(block, block.arms[0], seed, choice)
    if not place.networks_of(cell).exists():
        print(f"seed {seed}: no networks in {place.work}, run `run.py goal-long` first")
        return
    names = data.fit.class_names
    pair = read_pair(cell, place, data)
    made = make_images(pair, [MADE // len(names)] * len(names), names, seed + LATENTS)
    found = measure_memorization(few, data.judge, made)
    near, far = np.median(found.distances), np.median(found.floor_distances)
    print(f"seed {seed}: near copies {found.copied} of {found.n:,}, median distance {near:.4f}")
    print(f"  unseen real images: {found.copied_floor} of {found.n_floor:,}, {far:.4f}")
    yard = yardstick(block.data, choice.extractors, place, one_thread())
    for which, images in (("the images it learnt from", few), ("the reference", data.reference)):
        kids = kid_of_classes(images, made, yard.extractors[0])
        said = ", ".join(f"{name} {value:.4f}" for name, value in kids.items())
        print(f"  domain KID to {which}: {said}")


def kid_of_classes(real: LabeledImages, made: LabeledImages, extractor: Extractor) -> dict[str, float]:
    """Kernel distance of each class by its name."""
    sets = [(extractor.extract(images), images.labels) for images in (real, made)]
    return {
        name: METRICS["KID"].of_pair(
            Pair(*(found.take(np.flatnonzero(labels == label)) for found, labels in sets))
        )
        for label, name in enumerate(real.class_names)
    }


if __name__ == "__main__":
    main()
