"""The tables of generators: every preset trained for the same process time, scored by one protocol, rendered.

    python studies/gans/run.py TABLE... --data-root DIR --inception-weights FILE --lpips-weights FILE \
        --jobs 3 --work FOLDER

Every cell of a table is one training on one thread, in one of so many processes, for a budget of process
time; looks at validation images, which choose the checkpoint, and scoring are not counted. Cells that the
work folder has are not made again; the pages are written from whatever cells are there, also with
--render-only. For a quick trial: --cpu-seconds-scale 0.02 --out FOLDER.
"""

import argparse
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from cells import Cell, Place, Record, stored
from pages import write_pages
from tables import TABLES, TRIAL, Choice, cells_of

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
KNOWN = TABLES | {"trial": TRIAL}


def main() -> int:
    options = parsed()
    names = options.tables or ([*TABLES] if options.render_only else [])
    place = Place(options.data_root, options.work, options.inception_weights, options.lpips_weights)
    choice = Choice(options.seeds, options.cpu_seconds_scale, options.presets, extractors(options))
    failed = 0
    if not options.render_only:
        failed = make_all(cells_of([KNOWN[name] for name in names], choice), place, options.jobs)
    chosen = {name: KNOWN[name] for name in dict.fromkeys([*TABLES, *names])}
    for path in write_pages(chosen, place, choice, options.out):
        print(path)
    return 1 if failed else 0


def make_all(cells: Sequence[Cell], place: Place, jobs: int) -> int:
    """Make what is not stored, side by side; how many cells failed."""
    waiting = [cell for cell in cells if stored(cell, place) is None]
    print(f"{len(cells)} cells, {len(cells) - len(waiting)} of them stored", flush=True)
    if not waiting:
        return 0
    for name in ONE_THREAD:  # read when a process starts, so before any of them imports torch
        os.environ[name] = "1"
    started, done, failed = time.monotonic(), 0.0, 0
    total = sum(cell.cpu_seconds for cell in waiting)
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, end_with_parent, (os.getpid(),)) as pool:
        running = {pool.submit(make_apart, cell, place): cell for cell in waiting}
        for number, future in enumerate(as_completed(running), start=1):
            cell = running[future]
            done += cell.cpu_seconds
            try:
                said = summary(future.result())
            except Exception:
                failed += 1
                said = f"FAILED: {traceback.format_exc()}"
            left = (time.monotonic() - started) * (total - done) / done
            print(f"[{number}/{len(waiting)}, {clock(left)} left] {cell}: {said}", flush=True)
    return failed


def make_apart(cell: Cell, place: Place) -> Record:
    """In a process of its own: only here torch is imported."""
    from making import make

    return make(cell, place)


def end_with_parent(parent: int) -> None:
    """Stop a worker whose parent was killed: it would go on taking a core from whoever measures next."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def summary(record: Record) -> str:
    training = record["training"]
    overall = [row for row in record["scores"] if row["part"] == record["scores"][0]["part"]]
    said = [
        f"{row['metric']} {row['value'][0]:.4g} ({row['floor'][0]:.4g})"
        for row in overall
        if (row["metric"], row["in"]) in (("KID", "domain"), ("FID", "inception-768"))
    ]
    said += [f"{training['images_seen']:,} images", f"scored in {record['scoring_cpu_seconds']:.0f} CPU-s"]
    return ", ".join(said + [training["note"]] * bool(training["note"]))


def clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def extractors(options: argparse.Namespace) -> tuple[str, ...]:
    return ("domain",) if options.domain_only else ("domain", "inception-768")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(KNOWN))
    parser.add_argument("--work", required=True, type=Path, help="folder of the cells")
    parser.add_argument("--data-root", type=Path, default=Path())
    parser.add_argument("--inception-weights", type=Path)
    parser.add_argument("--lpips-weights", type=Path)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, of one thread each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--presets", nargs="+", default=(), help="only rows of these")
    parser.add_argument("--cpu-seconds-scale", type=float, default=1.0, help="of every budget")
    parser.add_argument(
        "--domain-only", action="store_true", help="no Inception features (most of the scoring)"
    )
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[2] / "docs", help="folder of the pages"
    )
    options = parser.parse_args()
    unknown = [name for name in options.tables if name not in KNOWN]
    if unknown or not (options.tables or options.render_only):
        parser.error(f"table {', '.join(unknown) or 'missing'}: expected some of {', '.join(KNOWN)}")
    for name in ("inception_weights", "lpips_weights"):
        path = getattr(options, name)
        if path is not None and not path.is_file():
            parser.error(f"--{name.replace('_', '-')} {path}: no such file")
    if not (options.render_only or options.domain_only or options.inception_weights):
        parser.error("--inception-weights FILE is missing (or give --domain-only)")
    if not (options.render_only or options.lpips_weights):
        parser.error("--lpips-weights FILE is missing")
    return options


if __name__ == "__main__":
    sys.exit(main())
