"""The two descriptions that every data set gets: a README for people and a Croissant file for programs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from synthaug.augment.files.atomic import replacing
from synthaug.augment.formats.card import data_card
from synthaug.augment.formats.contents import Contents
from synthaug.augment.formats.croissant import croissant

README, CROISSANT = "README.md", "croissant.json"
GROWING = "sent-"  # what an archive acknowledged (`archive.sending`): no part of the set


@contextmanager
def described(path: Path, is_folder: bool, overwrite: bool) -> Iterator[dict[str, Path]]:
    """Where the descriptions of a data set at `path` are to be written, put in their place when it is whole.

    In a folder they are two files of it; out.h5 has out.h5.README.md and out.h5.croissant.json beside it. An
    error leaves neither.

    Raises:
        UsageError: one is there already and `overwrite` is not set.
    """
    with ExitStack() as stack:
        beside = {} if is_folder else {name: f"{path.name}.{name}" for name in (README, CROISSANT)}
        yield {
            name: stack.enter_context(replacing(path.with_name(file), overwrite))
            for name, file in beside.items()
        }


def describe(
    contents: Contents,
    path: Path,
    fresh: Path,
    beside: dict[str, Path],
    *,
    format: str,
    loading: str,
    pictures: str,
) -> None:
    """Write the descriptions of a data set that stands, whole, at `fresh` and will stand at `path`.

    Args:
        beside: from `described`.
        format, loading, pictures: as in `formats.Format`.
    """
    place = fresh if fresh.is_dir() else fresh.parent
    files = place.iterdir() if fresh.is_dir() else place.rglob("*")
    whole = sorted(file for file in files if file.is_file() and not file.name.startswith(GROWING))
    listed = croissant(contents, path.name, place, whole, pictures)
    targets = beside or {name: fresh / name for name in (README, CROISSANT)}
    targets[CROISSANT].write_text(listed, encoding="utf-8")
    targets[README].write_text(data_card(contents, path.name, format, loading), encoding="utf-8")
