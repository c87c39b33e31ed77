"""How much faster the second start of a data set is: first load (decoding) against later loads (cache).

    python benchmarks/decode_cache.py mednist --data-root DIR

Every load is a process of its own, so that nothing but the cache on disk is shared; interpreter start and
imports are not counted. The arms cannot be interleaved freely (a first load makes the second one fast), so
each round is one first and one second load, with a new cache folder per round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

LOAD = """
import json, sys, time
from pathlib import Path
from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.reading import ReadOptions
wall, cpu = time.perf_counter(), time.process_time()
splits = load_dataset(sys.argv[1], ReadOptions(root=Path(sys.argv[2])))
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, len(splits.train)]))
"""


def load(dataset: str, root: str, cache: str) -> list[float]:
    environment = {**os.environ, "SYNTHAUG_CACHE": cache}
    command = [sys.executable, "-c", LOAD, dataset, root]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            first = load(options.dataset, options.data_root, cache)
            second = load(options.dataset, options.data_root, cache)
            rounds.append((first, second))
            ratio = [first[k] / second[k] for k in (0, 1)]
            times = f"first {first[0]:.2f} s, second {second[0]:.2f} s"
            print(f"{times}: {ratio[0]:.1f}x wall, {ratio[1]:.1f}x process")
    ratios = np.array([first[0] / second[0] for first, second in rounds])
    mean, lowest = ratios.mean(), ratios.min()
    print(f"wall ratio: mean {mean:.1f}, lowest {lowest:.1f}, n={len(ratios)}, cores={os.cpu_count()}")


if __name__ == "__main__":
    main()
