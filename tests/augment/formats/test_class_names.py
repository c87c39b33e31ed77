"""One parser of labels for every format: the same names give the same classes, wherever they stand."""

import h5py
import numpy as np
import pytest
from PIL import Image

from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.labels import class_numbers, parse_label
from synthaug.augment.reading import ReadOptions

CASES = [
    (["Me\u0301le\u0301e", "M\u00e9l\u00e9e", "x"], ["M\u00e9l\u00e9e", "x"], [0, 0, 1]),
    (["a", " a ", "b"], ["a", "b"], [0, 0, 1]),
    (["No  Finding", "No Finding", "Mass"], ["No Finding", "Mass"], [0, 0, 1]),
    (["1", "1.0", "0"], ["0", "1"], [1, 1, 0]),
    (["1.00", "2.", "1"], ["1", "2"], [0, 1, 0]),
    (["10", "2", "1", "0"], ["0", "1", "2", "10"], [3, 2, 1, 0]),
    (["-1", "1", "0"], ["-1", "0", "1"], [0, 2, 1]),
    (["Normal", "NORMAL", "Normal", "mass"], ["Normal", "mass"], [0, 0, 0, 1]),
    (["NORMAL", "normal", "NORMAL", "Mass"], ["NORMAL", "Mass"], [0, 0, 0, 1]),
    (["Straße", "STRASSE", "Straße", "b"], ["b", "Straße"], [1, 1, 1, 0]),
    (["grade 10", "grade 2"], ["grade 10", "grade 2"], [0, 1]),
    (["0.5", "0.25", "1"], ["0.25", "0.5", "1"], [1, 0, 2]),
]


@pytest.mark.parametrize(("texts", "names", "labels"), CASES)
class TestTheSameNames:
    def test_are_the_same_classes(self, texts, names, labels):
        numbers, found = class_numbers("x", texts)
        assert (list(found), numbers.tolist()) == (names, labels)

    @pytest.mark.parametrize("kind", ["table", "folder's table", "hdf5"])
    def test_give_the_same_labels_in_every_format(self, tmp_path, texts, names, labels, kind):
        files = [f"{k}.png" for k in range(len(texts))]
        for k, file in enumerate(files):
            Image.new("L", (8, 8), k).save(tmp_path / file)
        rows = "\n".join(f'{file},"{text}"' for file, text in zip(files, texts, strict=True))
        if kind == "hdf5":
            path = tmp_path / "x.h5"
            with h5py.File(path, "w") as file:
                file["images"] = np.zeros((len(texts), 8, 8), np.uint8)
                file["labels"] = texts
        else:
            path = tmp_path / ("t.csv" if kind == "table" else "labels.csv")
            path.write_text(f"file,label\n{rows}", encoding="utf-8")
        images = read_images(path if kind != "folder's table" else tmp_path)
        assert (list(images.class_names), images.labels.tolist()) == (names, labels)


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN", "NA", "n/a", "#N/A", "<NA>", "null", "NULL"])
def test_what_is_missing_is_no_class(tmp_path, text):
    assert parse_label(text) == ""
    for k in range(2):
        Image.new("L", (8, 8), k).save(tmp_path / f"{k}.png")
    (tmp_path / "t.csv").write_text(f"file,label\n0.png,x\n1.png,{text}\n")
    with pytest.raises(DataError, match="found an empty label"):
        read_images(tmp_path / "t.csv")
    assert read_images(tmp_path / "t.csv", ReadOptions(skip_bad=True)).counts() == {"x": 1}


@pytest.mark.parametrize("text", ["none", "None", "0", "False", "-", "unknown"])
def test_what_is_said_is_a_class(text):
    assert parse_label(text) == text


def test_names_that_differ_in_case_are_one_class_with_a_warning(tmp_path, caplog):
    for split, name in (("train", "Normal"), ("test", "NORMAL"), ("train", "Mass"), ("test", "mass")):
        (tmp_path / split / name).mkdir(parents=True)
        for k in range(3 if split == "train" else 2):
            Image.new("L", (8, 8), k).save(tmp_path / split / name / f"{k}.png")
    images = read_images(tmp_path)
    assert images.counts() == {"Normal": 5, "Mass": 5}
    assert "took Normal and NORMAL for one class, Normal" in caplog.text


def test_names_that_we_wrote_stay_as_they_were(tmp_path):
    labels, names = class_numbers("x", ["B", "b", " 1.0", "B"], first=("b", "B", " 1.0"))
    assert (labels.tolist(), names) == ([1, 0, 2, 1], ("b", "B", " 1.0"))
