"""The tables of generators: every preset trained for the same process time, scored by one protocol, rendered.

    python studies/gans/run.py TABLE... --data-root DIR --inception-weights FILE --lpips-weights FILE \
        --jobs 3 --work FOLDER

Every cell of a table is one training on one thread, in one of so many processes, for a budget of process
time; looks at validation images, which choose the checkpoint, and scoring are not counted. Cells that the
work folder has are not made again. Pages are rendered from the JSON beside them, also with --render-only.
For a quick trial: trial --domain-only --work FOLDER --out FOLDER.
"""

import argparse
import sys
import traceback
from pathlib import Path

from cells import Cell, Choice, Place
from gan_pages import render, write_numbers
from pictures import write_pictures
from tables import TABLES, TRIAL

from synthaug.augment.files.processes import ProcessPool

KNOWN = TABLES | {"trial": TRIAL}


def main() -> int:
    options = parsed()
    place = Place(options.data_root, options.work, options.inception_weights, options.lpips_weights)
    extractors = ("domain",) if options.domain_only else ("domain", "inception-768")
    choice = Choice(options.seeds, options.cpu_seconds_scale, options.presets, extractors)
    tables = {name: KNOWN[name] for name in options.tables}
    failed = 0
    if not options.render_only:
        waiting = [cell for cell in choice.cells_of([*tables.values()]) if place.stored(cell) is None]
        with ProcessPool(place, options.jobs) as pool:
            results = pool.run(make_quietly, ((cell,) for cell in waiting), ordered=False)
            for number, (name, trouble) in enumerate(results, start=1):
                failed += bool(trouble)
                print(f"[{number}/{len(waiting)}] {name} {trouble}", flush=True)
        write_numbers(tables, place, choice, options.out)
        write_pictures(tables, place, choice, options.out)
    print(*render(options.out), sep="\n")
    return 1 if failed else 0


def make_quietly(place: Place, cell: Cell) -> tuple[str, str]:
    """In a process of its own; its name, and what went wrong."""
    from train import make

    try:
        make(cell, place)
    except Exception:
        return cell.name, traceback.format_exc()
    return cell.name, ""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", choices=[*KNOWN, []], metavar="TABLE", help=", ".join(KNOWN))
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder of the cells")
    parser.add_argument("--data-root", type=Path, default=Path())
    parser.add_argument("--inception-weights", type=Path)
    parser.add_argument("--lpips-weights", type=Path)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, of one thread each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--presets", nargs="+", default=(), help="only rows of these")
    parser.add_argument("--cpu-seconds-scale", type=float, default=1.0, help="of every budget")
    parser.add_argument("--domain-only", action="store_true", help="no Inception features")
    parser.add_argument("--render-only", action="store_true", help="train nothing")
    docs = Path(__file__).parents[2] / "docs"
    parser.add_argument("--out", type=Path, default=docs, help="folder of the pages")
    options = parser.parse_args()
    if not (options.tables or options.render_only):
        parser.error(f"no table: expected some of {', '.join(KNOWN)}")
    if not (options.render_only or options.domain_only or options.inception_weights):
        parser.error("--inception-weights FILE is missing (or give --domain-only)")
    return options


if __name__ == "__main__":
    sys.exit(main())
