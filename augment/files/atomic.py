"""Every output is written beside its place and renamed when whole: never half a file."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from synthaug.augment.errors import UsageError

if sys.platform != "win32":
    import fcntl

# One of these stands at the top of every folder that synthaug writes.
OURS = ("config.toml", "report.json", "dataset.json")
LOCKED = ".synthaug"  # ends the name of a hidden folder whose writer lives, or was killed


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `UsageError` when `path` exists and may not be replaced; call it before long work starts.

    A folder that is not of synthaug's making is never replaced: a mistyped --out must cost nobody's data.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already: choose another --out or add --overwrite")
    if path.is_dir() and any(path.iterdir()) and not any((path / name).exists() for name in OURS):
        raise UsageError(f"{path} is a folder that synthaug did not make: choose another --out")


@contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` for a file or folder to be made; rename it to `path` on success.

    On any error the temporary is removed and what stood at `path` before is untouched. What a killed process
    left is removed by the next one that makes the same path. A file is replaced in one step, a folder in two
    renames: after a kill between them, the next one first puts the old folder back.
    """
    _clear_up_after_the_killed(path)
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _holder(path) as holder:
        fresh = holder / path.name
        yield fresh
        if path.is_dir() or (path.exists() and fresh.is_dir()):
            _swap(path, fresh, _aside(holder, path))
        else:
            fresh.replace(path)


@contextmanager
def _holder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, locked as long as this process uses it: a kill unlocks it."""
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent))
    with _locked(holder) as locked:
        if locked:  # under the name that others look for only now: before, they would take us for dead
            holder = holder.rename(holder.with_suffix(LOCKED))
        try:
            yield holder
        finally:
            shutil.rmtree(holder, ignore_errors=True)


def _clear_up_after_the_killed(path: Path) -> None:
    """Remove what those left beside `path` who made it and were killed; never what somebody uses."""
    for holder in path.parent.glob(f".{escape(path.name)}.????????{LOCKED}"):
        with suppress(OSError), _locked(holder) as unused:
            if unused and _aside(holder, path).exists() and not path.exists():
                _aside(holder, path).rename(path)
            if unused:
                shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder is locked by us now; not where another has locked it, or nobody can."""
    if sys.platform == "win32":  # it has no such locks: what a killed process leaves there stays
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = True
    except OSError:  # another's, or a file system without locks
        locked = False
    try:
        yield locked
    finally:
        os.close(descriptor)


def _aside(holder: Path, path: Path) -> Path:
    return holder / f"{path.name}.replaced"


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    """No one rename puts a folder in another's place: move the old one aside first, and back on an error."""
    path.rename(aside)
    try:
        fresh.rename(path)
    except BaseException:
        aside.rename(path)
        raise
