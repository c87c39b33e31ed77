"""MedNIST, from MONAI's archive or the folder it unpacks to."""

import io
import tarfile
from pathlib import Path
from typing import IO

import numpy as np

from synthaug.augment.cache import cached_arrays
from synthaug.augment.decode import decode_images
from synthaug.augment.errors import DataError
from synthaug.augment.folder import read_folder
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.labels import class_order
from synthaug.augment.splits import draw_splits
from synthaug.augment.transforms import resize


def find_mednist(root: Path) -> Path | None:
    """The unpacked folder or the archive below a data root, if one is there."""
    for path in (root / "MedNIST", root / "MedNIST.tar.gz", root / "mednist" / "MedNIST.tar.gz"):
        if path.exists():
            return path
    return None


def load_mednist(root: Path, size: int | None, seed: int) -> Splits:
    """58,954 images of six classes, 64 px grey; split 80 / 10 / 10 (the data set has no patients, no split).

    Raises:
        DataError: not found and not downloadable, or truncated.
    """
    source = find_mednist(root) or _download(root)
    images = read_folder(source) if source.is_dir() else _read_archive(source)
    splits = draw_splits(images, "mednist", val=0.1, test=0.1, seed=seed)
    return splits if size is None else splits.map(lambda part: resize(part, size))


def _read_archive(path: Path) -> LabeledImages:
    def decode() -> dict[str, np.ndarray]:
        try:
            with tarfile.open(path) as archive:
                members = [m for m in archive if m.isfile() and m.name.endswith(".jpeg")]
                files = {m.name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(
                f"{path}: expected the whole MedNIST archive, found {error}: fetch it again"
            ) from None
        if not files:
            raise DataError(f"{path}: found no JPEG, expected MedNIST/<Class>/*.jpeg")

        def opened(name: str) -> IO[bytes]:
            return io.BytesIO(files[name])

        names = sorted(files)
        return {"pixels": decode_images(names, opened, 64, 1), "names": np.array(names)}

    arrays = cached_arrays([path], "mednist", decode)
    classes = np.array([name.split("/")[-2] for name in arrays["names"].tolist()])
    class_names = class_order(classes.tolist())
    labels = np.zeros(len(classes), np.int64)
    for label, name in enumerate(class_names):
        labels[classes == name] = label
    return LabeledImages(arrays["pixels"], labels, class_names)  # type: ignore[arg-type]


def _download(root: Path) -> Path:
    from monai.apps.datasets import MedNISTDataset
    from monai.apps.utils import download_url

    path = root / "MedNIST.tar.gz"
    try:
        root.mkdir(parents=True, exist_ok=True)
        download_url(MedNISTDataset.resource, path, hash_val=MedNISTDataset.md5, progress=False)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"mednist: no MedNIST.tar.gz or MedNIST/ below {root} and the download failed ({reason}): "
            "put the archive there, or try --dataset phantom"
        ) from None
    return path
