"""The 2-D data sets of the medmnist package, found below the data root or downloaded by it."""

from pathlib import Path
from typing import Any

from synthaug.augment.errors import DataError
from synthaug.augment.formats.npz import load_npz
from synthaug.augment.images import Splits

SIZES = (28, 64, 128, 224)


def medmnist_names() -> dict[str, dict[str, Any]]:
    """Every 2-D data set of the package with its facts (task, label names, counts, licence)."""
    from medmnist import INFO

    return {name: facts for name, facts in INFO.items() if not name.endswith("3d")}


def find_medmnist(name: str, root: Path, size: int = 28) -> Path | None:
    """The data set's file below a data root, if it is there."""
    for path in (root / file_name(name, size), root / "medmnist" / file_name(name, size)):
        if path.exists():
            return path
    return None


def file_name(name: str, size: int) -> str:
    """As the medmnist package calls it."""
    return f"{name}.npz" if size == 28 else f"{name}_{size}.npz"


def load_medmnist(name: str, root: Path, size: int | None) -> Splits:
    """The official splits, at `size` where MedMNIST has it and at 28 px otherwise.

    Raises:
        DataError: not found and not downloadable, or not a whole file of this layout.
    """
    stored = size if size in SIZES else 28
    path = find_medmnist(name, root, stored) or _download(name, root, stored)
    return load_npz(path, name, tuple(medmnist_names()[name]["label"].values()))


def _download(name: str, root: Path, size: int) -> Path:
    import medmnist

    folder = root / "medmnist"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dataset = getattr(medmnist, medmnist.INFO[name]["python_class"])
        dataset(split="train", root=str(folder), size=size, download=True)
    except Exception:
        raise DataError(
            f"{name}: no {file_name(name, size)} below {root} or {folder}, and it could not be downloaded: "
            "put it there, name its folder by --data-root, or try --dataset phantom"
        ) from None
    path = find_medmnist(name, root, size)
    assert path is not None
    return path
