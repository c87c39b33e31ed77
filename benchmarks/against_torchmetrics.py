"""FID, KID and Inception Score of 10,000 against 10,000 MedNIST images: torchmetrics' own objects and ours.

    python benchmarks/against_torchmetrics.py --data-root DIR [--n 10000] [--rounds 3]

Real images are the reference, images of the shipped generator the synthetic set; both arms put them through
the same function (a classifier trained on real images) in the same batches, on one thread. Each of
torchmetrics' objects extracts features for itself; synthaug extracts once, into a cache that is empty every
time. The arms take turns. Three tasks: `overall`; `and per class`, what an evaluation prints, for which
torchmetrics needs objects of each class; and synthaug's `all metrics` overall, with the share of extraction.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.features import BATCH, Extractor
from synthaug.evaluation.fidelity.metrics import METRICS, score_all
from synthaug.generators.sampling import Synthesizer, collect

SHARED = ("FID", "KID", "IS")


class Network(nn.Module):
    """The extractor as torchmetrics wants it: (N, C, H, W) uint8 -> features or logits."""

    def __init__(self, extractor: Extractor, images: LabeledImages, output: str):
        super().__init__()
        self.extractor, self.one, self.output = extractor, images.take(np.array([0])), output
        self.num_features = extractor.protocol.dimensions

    def forward(self, pixels: Tensor) -> Tensor:
        n = len(pixels)
        batch = LabeledImages(
            pixels=pixels.numpy(),
            labels=np.zeros(n, np.int64),
            class_names=self.one.class_names,
            synthetic=np.ones(n, bool),
        )
        return torch.from_numpy(getattr(self.extractor.of_batch(batch), self.output))


def by_torchmetrics(
    extractor: Extractor, parts: dict[str, tuple[LabeledImages, LabeledImages]]
) -> dict[str, float]:
    found = {}
    for part, (real, synthetic) in parts.items():
        features = Network(extractor, real, "vectors")
        torch.manual_seed(0)  # of KID's subsets
        fid = FrechetInceptionDistance(feature=features)
        kid = KernelInceptionDistance(
            feature=features, subsets=100, subset_size=min(1000, len(real), len(synthetic))
        )
        score = InceptionScore(feature=Network(extractor, real, "logits"), splits=1)
        for images, is_real in ((real, True), (synthetic, False)):
            for batch in images.batches(BATCH):
                pixels = torch.from_numpy(batch.pixels)
                fid.update(pixels, real=is_real)
                kid.update(pixels, real=is_real)
                if not is_real:
                    score.update(pixels)
        mean, deviation = kid.compute()
        found |= {f"FID {part}": float(fid.compute()), f"IS {part}": float(score.compute()[0])}
        found |= {f"KID {part}": float(mean), f"KID {part} ±": float(deviation) / 10}
    return found


def by_synthaug(
    extractor: Extractor,
    parts: dict[str, tuple[LabeledImages, LabeledImages]],
    names: tuple[str, ...] = SHARED,
) -> dict[str, float]:
    real, synthetic = parts["overall"]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SYNTHAUG_CACHE"] = cache
        start = time.process_time()
        features = [extractor.extract(images) for images in (real, synthetic)]
        found = {"extraction": time.process_time() - start}
        for part in parts:
            of_part = (
                each if part == "overall" else each.take(rows_of(images, part))
                for each, images in zip(features, (real, synthetic), strict=True)
            )
            found |= {f"{name} {part}": value for name, value in score_all(*of_part, names).items()}
        return found


def rows_of(images: LabeledImages, class_name: str) -> np.ndarray:
    return np.flatnonzero(images.labels == images.class_names.index(class_name))


def timed(run: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    values = run()
    return values, time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", required=True, type=Path)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    splits = load_dataset("mednist", ReadOptions(root=options.data_root))
    fabric = Fabric(accelerator="cpu", devices=1)
    (extractor,) = extractors_for(["domain"], splits, fabric=fabric)
    generator = Synthesizer("mednist")
    wanted = [-(-options.n // len(splits.class_names))] * len(splits.class_names)
    made = replace(collect(generator, wanted, 0), provenance=None)
    draw = np.random.default_rng(0)
    real, synthetic = (
        images.take(draw.permutation(len(images))[: options.n]) for images in (splits.train, made)
    )
    counts = f"{len(real)} real, {len(synthetic)} synthetic"
    print(f"{extractor.protocol}, {extractor.protocol.dimensions} dimensions, {counts}")
    overall = {"overall": (real, synthetic)}
    classes = {
        name: (real.take(rows_of(real, name)), synthetic.take(rows_of(synthetic, name)))
        for name in splits.class_names
    }
    for task, parts in (("overall", overall), ("overall and per class", overall | classes)):
        print(task)
        compare(extractor, parts, options.rounds)
    print("all metrics, overall")
    for _ in range(options.rounds):
        values, cpu, wall = timed(lambda: by_synthaug(extractor, overall, tuple(METRICS)))
        share = values.pop("extraction") / cpu
        print(f"  synthaug {cpu:.2f} s process, {wall:.2f} s wall, {share:.0%} of it extraction")
    print("  " + ", ".join(f"{name} {value:.6g}" for name, value in values.items()))


def compare(extractor: Extractor, parts: dict[str, tuple[LabeledImages, LabeledImages]], rounds: int) -> None:
    ratios = []
    for _ in range(rounds):
        theirs, their_cpu, their_wall = timed(lambda: by_torchmetrics(extractor, parts))
        ours, cpu, wall = timed(lambda: by_synthaug(extractor, parts))
        ratios.append((their_cpu / cpu, their_wall / wall))
        print(
            f"  torchmetrics {their_cpu:.2f} s process, {their_wall:.2f} s wall; synthaug {cpu:.2f} s,"
            f" {wall:.2f} s, {ours.pop('extraction') / cpu:.0%} of it extraction:"
            f" {ratios[-1][0]:.2f}x process, {ratios[-1][1]:.2f}x wall"
        )
    mean, low = np.mean(ratios, axis=0), np.min(ratios, axis=0)
    print(f"  mean {mean[0]:.2f}x process, {mean[1]:.2f}x wall; lowest {low[0]:.2f}x, {low[1]:.2f}x")
    for name, value in ours.items():
        error = f" ± {theirs[name + ' ±']:.2g} (of its subsets)" if name.startswith("KID") else ""
        print(f"  {name}: synthaug {value:.8g}, torchmetrics {theirs[name]:.8g}{error}")


if __name__ == "__main__":
    main()
