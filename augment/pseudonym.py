"""Names for patients that do not give them away, the same in every file written from one data set."""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from platformdirs import user_data_path

from synthaug.augment.errors import UsageError

if TYPE_CHECKING:  # images.py itself names patients in an error
    from synthaug.augment.images import LabeledImages

PSEUDONYM = re.compile(r"anon-[0-9a-f]{16}")


def pseudonym(identifier: str, salt: str | None = None) -> str:
    """A name for a patient that does not give the identifier away; a pseudonym stays as it is.

    Args:
        salt: the data set's secret (`salt_of`), without which nobody can try short identifiers one by one;
            None is that of images whose data set is not known.
    """
    if PSEUDONYM.fullmatch(identifier):
        return identifier
    salt = salt_of() if salt is None else salt
    digest = hashlib.sha256(f"{salt}/{identifier}".encode())
    return f"anon-{digest.hexdigest()[:16]}"


def without_names(images: "LabeledImages", source: str = "") -> "LabeledImages":
    """The images with pseudonyms as their groups; "synthetic" stays.

    Args:
        source: the data set, whose salt is used; no salt is made where nobody is to be hidden.
    """
    if images.groups is None:
        return images
    names, rows = np.unique(images.groups, return_inverse=True)
    plain = [name for name in names.tolist() if name != "synthetic" and not PSEUDONYM.fullmatch(name)]
    if not plain:
        return images
    salt = salt_of(source)
    hidden = {name: pseudonym(name, salt) for name in plain}
    return replace(images, groups=np.array([hidden.get(name, name) for name in names.tolist()])[rows])


def salt_of(source: str = "") -> str:
    """A data set's secret: $SYNTHAUG_SALT, else one made at random and kept for this user, mode 0600.

    Two data sets have two, so that nobody can tell from their files which patients they share.

    Args:
        source: the data set's name, or its path where it has none.

    Raises:
        UsageError: it cannot be kept.
    """
    if chosen := os.environ.get("SYNTHAUG_SALT"):
        return chosen
    place = _salt_folder() / hashlib.sha256(source.encode()).hexdigest()
    try:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix=".") as fresh:  # made with 0600
                fresh.write(secrets.token_hex(32))
                fresh.flush()
                with suppress(FileExistsError):  # whole or not at all, and never over another process's
                    place.hardlink_to(fresh.name)
        return place.read_text()
    except OSError as error:
        raise UsageError(
            f"{place.parent}: expected to keep the secret there that hides patients' names, found "
            f"{error.strerror}: set SYNTHAUG_SALT to a secret of your own"
        ) from None


def of_same_patients(ours: npt.NDArray[np.str_], theirs: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """(N,) bool: is each of `ours` one of `theirs`? A pseudonym made here counts as the name behind it."""
    sets = [set(names.tolist()) - {"synthetic"} for names in (ours, theirs)]
    hidden = [{name for name in names if PSEUDONYM.fullmatch(name)} for names in sets]
    salts = _salts() if hidden[0] != hidden[1] else ()
    known = _with_pseudonyms(sets[1] - hidden[1], salts if hidden[0] else ()) | hidden[1]
    found = {
        name for name in sets[0] if not known.isdisjoint(_with_pseudonyms([name], salts if hidden[1] else ()))
    }
    return np.isin(ours, list(found))


def _with_pseudonyms(names: Iterable[str], salts: Iterable[str]) -> set[str]:
    plain = set(names)
    return plain | {pseudonym(name, salt) for salt in salts for name in plain}


def _salts() -> tuple[str, ...]:
    """Every salt of this user: which one a file's pseudonyms were made with is written nowhere."""
    chosen = os.environ.get("SYNTHAUG_SALT")
    kept = _salt_folder().glob("[0-9a-f]*") if _salt_folder().is_dir() else ()
    return (*([chosen] if chosen else ()), *(path.read_text() for path in sorted(kept)))


def _salt_folder() -> Path:
    return user_data_path("synthaug") / "salts"
