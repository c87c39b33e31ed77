"""How often the intervals that synthaug prints hold the truth, each in the design that it is used in.

    python studies/gain/coverage.py [--times 200] [--out docs]

Everything is simulated, so that the truth is known; the intervals are the product's own. Writes
docs/results/coverage.md and, beside it, coverage.json.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from null_summary import share
from trials import RESAMPLED, rows

from synthaug.augment.files.atomic import replacing


def measure(times: int) -> list[dict[str, Any]]:
    """Every row with its coverage and exact interval."""
    found = []
    for number, (name, design, covers) in enumerate(rows()):
        start = time.process_time()
        n = times // 4 if name.startswith(RESAMPLED) else times
        held = sum(covers(np.random.default_rng([number, k])) for k in range(n))
        found.append({"interval": name, "design": design} | share(held, n))
        print(f"{time.process_time() - start:6.1f} s  {held / n:.3f}  {name}, {design}", flush=True)
    return found


HEAD = """# How often the printed intervals hold the truth

Each interval of 95 % that synthaug prints, by simulation in the design that it is used in ({times} intervals
a row, a quarter of them where each needs a thousand resamples; exact 95 % interval of the coverage). The
intervals are the product's own functions, the data are normal scores whose truth is known. Where an interval
is known not to hold something, it says so, and the row that shows by how much stands below it.

| interval | design | holds the truth in | exact interval |
|---|---|---|---|
"""
TAIL = """
With three donors Student's t has two degrees of freedom, and the interval errs on the wide side. An interval
for other training patients knows the share of patients that two subsets have in common, and errs on the wide
side where the luck of training is large, which it takes for agreement. The percentile bootstrap of a single
classifier's AUROC errs on the narrow side with few test patients.

`python studies/gain/coverage.py --times 400`; figures: [coverage.json](coverage.json).
"""


def write(found: list[dict[str, Any]], out: Path) -> None:
    lines = [
        f"| {row['interval']} | {row['design']} | {row['share']:.3f} | {row['low']:.3f} – {row['high']:.3f} |"
        for row in found
    ]
    page = HEAD.format(times=found[0]["of"]) + "\n".join(lines) + "\n" + TAIL
    for name, text in (("coverage.md", page), ("coverage.json", json.dumps(found, indent=1) + "\n")):
        with replacing(out / "results" / name) as fresh:
            fresh.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=200, help="intervals a row")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs")
    options = parser.parse_args()
    write(measure(options.times), options.out)


if __name__ == "__main__":
    main()
