"""A million synthetic images to HDF5 shards: peak memory at three sizes, and a kill -9 on the way.

Each size is made by one `synthaug generate` process; its peak resident memory is what the kernel counted for
it. The largest is made twice: at one go, and killed (SIGKILL) once half of its shards are whole and gone on
with by --resume. All files of both must be equal to the byte. The memorization gate compares with the
fingerprints in the generator's file.

python benchmarks/million.py --work /tmp/million
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOMY = 25e9  # bytes free


def start(generator: str, n: int, shard_size: int, target: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "synthaug.cli", "generate", "--generator", generator, "--class"]
    command += [class_of(generator), "--n", str(n), "--shard-size", str(shard_size), "--out", str(target)]
    command += ["--data-root", str(target.parent / "none"), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def class_of(generator: str) -> str:
    from synthaug.generators.sampling import Synthesizer

    return Synthesizer(generator).card.class_names[-1]


def wait(process: subprocess.Popen[bytes]) -> tuple[int, float, float]:
    """(exit status, peak resident MB, CPU seconds)."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def made(generator: str, n: int, shard_size: int, target: Path, *more: str) -> None:
    began = time.perf_counter()
    status, peak, cpu = wait(start(generator, n, shard_size, target, *more))
    if status:
        raise SystemExit(f"generate failed with status {status}")
    wall = time.perf_counter() - began
    print(f"{target.stem}: {n:,} images, peak {peak:.0f} MB, {cpu:.0f} s CPU, {wall:.0f} s wall", flush=True)


def killed(generator: str, n: int, shard_size: int, target: Path) -> None:
    """Start, and kill once half of the shards are whole."""
    process = start(generator, n, shard_size, target)
    folder = target.with_name(f"{target.name}.partial")
    while process.poll() is None and len(list(folder.glob("*-*.h5"))) < n // shard_size / 2:
        time.sleep(0.05)
    process.kill()
    status, peak, cpu = wait(process)
    print(
        f"{target.stem}: status {status} with {len(list(folder.glob('*-*.h5')))} of {-(-n // shard_size)} "
        f"shards whole, peak {peak:.0f} MB, {cpu:.0f} s CPU",
        flush=True,
    )


def same_bytes(one: Path, other: Path) -> bool:
    """Index and shards; the two sets lie in folders of their own under the same name."""
    files = sorted(p.relative_to(one.parent) for p in one.parent.rglob("*.h5"))
    if files != sorted(p.relative_to(other.parent) for p in other.parent.rglob("*.h5")):
        return False
    return all(subprocess.run(["cmp", one.parent / f, other.parent / f]).returncode == 0 for f in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generator", default="pneumonia")
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--shards", type=int, default=20, help="of the largest")
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.work).free < ROOMY:
        raise SystemExit(f"{options.work}: less than {ROOMY / 1e9:.0f} GB free")
    for n in options.n[:-1]:
        made(options.generator, n, n // options.shards, options.work / f"at-{n}.h5")
    n = options.n[-1]
    size = n // options.shards
    sets = [options.work / name / "big.h5" for name in ("unbroken", "broken")]
    for target in sets:
        target.parent.mkdir()
    made(options.generator, n, size, sets[0])
    killed(options.generator, n, size, sets[1])
    made(options.generator, n, size, sets[1], "--resume")
    bytes_there = sum(p.stat().st_size for p in sets[1].parent.rglob("*.h5"))
    print(f"{bytes_there / 1e9:.2f} GB; the same bytes as at one go: {same_bytes(*sets)}")


if __name__ == "__main__":
    main()
