"""Arrays of others: however they are called and laid out, in npz and HDF5; and pictures over a limit."""

import h5py
import numpy as np
import pytest
from PIL import Image

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.reading import ReadOptions

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8), np.uint8)
LABELS = np.arange(40) % 2


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("x_train", "y_train"),
        ("X_train", "Y_train"),
        ("train_x", "train_y"),
        ("train_images", "train_labels"),
        ("TrainImages", "TrainLabels"),
        ("images", "labels"),
        ("X", "y"),
        ("image", "label"),
        ("imgs", "targets"),
        ("train_img", "train_label"),
    ],
)
def test_npz_of_one_part_is_read_by_any_usual_names(tmp_path, images, labels):
    np.savez(tmp_path / "x.npz", **{images: IMAGES, labels: LABELS})
    found = read_images(tmp_path / "x.npz")
    assert (found.pixels[:, 0] == IMAGES).all()
    assert found.split is None


def test_npz_without_a_validation_part_has_it_drawn(tmp_path):
    parts = {"x_train": IMAGES[:30], "y_train": LABELS[:30], "x_test": IMAGES[30:], "y_test": LABELS[30:]}
    np.savez(tmp_path / "x.npz", **parts)
    splits = load_dataset(str(tmp_path / "x.npz"))
    assert splits.official
    assert (len(splits.train) + len(splits.val), len(splits.test)) == (30, 10)


@pytest.mark.parametrize(
    ("values", "same"),
    [
        (IMAGES / 255, True),
        ((IMAGES / 255).astype(np.float32), True),
        (IMAGES.astype(np.float64), True),
        (IMAGES.astype(np.int64), True),
        (IMAGES[:, None], True),
        (IMAGES[..., None], True),
        (np.repeat(IMAGES[:, None], 3, axis=1), True),
        (IMAGES / 255 - 0.5, False),
        (np.where(IMAGES > 250, np.nan, IMAGES), False),
        (IMAGES.astype(np.int64) * 1000, False),
    ],
)
def test_npz_of_any_usual_form_is_read_or_refused(tmp_path, values, same):
    np.savez(tmp_path / "x.npz", x_train=values, y_train=LABELS)
    if same:
        assert (read_images(tmp_path / "x.npz", ReadOptions(channels=1)).pixels[:, 0] == IMAGES).all()
    else:
        with pytest.raises(DataError, match=r"train_images from .* expected \[0, 1\], 0 to 255 or uint16"):
            read_images(tmp_path / "x.npz")


def test_npz_with_two_arrays_of_one_name_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x_train=IMAGES, train_images=IMAGES, y_train=LABELS)
    with pytest.raises(DataError, match="found two arrays for train_images"):
        read_images(tmp_path / "x.npz")


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 1, 1), (40, 1, 1, 1)])
def test_hdf5_labels_of_patch_camelyon_are_read(tmp_path, shape):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.update({"x": IMAGES, "y": LABELS.reshape(shape)})
    assert read_images(tmp_path / "x.h5").labels.tolist() == LABELS.tolist()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("most", [100, 400, 899])
def test_a_picture_over_the_limit_is_sound_and_names_the_option(tmp_path, most):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((30, 30), most % 256, np.uint8)).save(tmp_path / "a" / "0.png")
    with pytest.raises(DataError, match=r"found 900 pixels, over the limit: --max-pixels raises it$"):
        read_images(tmp_path, ReadOptions(max_pixels=most))
    assert len(read_images(tmp_path, ReadOptions(max_pixels=900))) == 1
    assert len(read_images(tmp_path)) == 1
