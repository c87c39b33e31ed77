"""What few images reach, and whether generators of few images copy them.

    python studies/gans/few_images.py --data-root DIR --inception-weights FILE --work WORK

The images of the share themselves, each as often as the reference's class mix takes, are held against the
reference; then 1,000 images of every stored generator of `goal-long` against those it learnt
from: copies, and the kernel distance of each class in the domain's features.
"""

import argparse
from pathlib import Path

import numpy as np
from cells import Choice, Place
from protocols import material, share_of
from scoring import yardstick
from tables import TABLES
from train import one_thread

from synthaug.augment.images import LabeledImages
from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.fidelity.metrics import METRICS, Pair
from synthaug.evaluation.memorization.scores import measure_memorization
from synthaug.evaluation.protocol import content_order
from synthaug.generators.sampling import Synthesizer, collect

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
    block = TABLES["goal-long"].blocks[-1]
    data = material(block.data, place.data_root)
    few = share_of(data.fit, block.arms[0].share)[0]
    yard = yardstick(block.data, choice.extractors, place, one_thread())
    for measure, extractor in zip(choice.extractors, yard.extractors, strict=True):
        reference = yard.reference[measure]
        reference = reference.take(content_order(reference))  # the order that the yardstick has features of
        counts = reference.counts().values()
        rows = [np.resize(np.flatnonzero(few.labels == label), n) for label, n in enumerate(counts)]
        pair = Pair(extractor.extract(reference), extractor.extract(few).take(np.concatenate(rows)))
        kid, fid = (METRICS[name].of_pair(pair) for name in ("KID", "FID"))
        print(f"{len(few)} images for {len(reference):,}, {measure}: KID {kid:.4f}, FID {fid:.4f}")
    for seed in range(choice.seeds):
        run = place.folder(choice.cell_of(block, block.arms[0], seed)) / "run"
        if not run.exists():
            print(f"seed {seed}: no generator in {place.work}, run `run.py goal-long` first")
            continue
        classes = len(data.fit.class_names)
        made = collect(Synthesizer(run), [MADE // classes] * classes, seed + LATENTS)
        found = measure_memorization(few, data.judge, made)
        near, far = np.median(found.distances), np.median(found.floor_distances)
        print(f"seed {seed}: near copies {found.copied} of {found.n:,}, median distance {near:.4f}")
        print(f"  unseen real images: {found.copied_floor} of {found.n_floor:,}, {far:.4f}")
        for real, which in ((few, "the few"), (yard.reference["domain"], "the reference")):
            print(f"  KID to {which}: {kid_by_class(real, made, yard.extractors[0])}")


def kid_by_class(real: LabeledImages, made: LabeledImages, extractor: Extractor) -> str:
    sets = [(extractor.extract(images), images.labels) for images in (real, made)]
    pairs = [
        Pair(*(features.take(np.flatnonzero(labels == k)) for features, labels in sets))
        for k in range(len(real.class_names))
    ]
    said = [f"{METRICS['KID'].of_pair(pair):.4f}" for pair in pairs]
    return ", ".join(f"{name} {kid}" for name, kid in zip(real.class_names, said, strict=True))


if __name__ == "__main__":
    main()
