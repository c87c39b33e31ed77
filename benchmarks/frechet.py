"""How much faster the Fréchet distance is than by scipy's matrix square root, at 2,048 dimensions.

    python benchmarks/frechet.py [--dimensions 2048] [--rounds 3] [--threads 1]

Every arm is the whole distance from given means and covariances; the arms take turns in each round. Two pairs
of covariances: `even`, and `steep`, so nearly singular that ours leaves eigenvalues for singular values.
Process times, in which two threads at work count twice, and wall times.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import scipy
import torch
from scipy.linalg import sqrtm
from threadpoolctl import threadpool_limits
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from synthaug.evaluation.fidelity.frechet import frechet_of_statistics, mean_and_covariance

Statistics = tuple[np.ndarray, np.ndarray]


def by_sqrtm(a: Statistics, b: Statistics) -> float:
    """As pytorch-fid has it."""
    shift = a[0] - b[0]
    return float(shift @ shift + np.trace(a[1]) + np.trace(b[1]) - 2 * np.trace(sqrtm(a[1] @ b[1])).real)


def by_torch_fidelity(a: Statistics, b: Statistics) -> float:
    pair = [dict(zip(("mu", "sigma"), statistics, strict=True)) for statistics in (a, b)]
    return float(fid_statistics_to_metric(*pair, verbose=False)["frechet_inception_distance"])


def by_torchmetrics(a: Statistics, b: Statistics) -> float:
    return float(_compute_fid(*(torch.from_numpy(array) for array in (*a, *b))))


def by_synthaug(a: Statistics, b: Statistics) -> float:
    return frechet_of_statistics(*a, *b)


ARMS: dict[str, Callable[[Statistics, Statistics], float]] = {
    "scipy sqrtm": by_sqrtm,
    "torch-fidelity": by_torch_fidelity,
    "torchmetrics": by_torchmetrics,
    "synthaug": by_synthaug,
}


def statistics_of(dimensions: int, decay: float, seed: int) -> Statistics:
    """Of 3 D vectors; variances fall as k^-decay along principal axes that both sets share."""
    axes, _ = np.linalg.qr(np.random.default_rng(99).normal(size=(dimensions, dimensions)))
    scale = np.arange(1.0, dimensions + 1) ** (-decay / 2)
    drawn = np.random.default_rng(seed).normal(size=(3 * dimensions, dimensions))
    return mean_and_covariance(drawn * scale @ axes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    versions = f"scipy {scipy.__version__}, numpy {np.__version__}, torch {torch.__version__}"
    print(f"{options.dimensions} dimensions, threads={options.threads}, {versions}")
    with threadpool_limits(options.threads):
        for name, decay in (("even", 1.0), ("steep", 3.0)):
            compare(
                name, *(statistics_of(options.dimensions, decay, seed) for seed in (1, 2)), options.rounds
            )


def compare(name: str, a: Statistics, b: Statistics, rounds: int) -> None:
    values = np.linalg.eigvalsh(a[1])
    print(f"{name}: condition number {values[-1] / values[0]:.1e}")
    times: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    found = {}
    for _ in range(rounds):
        for arm, distance in ARMS.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found[arm] = distance(a, b)
            times[arm].append((time.process_time() - cpu, time.perf_counter() - wall))
    ours = np.array(times["synthaug"])
    for arm, each in times.items():
        ratios = np.array(each) / ours
        cpu, wall = np.median(each, axis=0)
        mean, low, high = ratios.mean(0), ratios.min(0), ratios.max(0)
        print(
            f"  {arm:15s} {cpu:7.2f} s process, {wall:7.2f} s wall;"
            f" x synthaug: {mean[0]:5.1f} ({low[0]:.1f} to {high[0]:.1f}) process, {mean[1]:5.1f} wall;"
            f" distance {found[arm]:.10g}, off sqrtm by {abs(found[arm] / found['scipy sqrtm'] - 1):.0e}"
        )


if __name__ == "__main__":
    main()
