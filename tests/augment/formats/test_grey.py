"""One conversion to grey in every format, and no weaker leak gate for generators made by another."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from foreign_dicom import foreign
from PIL import Image
from pydicom import dcmread

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import GateError
from synthaug.augment.fingerprint import SeenImages, count_known, refuse_leak
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.grey import luma
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream

GREY = ReadOptions(channels=1)
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 120, 88), (255, 255, 255), (1, 2, 3), (7, 7, 7)]


@pytest.mark.parametrize("colour", [*COLOURS, (255, 255, 0), (0, 255, 255), (12, 200, 100)])
def test_luma_is_that_of_pillow(colour):
    picture = Image.new("RGB", (8, 8), colour)
    pixels = np.asarray(picture).transpose(2, 0, 1)
    assert (luma(pixels, 0)[0] == np.asarray(picture.convert("L"))).all()
    deep = luma(pixels.astype(np.uint16) * 257, 0)
    assert np.abs(deep[0] / 257 - np.asarray(picture.convert("L"))).max() <= 0.5


@pytest.mark.parametrize("kind", ["png", "csv", "npz", "hdf5", "own hdf5", "own npz", "own folder", "dicom"])
@pytest.mark.parametrize("colour", COLOURS[:4])
def test_one_colour_is_one_grey_in_every_format(tmp_path, kind, colour):
    pixels = np.broadcast_to(np.array(colour, np.uint8)[None, :, None, None], (4, 3, 8, 8)).copy()
    images = LabeledImages(pixels, np.arange(4) % 2, ("a", "b"))
    if kind.startswith("own"):
        path = tmp_path / {"hdf5": "x.h5", "npz": "x.npz", "folder": "x"}[kind.split()[1]]
        write_images(ImageStream.of(images), path)
    elif kind == "hdf5":
        path = tmp_path / "x.h5"
        with h5py.File(path, "w") as file:
            file.update({"images": pixels.transpose(0, 2, 3, 1), "labels": [0, 1, 0, 1]})
    elif kind == "npz":
        path = tmp_path / "x.npz"
        rows = {"train": slice(0, 2), "val": slice(2, 3), "test": slice(3, 4)}
        np.savez(
            path,
            **{f"{part}_images": pixels.transpose(0, 2, 3, 1)[of] for part, of in rows.items()},
            **{f"{part}_labels": images.labels[of][:, None] for part, of in rows.items()},
        )
    elif kind == "dicom":
        path = tmp_path / "dicom"
        for k in range(2):
            file = foreign(path / "ab"[k] / f"{k}.dcm", pixels[0, 0])
            dataset = dcmread(file)
            dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
            dataset.PhotometricInterpretation = "RGB"
            dataset.PixelData = pixels[0].transpose(1, 2, 0).tobytes()
            dataset.save_as(file)
    else:
        path = tmp_path / "x"
        for k in range(4):
            (path / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[k].transpose(1, 2, 0)).save(path / "ab"[k % 2] / f"{k}.png")
        if kind == "csv":
            rows = "\n".join(f"{'ab'[k % 2]}/{k}.png,{'ab'[k % 2]}" for k in range(4))
            (path / "t.csv").write_text(f"file,label\n{rows}")
            path = path / "t.csv"
    expected = np.asarray(Image.new("RGB", (1, 1), colour).convert("L"))[0, 0]
    assert (read_images(path, GREY).pixels == expected).all()


@pytest.fixture(params=["folder", "npz", "hdf5", "deep folder", "deep hdf5"])
def data(request, tmp_path):
    """A data set that rules 1 and 2 read otherwise, and what is asked of it."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 4, 4, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    labels = np.arange(60) % 2
    if request.param.startswith("deep"):
        pixels = pixels[..., 0].astype(np.uint16) * 16
    if request.param.endswith("hdf5"):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.update({"images": pixels, "labels": labels})
        return str(tmp_path / "x.h5"), replace(GREY, bits=8)
    if request.param == "npz":
        parts = {"train": slice(0, 36), "val": slice(36, 42), "test": slice(42, 60)}
        arrays = {f"{part}_images": pixels[rows] for part, rows in parts.items()}
        np.savez(tmp_path / "x.npz", **arrays, **{f"{p}_labels": labels[r, None] for p, r in parts.items()})
        return str(tmp_path / "x.npz"), GREY
    for k, picture in enumerate(pixels):
        (tmp_path / "x" / "ab"[labels[k]]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "x" / "ab"[labels[k]] / f"{k:02d}.png")
    return str(tmp_path / "x"), replace(GREY, bits=8)


def test_a_generator_made_by_former_rules_is_refused_as_before(data):
    spec, options = data
    before = load_dataset(spec, replace(options, rules=1))
    seen = replace(SeenImages.of(before.test), rules=1)  # what its file would hold
    now = load_dataset(spec, options)
    assert now.test.digest() != before.test.digest()
    assert count_known(now.test, seen) == len(now.test)
    with pytest.raises(GateError, match="test images were in the training set of an old generator"):
        refuse_leak(now.test, seen, "an old generator")
    assert count_known(now.test, SeenImages.of(now.test)) == len(now.test)
    assert count_known(now.test, SeenImages.of(before.train) | SeenImages.of(now.val)) == 0
    both = seen | SeenImages.of(now.train)  # gone on from an old one
    assert both.rules == 1
    assert count_known(now.test, both) == len(now.test)


def test_images_that_all_rules_read_alike_are_read_once(tmp_path, tiny):
    write_images(ImageStream.of(tiny((30, 30))), tmp_path / "x.h5")
    assert load_dataset(str(tmp_path / "x.h5")).test.former is None
