"""Every output is written beside its place and renamed when whole: never half a file."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthaug.augment.errors import UsageError

# One of these stands at the top of every folder that synthaug writes.
OURS = ("config.toml", "report.json", "dataset.json")


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

    On any error the temporary is removed and what stood at `path` before is untouched. A file is replaced in
    one step, a folder in two renames: a kill between them leaves both, whole, in a hidden folder beside.
    """
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    fresh = holder / path.name
    try:
        yield fresh
        if path.is_dir() or (path.exists() and fresh.is_dir()):
            _swap(path, fresh, holder / "replaced")
        else:
            fresh.replace(path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    """No one rename puts a folder in another's place: move the old one aside first, and back on an error."""
    path.rename(aside)
    try:
        fresh.rename(path)
    except BaseException:
        aside.rename(path)
        raise
