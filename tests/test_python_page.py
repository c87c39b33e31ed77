"""The examples of docs/python.md run as they stand, one after the other."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import synthaug as sa

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
BLOCKS = re.findall(r"(<!-- slow -->\n)?```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture
def logger_left_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("synthaug")
    level = logger.level
    yield
    logger.setLevel(level)


def run_in_order(blocks: list[str]) -> None:
    names: dict[str, object] = {}
    for code in blocks:
        exec(compile(code, str(PAGE), "exec"), names)


def test_every_name_of_the_page_is_public():
    assert len(BLOCKS) > 12
    for _, code in BLOCKS:
        compile(code, str(PAGE), "exec")
    used = set(re.findall(r"\bsa\.(\w+)", "".join(code for _, code in BLOCKS)))
    assert {"load", "generate", "experiment"} <= used <= set(sa.__all__)


@pytest.mark.slow
def test_the_examples_of_the_python_page_run(tmp_path, monkeypatch, logger_left_as_it_was):
    monkeypatch.chdir(tmp_path)
    run_in_order([code for slow, code in BLOCKS if not slow])
    assert {"phantom.safetensors", "abnormal.h5", "blend.npz"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_all_examples_run_as_one_script(tmp_path):
    """In a process of its own, as a reader would paste them; warnings are the reader's, not errors."""
    script = "\n".join(code for _, code in BLOCKS)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "judged" / "report.html").exists()
    assert (tmp_path / "runs" / "verdict" / "report.html").exists()
