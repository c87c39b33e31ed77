"""Files are whole or not there, whenever their writer is killed, and what it leaves is cleared up."""

import signal
import subprocess
import sys

import pytest

from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import replacing
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.stream import ImageStream

DYING = """
import os, signal, sys
from pathlib import Path
from synthaug.augment.files.atomic import replacing
rename = Path.rename
def killed(path, to):  # between the two renames that put a folder in another's place
    if to == Path(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, to)
Path.rename = killed
with replacing(Path(sys.argv[1])) as fresh:
    fresh.mkdir()
    (fresh / "dataset.json").write_text("half")
    if sys.argv[2] == "at work":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path, tiny):
    path = tmp_path / "out.h5"
    write_images(ImageStream.of(tiny((2, 2))), path)
    old = path.read_bytes()
    script = f"""
import os, signal
from pathlib import Path
from synthaug.augment.files.atomic import replacing
with replacing(Path({str(path)!r})) as fresh:
    fresh.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == old


@pytest.mark.parametrize("moment", ["at work", "between two renames"])
def test_what_a_killed_writer_left_goes_when_the_same_is_written_again(tmp_path, tiny, moment):
    path = tmp_path / "a [b]-dicom"
    write_images(ImageStream.of(tiny((2, 2))), path)
    (tmp_path / f".{path.name}.mine").mkdir()
    with replacing(path) as living:
        living.mkdir()
        (living / "dataset.json").write_text("another writer's")
        done = subprocess.run([sys.executable, "-c", DYING, str(path), moment], check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(list(tmp_path.glob(".a*"))) == 3
        with pytest.raises(UsageError, match="exists already"), replacing(path, overwrite=False):
            pass
        assert len(read_images(path)) == 4
        assert list(living.iterdir())
        assert len(list(tmp_path.glob(".a*"))) == 2
    assert sorted(found.name for found in tmp_path.iterdir()) == [f".{path.name}.mine", path.name]
