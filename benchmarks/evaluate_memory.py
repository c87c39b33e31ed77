"""Peak memory of `synthaug evaluate` for few and many synthetic images: it must not grow with N.

Counted is anonymous memory, what the process itself holds; pages of mapped cache files can be dropped at any
time. Linux only.

python benchmarks/evaluate_memory.py --real mednist --data-root DIR --few 5000 --many 50000
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synthaug.generators.sampling import Synthesizer, shipped_for


def anonymous_mb(pid: int) -> float:
    """Of a process now; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), default=0.0)


def watched(command: list[str]) -> tuple[float, float]:
    """(peak anonymous MB, seconds) of one process."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, anonymous_mb(process.pid))
        time.sleep(0.05)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}")
    return peak, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--real", default="mednist")
    parser.add_argument("--generator", default="mednist")
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--few", type=int, default=5000)
    parser.add_argument("--many", type=int, default=50_000)
    parser.add_argument("--no-memorization", action="store_true")
    options = parser.parse_args()
    classes = len(Synthesizer(options.generator or shipped_for([])).card.class_names)
    print(f"cores: {os.cpu_count()}")
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        for n in (options.few, options.many):
            file = f"{folder}/{n}.h5"
            make = [
                "generate",
                "--reject-near-copies",
                "--generator",
                options.generator,
                "--per-class",
                str(n // classes),
                "--out",
                file,
            ]
            subprocess.run(
                [sys.executable, "-m", "synthaug.cli", *make, "--data-root", folder],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            judge = [
                "evaluate",
                "--real",
                options.real,
                "--synthetic",
                file,
                "--data-root",
                options.data_root,
            ]
            judge += ["--no-memorization"] * options.no_memorization
            peaks[n], seconds = watched([sys.executable, "-m", "synthaug.cli", *judge])
            print(f"{n:,} synthetic images: peak {peaks[n]:.0f} MB, {seconds:.0f} s")
        print(f"memory {peaks[options.many] / peaks[options.few]:.2f}x for {options.many / options.few:.0f}x")


if __name__ == "__main__":
    main()
