"""Files that are missing, empty, cut short or something else: one line names them and says what is wanted."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.images import PARTS
from synthaug.augment.stream import ImageStream

TARGETS = {"hdf5": "out.h5", "npz": "out.npz", "folder": "out", "dicom": "out-dicom"}
formats = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def damaged(path: Path, how: str) -> Path:
    """A file, or the first of a folder's, spoilt."""
    victim = (
        path if path.is_file() else next(p for p in sorted(path.rglob("*")) if p.suffix in (".png", ".dcm"))
    )
    content = victim.read_bytes()
    middle = len(content) // 2
    victim.write_bytes(
        {
            "empty": b"",
            "truncated": content[:middle],
            "foreign": b"%PDF-1.7 not an image\n" * 40,
            "flipped": content[:middle] + bytes(b ^ 0xFF for b in content[middle:]),
        }[how]
    )
    return victim


@formats
@pytest.mark.parametrize("how", ["empty", "truncated", "foreign", "flipped"])
def test_a_damaged_file_is_named_in_one_line(tmp_path, tiny, target, how):
    write_images(ImageStream.of(tiny((30, 30), side=32)), tmp_path / target)
    victim = damaged(tmp_path / target, how)
    with pytest.raises(DataError, match="expected") as error:
        read_images(tmp_path / target)
    assert str(victim) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 4


@formats
def test_a_missing_path_is_named_in_one_line(tmp_path, target):
    with pytest.raises(DataError, match=r"not found, expected a \.h5 or \.npz file or a folder") as error:
        read_images(tmp_path / target)
    assert str(tmp_path / target) in str(error.value)


def test_an_empty_folder_is_named_in_one_line(tmp_path):
    with pytest.raises(DataError, match="found no image, expected class folders") as error:
        read_images(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_a_foreign_hdf5_file_is_named_with_what_is_in_it(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["volume"] = np.zeros(3)
    with pytest.raises(DataError, match=r"x\.h5: found volume, expected a file of schema synthaug/1"):
        read_images(tmp_path / "x.h5")


def test_an_hdf5_file_without_images_or_columns_is_refused(tmp_path, tiny):
    write_images(ImageStream.of(tiny((2, 2))), tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["labels"]
    with pytest.raises(DataError, match=r"x\.h5: expected a whole HDF5 file"):
        read_images(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["images"]
        file["images"] = np.zeros((0, 8, 8, 1), np.uint8)
    with pytest.raises(DataError, match=r"x\.h5: found no image in it"):
        read_images(tmp_path / "x.h5")


@pytest.fixture
def medmnist_file(tmp_path):
    """Writes an .npz whose arrays are those of a small MedMNIST file, but for the ones given."""

    def write(**changed):
        arrays = {}
        for part in ("train", "val", "test"):
            arrays[f"{part}_images"] = np.zeros((4, 8, 8), np.uint8)
            arrays[f"{part}_labels"] = np.array([[0], [1], [0], [1]], np.uint8)
        arrays |= changed
        np.savez(tmp_path / "x.npz", **{name: array for name, array in arrays.items() if array is not None})
        return tmp_path / "x.npz"

    return write


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"val_labels": None}, "expected also val_labels"),
        (
            {
                f"{part}_{kind}": np.zeros((0, *rest), np.uint8)
                for part in PARTS
                for kind, rest in (("images", (8, 8)), ("labels", (1,)))
            },
            "found no image",
        ),
        (
            {"train_images": np.zeros((4, 8), np.uint8)},
            r"train_images of shape \(4, 8\), expected \(N, H, W\)",
        ),
        ({"train_images": np.zeros((4, 8, 8, 8), np.uint8)}, r"expected \(N, H, W\) or \(N, H, W, 3\)"),
        ({"train_images": np.full((4, 8, 8), -1.0)}, r"from -1 to -1, expected \[0, 1\], 0 to 255 or"),
        ({"train_labels": np.zeros((3, 1), np.uint8)}, r"train has 4 images, labels \(3,\)"),
        ({"train_images": np.array([None] * 4)}, "pickle"),
    ],
)
def test_an_npz_of_another_layout_is_named_with_what_is_wrong(medmnist_file, changed, says):
    path = medmnist_file(**changed)
    with pytest.raises(DataError, match=says) as error:
        read_images(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_array_that_is_no_archive_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(4))
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"expected a whole \.npz in MedMNIST's layout"):
        read_images(tmp_path / "x.npz")
