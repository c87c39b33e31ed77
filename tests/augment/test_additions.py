"""What it takes to add an option or a format, done in a copy: the files that change are counted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from synthaug.augment.reading import ReadOptions
from synthaug.cli.main import app
from typer.testing import CliRunner
shown = CliRunner().invoke(app, [sys.argv[1], "--help"], env={"COLUMNS": "200"}).output
assert "--rotate" in shown, shown
from synthaug.augment.transforms import as_asked
from synthaug.augment.datasets.phantom import phantom
upright, turned = (as_asked(phantom([2, 2], 16), ReadOptions(rotate=k)).pixels for k in (0, 1))
assert (turned == upright.swapaxes(2, 3)).all()
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms, importable as synthaug from another place."""
    leave = shutil.ignore_patterns("__pycache__")
    for room in ("augment", "generators", "classifiers", "evaluation", "cli"):
        shutil.copytree(ROOT / room, tmp_path / "synthaug" / room, ignore=leave)
    shutil.copytree(ROOT / "synthaug", tmp_path / "synthaug", dirs_exist_ok=True, ignore=leave)
    return tmp_path


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train-generator", "export", "evaluate"])
def test_a_reading_option_is_added_in_two_files(copy: Path, command: str) -> None:
    augment = copy / "synthaug" / "augment"
    field = "    skip_bad: bool = _of_files("
    added = f'    rotate: int = _of_files(0, "Quarter turns.")\n{field}'
    change(augment / "reading.py", field, added)
    returned = "    return images if reading.bits is None else with_bits(images, reading.bits)"
    heeded = "    if reading.rotate:\n        images = replace(images, pixels=images.pixels.swapaxes(2, 3))\n"
    turned = heeded + returned
    change(augment / "transforms.py", returned, turned)
    code = f"import sys; sys.path.insert(0, {str(copy)!r})\n" + (
        "for finder in list(sys.meta_path):\n"
        "    if 'Editable' in getattr(finder, '__name__', ''): sys.meta_path.remove(finder)\n"
    )
    done = subprocess.run([sys.executable, "-c", code + CODE, command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
