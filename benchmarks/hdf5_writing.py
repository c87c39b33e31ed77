"""What writing HDF5 costs beside making the images, and what each compression costs.

First: 5,000 images of 64 px from a shipped generator, made and thrown away, and made and written, in turns in
one process. Then: real images written and read in each compression, in turns, as ratios to gzip.

python benchmarks/hdf5_writing.py --data-root DIR chest-xray-folder mednist ham10000
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import torch

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import write_images
from synthaug.augment.hdf5.compression import COMPRESSIONS
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions
from synthaug.generators.sampling import Synthesizer

Times = tuple[float, float]  # process and wall seconds


def timed(work: Callable[[], object]) -> Times:
    process, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - process, time.perf_counter() - wall


def writing(generator: str, n: int, turns: int, folder: Path) -> None:
    synthesizer = Synthesizer(generator)
    side = synthesizer.image_shape[1]

    def make() -> None:
        for _ in synthesizer.stream({0: n}).batches:
            pass

    def make_and_write(shard_size: int | None) -> None:
        target = folder / f"{shard_size}.h5"
        how = WriteOptions(shard_size=shard_size)
        write_images(synthesizer.stream({0: n}), target, writing=how, overwrite=True)

    make()  # warm
    raw, one, shards = [], [], []
    for _ in range(turns):
        raw.append(timed(make))
        one.append(timed(lambda: make_and_write(None)))
        shards.append(timed(lambda: make_and_write(n // 5)))
    print(f"{generator}: {n:,} images of {side} px, {turns} turns, median (process, wall) seconds")
    base = middle(raw)
    print(f"  made: {base[0]:.2f}, {base[1]:.2f}")
    for name, times in (("one file", one), ("5 shards", shards)):
        found = middle(times)
        print(
            f"  made and written to {name}: {found[0]:.2f}, {found[1]:.2f}; "
            f"{found[0] / base[0]:.2f}× and {found[1] / base[1]:.2f}× of making them"
        )


def compressions(dataset: str, root: Path, turns: int, folder: Path) -> None:
    images = load_dataset(dataset, ReadOptions(root=root, size=64)).train
    images = images.take(range(min(len(images), 5000)))
    sizes: dict[str, int] = {}
    wrote: dict[str, list[Times]] = {name: [] for name in COMPRESSIONS}
    read: dict[str, list[Times]] = {name: [] for name in COMPRESSIONS}
    for turn in range(turns):
        for name in COMPRESSIONS:
            path = folder / f"{dataset}-{name}-{turn}.h5"
            how = WriteOptions(compression=name)
            wrote[name].append(
                timed(lambda p=path, h=how: write_images(ImageStream.of(images), p, writing=h))
            )  # type: ignore[misc]
            sizes[name] = path.stat().st_size
            with h5py.File(path) as file:
                read[name].append(timed(lambda f=file: f["images"][:]))  # type: ignore[misc]
            path.unlink()
    print(f"{dataset}: {len(images):,} images {images.image_shape}, {images.pixels.nbytes / 1e6:.1f} MB raw")
    gzip = sizes["gzip"], middle(wrote["gzip"])[0], middle(read["gzip"])[0]
    print(
        f"  gzip: {gzip[0] / 1e6:.1f} MB, written in {gzip[1]:.2f} s, read in {gzip[2]:.2f} s (process time)"
    )
    for name in COMPRESSIONS:
        now = sizes[name], middle(wrote[name])[0], middle(read[name])[0]
        size, write, back = (a / b for a, b in zip(now, gzip, strict=True))
        print(f"  {name} to gzip: size {size:.2f}×, writing {write:.2f}×, reading {back:.2f}×")


def middle(times: list[Times]) -> Times:
    return median(t[0] for t in times), median(t[1] for t in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--data-root", type=Path, default=Path())
    parser.add_argument("--generators", nargs="*", default=["mednist", "chest-xray"])
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for generator in options.generators:
            writing(generator, options.n, options.turns, Path(folder))
        for dataset in options.datasets:
            compressions(dataset, options.data_root, options.turns, Path(folder))


if __name__ == "__main__":
    main()
