"""MedNIST, from MONAI's archive or the folder it unpacks to."""

import gzip
import io
import logging
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.files.cache import cached_arrays
from synthaug.augment.files.decode import decode_images
from synthaug.augment.formats.folder import read_folder
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.labels import class_order
from synthaug.augment.splits import draw_splits


def find_mednist(root: Path) -> Path | None:
    """The unpacked folder or the archive below a data root, if one is there."""
    for path in (root / "MedNIST", root / "MedNIST.tar.gz", root / "mednist" / "MedNIST.tar.gz"):
        if path.exists():
            return path
    return None


def load_mednist(root: Path, seed: int) -> Splits:
    """58,954 images of six classes, 64 px grey; split 80 / 10 / 10 (the data set has no patients, no split).

    Raises:
        DataError: not found and not downloadable, or truncated.
    """
    source = find_mednist(root) or _download(root)
    images = read_folder(source) if source.is_dir() else _read_archive(source)
    return draw_splits(images, "mednist", val=0.1, test=0.1, seed=seed)


def _read_archive(path: Path) -> LabeledImages:
    def decode() -> dict[str, npt.NDArray[Any]]:
        files = {}
        try:
            with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
                for member in archive:  # ends without a word where a header is damaged, so
                    if member.name.endswith(".jpeg") and (content := archive.extractfile(member)):
                        files[member.name] = content.read()
                while stream.read(1 << 20):  # read on to the end, where gzip compares its checksum
                    pass
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
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
    classes = [PurePosixPath(name).parent.name for name in arrays["names"].tolist()]
    class_names = class_order(classes)
    labels = np.array([class_names.index(name) for name in classes], dtype=np.int64)
    return LabeledImages(arrays["pixels"], labels, class_names)


def _download(root: Path) -> Path:
    from monai.apps.datasets import MedNISTDataset
    from monai.apps.utils import download_url

    path = root / "MedNIST.tar.gz"
    logging.getLogger("monai.apps").setLevel(logging.CRITICAL)  # a failure is told below, in one line
    try:
        root.mkdir(parents=True, exist_ok=True)
        download_url(MedNISTDataset.resource, path, hash_val=MedNISTDataset.md5, progress=False)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"mednist: no MedNIST.tar.gz or MedNIST/ below {root} and the download failed ({reason}): "
            "put the archive there, or try --dataset phantom"
        ) from None
    return path
