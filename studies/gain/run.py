"""Does it help, on real data? Runs the experiments of measured.py, writes docs/results/gain.md.

    python studies/gain/run.py [NAME ...] --data-root DIR --work WORK --jobs 4

WORK keeps the run folders: finished trainings are not done again, a run that was stopped goes on. Hours each.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from gain_pages import render, write_numbers
from measured import EXPERIMENTS

HARM_FOUND = 3  # exit status of an experiment that ends with "harms": a result like any other


def main() -> int:
    options = parsed()
    failed = [
        name
        for name in ([] if options.render_only else options.names or EXPERIMENTS)
        if measure(name, options) not in (0, HARM_FOUND)
    ]
    write_numbers(options.work, options.out)
    print(*render(options.out), sep="\n")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str, options: argparse.Namespace) -> int:
    """One experiment, from where it stands to its report; the command's exit status."""
    command = [sys.executable, "-m", "synthaug.cli", "experiment", *shlex.split(EXPERIMENTS[name].command)]
    command += ["--data-root", str(options.data_root), "--jobs", str(options.jobs), "--resume"]
    return subprocess.run([*command, "--out", str(options.work / name)], check=False).returncode


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder of the run folders")
    parser.add_argument("--data-root", type=Path, default=Path())
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side, of one thread each")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[2] / "docs", help="folder of the pages"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in EXPERIMENTS]:
        parser.error(f"experiment {', '.join(unknown)}: expected some of {', '.join(EXPERIMENTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
