"""DICOM written by several processes: the same files, and the usual end when something goes wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dicom_exports import export
from tiny_images import tiny_images

from synthaug.augment.dicom.writer import write_dicom
from synthaug.augment.errors import SynthaugError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

TWO = WriteOptions(jobs=2, dicomdir=True)


def workers() -> list[int]:
    """Processes of this one that write files."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            command = Path("/proc", child, "cmdline").read_bytes()
            if b"popen_loky" in command:
                found.append(int(child))
    return found


def many(batches: Iterator[LabeledImages]) -> ImageStream:
    return replace(ImageStream.of(tiny_images((3, 3))), batches=batches, total=600)


def test_the_files_are_the_same_with_any_number_of_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    blended = concatenate([tiny_images((90, 60), patients=3), tiny_images((60, 90), synthetic=True)])
    one, two = export(blended, tmp_path / "one", replace(TWO, jobs=1)), export(blended, tmp_path / "two", TWO)
    assert len(one) == len(two) == 301  # more than one process gets at a time, and the index
    for ours, theirs in zip(one, two, strict=True):
        assert ours.relative_to(tmp_path / "one") == theirs.relative_to(tmp_path / "two")
        assert ours.read_bytes() == theirs.read_bytes()
    assert workers() == []


def killed(folder: Path) -> None:
    os.kill(workers()[0], signal.SIGKILL)


def interrupted(folder: Path) -> None:
    raise KeyboardInterrupt


def without_a_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


KILLED = """
import os, signal
from test_dicom_processes import TWO, many, tiny_images, workers
from synthaug.augment.dicom.writer import write_dicom
from pathlib import Path
def batches():
    while True:
        yield tiny_images((3, 3))
        if len(workers()) == 2:
            print(*workers(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
write_dicom(many(batches()), Path(OUT), TWO)
"""


@pytest.mark.slow
def test_processes_end_where_the_first_is_killed(tmp_path):
    script = KILLED.replace("OUT", repr(str(tmp_path / "out")))
    folders = (Path(__file__).parent, Path(__file__).parents[2] / "support")
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=here)
    assert done.returncode == -signal.SIGKILL
    left = [Path("/proc", pid) for pid in done.stdout.split()]
    assert len(left) == 2
    deadline = time.monotonic() + 60
    while any(path.exists() for path in left):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [  # starting processes takes seconds: one of these in every run
        (killed, SynthaugError, "was killed, perhaps for want of memory: free some, or add --jobs 1"),
        pytest.param(interrupted, KeyboardInterrupt, None, marks=pytest.mark.slow),
        pytest.param(without_a_folder, FileNotFoundError, None, marks=pytest.mark.slow),
    ],
)
def test_trouble_ends_the_export_and_leaves_nothing(tmp_path, trouble, error, message):
    images = tiny_images((3, 3))

    def batches() -> Iterator[LabeledImages]:
        for turn in range(100):
            yield images
            if turn == 20:
                trouble(fresh)

    with pytest.raises(error, match=message), replacing(tmp_path / "out") as fresh:
        write_dicom(many(batches()), fresh, replace(TWO, dicomdir=False))
    assert list(tmp_path.iterdir()) == []
    assert workers() == []
