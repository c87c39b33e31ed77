"""Can `synthaug experiment` be fooled? Hundreds of experiments whose true answer is known, and what it said.

    python studies/gain/null.py --work FOLDER --jobs 2

Simulated experiments (null_simulated.py) by the tens of thousands, of every design; and real trainings:

Null experiments: synthetic images that carry nothing which the labelled images lack (noise, shuffled labels,
the labelled images again, one image per class). Planted effects: new patients of the same disease, about .03
AUROC, as many labelled subsets as the planner asks for after a pilot. Threshold: copies of the rare class,
which raise sensitivity and balanced accuracy at 0.5 and leave the ranking alone.

Every experiment has a disease, patients and random numbers of its own (truth.py), and goes through
conduct() and compare_arms() as a user does. One is one file in the work folder and not run again;
docs/results/null.md, null.json and docs/images/null.png are written from it, also with --render-only.
"""

import argparse
import json
import os
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# read when the libraries are loaded, here and in every process
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import null_simulated
from null_experiment import commit, run_experiment
from null_kinds import KINDS
from null_page import write_page

from synthaug.augment.files.atomic import replacing

Record = dict[str, Any]
Task = tuple[str, int]  # kind, number


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    many = {"null": options.nulls, "calibration": options.calibration}
    many |= {"planted": options.planted, "threshold": options.threshold}
    wanted = [(kind.name, n) for kind in KINDS.values() for n in range(many[kind.part])]
    wanted.sort(key=lambda task: task[1])  # of every kind some: a run that is stopped shows all of them
    failed = 0
    if not options.render_only:
        null_simulated.run_all(options.work, options.simulated)
        failed = run_all([task for task in wanted if not path_of(options.work, task).exists()], options)
    kinds = {name.replace(" ", "-") for name in KINDS}
    paths = sorted(path for kind in kinds for path in (options.work / kind).glob("*.json"))
    records = [json.loads(path.read_text()) for path in paths]
    for path in write_page(records, null_simulated.read(options.work), options.out):
        print(path)
    return 1 if failed else 0


def run_all(waiting: Sequence[Task], options: argparse.Namespace) -> int:
    """Run what is not stored, side by side; how many failed."""
    print(f"{len(waiting)} experiments to run", flush=True)
    started, failed = time.monotonic(), 0
    for number, (task, trouble) in enumerate(finished(waiting, options.work, options.jobs), start=1):
        failed += bool(trouble)
        if trouble or number % 25 == 0 or number == len(waiting):
            minutes = (time.monotonic() - started) / 60
            left = minutes / number * (len(waiting) - number)
            print(f"[{number}/{len(waiting)}, {left:.0f} min left] {task[0]} {task[1]} {trouble}", flush=True)
    return failed


def finished(waiting: Sequence[Task], work: Path, jobs: int) -> Any:
    """(task, what went wrong) as they are done; with one job in this process."""
    work.mkdir(parents=True, exist_ok=True)
    if jobs == 1:
        yield from ((task, run_one(task, work)) for task in waiting)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        running = {pool.submit(run_one, task, work): task for task in waiting}
        yield from ((running[future], future.result()) for future in as_completed(running))


def run_one(task: Task, work: Path) -> str:
    """Run and keep one experiment; the traceback where it fails."""
    try:
        record = run_experiment(*task, work) | {"commit": commit(), "cores": os.cpu_count()}
    except Exception:
        return traceback.format_exc()
    with replacing(path_of(work, task)) as fresh:
        fresh.write_text(json.dumps(record, indent=1))
    return ""


def path_of(work: Path, task: Task) -> Path:
    return work / task[0].replace(" ", "-") / f"{task[1]:04d}.json"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", required=True, type=Path, help="finished experiments, one file each")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs")
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread")
    parser.add_argument("--simulated", type=int, default=500, help="simulated experiments of every design")
    parser.add_argument("--nulls", type=int, default=125, help="experiments of every null kind")
    parser.add_argument("--calibration", type=int, default=20, help="experiments that measure the effect")
    parser.add_argument("--planted", type=int, default=100, help="experiments with a true effect")
    parser.add_argument("--threshold", type=int, default=120, help="experiments that oversample")
    parser.add_argument("--render-only", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
