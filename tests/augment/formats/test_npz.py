"""MedMNIST's layout: what its own package reads, and what ours adds to it."""

import re
from dataclasses import replace

import medmnist
import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.images import PARTS
from synthaug.augment.stream import ImageStream


class TestNpz:
    def test_has_the_layout_of_medmnist(self, tmp_path, tiny):
        images = tiny((3, 2), channels=3, synthetic=True)
        write_images(ImageStream.of(images), tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz") as file:
            assert {f"{p}_{k}" for p in ("train", "val", "test") for k in ("images", "labels")} <= set(file)
            assert (file["train_images"] == images.pixels.transpose(0, 2, 3, 1)).all()
            assert file["train_labels"].shape == (5, 1)
            assert file["val_images"].shape == (0, 8, 8, 3)

    def test_is_loaded_by_the_medmnist_package(self, tmp_path, tiny, monkeypatch):
        images = tiny((5, 4), side=28, class_names=("normal", "pneumonia"))
        split = np.array(["train"] * 4 + ["val"] * 2 + ["test"] * 3)
        write_images(ImageStream.of(replace(images, split=split)), tmp_path / "pneumoniamnist.npz")
        counts = {"train": 4, "val": 2, "test": 3}  # the package wants as many as its table says
        monkeypatch.setitem(
            medmnist.INFO,
            "pneumoniamnist",
            {**medmnist.INFO["pneumoniamnist"], "n_samples": counts},
        )
        for part in PARTS:
            theirs = medmnist.PneumoniaMNIST(split=part, root=str(tmp_path))
            ours = images.take(split == part)
            assert [int(label[0]) for _, label in theirs] == ours.labels.tolist()
            assert (np.stack([np.asarray(image) for image, _ in theirs]) == ours.pixels[:, 0]).all()

    def test_holds_patients_and_parts_where_they_are_known(self, tmp_path, tiny):
        images = tiny((2, 2), patients=1)
        only_train = replace(images, split=np.full(4, "train"))
        write_images(ImageStream.of(only_train), tmp_path / "out.npz")
        back = read_images(tmp_path / "out.npz")
        assert back.split.tolist() == ["train"] * 4
        assert len(set(back.groups.tolist())) == 4
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / "plain.npz")
        plain = read_images(tmp_path / "plain.npz")
        assert plain.split is None
        assert plain.groups is None

    def test_widens_labels_for_many_classes(self, tmp_path, tiny):
        names = tuple(f"class {k}" for k in range(300))
        sent = replace(tiny((1, 1)), labels=np.array([7, 299]), class_names=names)
        write_images(ImageStream.of(sent), tmp_path / "out.npz")
        assert np.load(tmp_path / "out.npz")["train_labels"].dtype == np.uint16
        assert read_images(tmp_path / "out.npz").labels.tolist() == [7, 299]

    @pytest.mark.parametrize("names", [("synthetic",), ("generator",)])
    def test_need_not_say_all_of_an_image_to_say_that_it_is_synthetic(self, tmp_path, tiny, names):
        write_images(ImageStream.of(tiny((2, 2), synthetic=True)), tmp_path / "whole.npz")
        with np.load(tmp_path / "whole.npz") as file:
            left = {k: v for k, v in file.items() if k.endswith(("images", "labels", *names))}
        np.savez(tmp_path / "part.npz", **left)
        assert read_images(tmp_path / "part.npz").synthetic.tolist() == [True] * 4

    @pytest.mark.parametrize(
        ("labels", "says"),
        [
            (np.eye(3, dtype=int), "labels of shape (3, 3) with a single 1 in each row"),
            (np.array([[0.9], [0.0], [1.0]]), "labels of type float64, expected whole numbers"),
            (np.array([["a"], ["b"], ["a"]]), "labels of type <U1, expected whole numbers"),
        ],
        ids=["one-hot", "fractions", "text"],
    )
    def test_of_labels_that_are_no_numbers_of_classes_is_refused(self, tmp_path, tiny, labels, says):
        pixels = tiny((2, 1)).pixels[:, 0]
        parts = {
            f"{part}_{kind}": a for part in PARTS for kind, a in (("images", pixels), ("labels", labels))
        }
        np.savez(tmp_path / "x.npz", **parts)
        with pytest.raises(DataError, match=re.escape(says)):
            read_images(tmp_path / "x.npz")

    def test_gives_the_same_bytes_twice(self, tmp_path, tiny):
        for name in ("one.npz", "two.npz"):
            write_images(ImageStream.of(tiny((3, 2))), tmp_path / name)
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()

    def test_of_the_official_numbers_is_loaded_as_the_official_set(self, tmp_path, data_root):
        images = read_images(data_root / "medmnist" / "pneumoniamnist.npz")
        write_images(ImageStream.of(images), tmp_path / "pneumoniamnist.npz")
        for part in PARTS:
            theirs = medmnist.PneumoniaMNIST(split=part, root=str(tmp_path))
            ours = images.take(images.split == part)
            assert len(theirs) == len(ours)
            assert (theirs.imgs == ours.pixels[:, 0]).all()
            assert theirs.labels[:, 0].tolist() == ours.labels.tolist()
