"""Peak memory and speed of `synthaug generate`, for few and many images: memory must not grow with N.

python benchmarks/generate_memory.py --few 1000 --many 20000
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGETS = {"hdf5": "set.h5", "npz": "set.npz", "dicom": "set-dicom"}


def generate(n: int, target: Path) -> tuple[float, float]:
    """(peak resident MB, seconds) of one process that makes n images."""
    command = [sys.executable, "-m", "synthaug.cli", "generate", "--class", "abnormal", "--n", str(n)]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--out", str(target)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"generate failed with status {status}")
    return usage.ru_maxrss / 1024, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=20_000)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"cores: {os.cpu_count()}")
    for name, target in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            few, _ = generate(options.few, Path(folder) / f"few-{target}")
            many, seconds = generate(options.many, Path(folder) / f"many-{target}")
        speed = options.many / seconds
        print(
            f"{name}: peak {few:.0f} MB for {options.few:,}, {many:.0f} MB for {options.many:,} "
            f"({many / few:.2f}x), {speed:.0f} images/s with start-up"
        )


if __name__ == "__main__":
    main()
