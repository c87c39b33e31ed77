"""How much faster DICOM is written than by building each file with highdicom, one by one.

    python benchmarks/dicom_writing.py --images 10000 --jobs 1 4

Each round writes the same images once by a plain loop (build a Secondary Capture, save it) and once by
`write_dicom` for each number of processes, one arm after the other, so that a slow minute hits all. Wall time
is what a user waits, with the start of processes; process time is this process's and its children's. The
files of all arms are compared, byte by byte, in the first round.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from synthaug.augment.dicom.image import Export, Source
from synthaug.augment.dicom.writer import write_dicom
from synthaug.augment.images import PROVENANCE, LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

EPOCH = 1_700_000_000


def made_up(n: int, side: int, channels: int, bits: int) -> LabeledImages:
    draw = np.random.default_rng(0)
    dtype = np.uint8 if bits == 8 else np.uint16
    return LabeledImages(
        pixels=draw.integers(0, 2**bits, (n, channels, side, side), dtype),
        labels=np.arange(n) % 2,
        class_names=("normal", "pneumonia"),
        synthetic=np.ones(n, dtype=bool),
        provenance=np.array([(b"0123456789abcdef" * 4, 0, k) for k in range(n)], PROVENANCE),
    )


def plain_loop(images: LabeledImages, folder: Path) -> None:
    export = Export(images.class_names, datetime.fromtimestamp(EPOCH, UTC), "")
    for name in images.class_names:
        (folder / name).mkdir(parents=True)
    for row, label in enumerate(images.labels.tolist()):
        source = Source.of(images, row)
        captured = export.capture(label, source, export.changing(images, row, source, row))
        path = folder / images.class_names[label] / f"{row:06d}.dcm"
        captured.save_as(path, enforce_file_format=True)


def timed(write: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """Seconds of wall time and of processor time."""
    before, wall = os.times(), time.perf_counter()
    write(folder)
    wall, after = time.perf_counter() - wall, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def same_files(one: Path, other: Path) -> bool:
    names = [sorted(path.relative_to(f) for path in f.rglob("*.dcm")) for f in (one, other)]
    return names[0] == names[1] and all((one / n).read_bytes() == (other / n).read_bytes() for n in names[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)
    images = made_up(options.images, options.side, options.channels, options.bits)
    arms: dict[str, Callable[[Path], None]] = {"plain loop": lambda folder: plain_loop(images, folder)}
    for jobs in options.jobs:
        arms[f"jobs {jobs}"] = lambda folder, jobs=jobs: write_dicom(  # type: ignore[misc]
            ImageStream.of(images), folder, WriteOptions(jobs=jobs)
        )
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            folders = {name: Path(scratch) / name for name in arms}
            for name, write in arms.items():
                times[name].append(timed(write, folders[name]))
                if turn == 0:
                    print(f"{name}: as the plain loop: {same_files(folders['plain loop'], folders[name])}")
                elif name != "plain loop":
                    shutil.rmtree(folders[name])
        for name, found in times.items():
            print(
                f"round {turn}, {name}: {found[-1][0]:.2f} s wall, {found[-1][1]:.2f} s process", flush=True
            )
    plain = np.array(times["plain loop"])
    for name in list(arms)[1:]:
        ratio = plain / np.array(times[name])
        wall, process = (f"{r.mean():.1f}x (lowest {r.min():.1f}x)" for r in ratio.T)
        print(f"{name}: {wall} wall, {process} process, n={options.rounds}, cores={os.cpu_count()}")


if __name__ == "__main__":
    main()
