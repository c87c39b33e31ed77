"""Every output is written beside its place and renamed when whole: never half a file."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthaug.augment.errors import UsageError


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `UsageError` when `path` exists and may not be replaced; call it before long work starts."""
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already: choose another --out or add --overwrite")


@contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` for a file or folder to be made; rename it to `path` on success.

    On any error the temporary is removed and what stood at `path` before is untouched.
    """
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    fresh = holder / path.name
    try:
        yield fresh
        if path.is_dir():  # os.replace cannot put one folder in another's place: move the old one aside
            path.rename(holder / "replaced")
        fresh.replace(path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)
