"""A table that names pictures and their classes is a data set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.images import concatenate
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream


@pytest.fixture
def table(tmp_path):
    """Writes a CSV file of the given columns and pictures, each of its row's number, below images/."""

    def write(columns: str, *rows: str, pictures: tuple[str, ...] = ()) -> Path:
        (tmp_path / "images").mkdir(exist_ok=True)
        for k, name in enumerate(pictures):
            Image.new("L", (8, 8), k).save(tmp_path / "images" / name)
        (tmp_path / "x.csv").write_text("\n".join([columns, *rows]), encoding="utf-8")
        return tmp_path / "x.csv"

    return write


def numbers(images):
    return images.pixels[:, 0, 0, 0].tolist()


class TestColumns:
    @pytest.mark.parametrize("file", ["file", "filename", "path", "image", "image_id", "Image Index"])
    @pytest.mark.parametrize("label", ["label", "class", "target", "dx"])
    def test_of_known_names_are_found(self, table, file, label):
        path = table(
            f"age,{label},{file}", "5,mel,images/a.png", "6,nv,images/b.png", pictures=("a.png", "b.png")
        )
        images = read_images(path)
        assert images.class_names == ("mel", "nv")
        assert numbers(images) == [0, 1]
        assert images.groups is None

    @pytest.mark.parametrize("group", ["patient_id", "patient", "subject_id", "lesion_id", "Patient ID"])
    def test_of_patients_are_found(self, table, group):
        rows = ("images/a.png,x,P1", "images/b.png,y,", "images/c.png,y,P1")
        path = table(f"file,label,{group}", *rows, pictures=("a.png", "b.png", "c.png"))
        assert read_images(path).groups.tolist() == ["P1", "images/b.png", "P1"]

    def test_can_be_named(self, table):
        path = table("a,b,c,label", "images/a.png,x,P1,other", pictures=("a.png",))
        images = read_images(path, ReadOptions(images_from="a", label_from="b", group_from="c"))
        assert (images.class_names, images.groups.tolist()) == (("x",), ["P1"])

    def test_that_are_not_there_are_named_with_those_that_are(self, table):
        path = table("a,label", "images/a.png,x", pictures=("a.png",))
        with pytest.raises(DataError, match=r"found columns a, label, expected one of file, .*--images-from"):
            read_images(path)
        with pytest.raises(UsageError, match=r"--label-from dx: .* has the columns a, label"):
            read_images(path, ReadOptions(images_from="a", label_from="dx"))

    def test_of_a_split_divide_the_set(self, table):
        parts = ["train", "val", "test"] * 4
        rows = [f"images/{k}.png,{'ab'[k % 2]},{part}" for k, part in enumerate(parts)]
        path = table("file,label,split", *rows, pictures=tuple(f"{k}.png" for k in range(12)))
        splits = load_dataset(str(path), ReadOptions(root=path.parent))
        assert splits.official
        assert numbers(splits.test) == [2, 5, 8, 11]

    @pytest.mark.parametrize("split", ["", "fold1"])
    def test_of_a_split_say_one_of_three(self, table, split):
        rows = ("images/a.png,x,train", f"images/b.png,x,{split}")
        path = table("file,label,split", *rows, pictures=("a.png", "b.png"))
        with pytest.raises(DataError, match="expected train, val or test"):
            read_images(path)


class TestClasses:
    def test_of_chest_xray14_are_normal_and_abnormal(self, table):
        rows = ("a.png,Effusion|Mass,1", "b.png,No Finding,2", "c.png,Hernia,2")
        rows = tuple(f"images/{row}" for row in rows)
        path = table("Image Index,Finding Labels,Patient ID", *rows, pictures=("a.png", "b.png", "c.png"))
        images = read_images(path)
        assert images.class_names == ("normal", "abnormal")
        assert images.labels.tolist() == [1, 0, 1]
        assert images.groups.tolist() == ["1", "2", "2"]

    def test_of_another_column_are_the_texts(self, table):
        rows = ("images/a.png,No Finding", "images/b.png,Mass|Hernia")
        path = table("file,label", *rows, pictures=("a.png", "b.png"))
        assert read_images(path).class_names == ("No Finding", "Mass|Hernia")


class TestPictures:
    def test_are_found_without_their_suffix(self, table):
        path = table("image,dx", "images/a,x", "images/b,y", pictures=("a.png", "b.jpg"))
        assert len(read_images(path)) == 2

    def test_are_read_as_asked(self, table):
        path = table("file,label", "images/a.png,x", pictures=("a.png",))
        Image.fromarray(np.full((4, 8), 40_000, np.uint16)).save(path.parent / "images" / "a.png")
        assert read_images(path).pixels.dtype == np.uint16
        padded = read_images(path, ReadOptions(size=8, fit="pad")).pixels[0, 0]
        assert padded[:, 0].tolist() == [0, 0, 40_000, 40_000, 40_000, 40_000, 0, 0]

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("images/gone.png,x", r"images/gone\.png: expected a whole image, found no such file"),
            ("images/a.png,", r"images/a\.png: expected a whole image, found an empty label"),
            ("images/bad.png,x", r"bad\.png: expected a whole image, found no image"),
            (",x", r"\(row 2\): expected a whole image, found no such file"),
        ],
    )
    def test_that_are_bad_stop_or_are_left_out(self, table, caplog, row, says):
        path = table("file,label", "images/b.png,y", row, pictures=("a.png", "b.png"))
        (path.parent / "images" / "bad.png").write_text("no picture")
        with pytest.raises(DataError, match=says) as error:
            read_images(path)
        assert "\n" not in str(error.value)
        assert numbers(read_images(path, ReadOptions(skip_bad=True))) == [1]
        assert "left 1 of 2 files out as bad" in caplog.text

    def test_that_are_all_bad_stop(self, table):
        path = table("file,label", "gone.png,x", "too.png,x")
        with pytest.raises(DataError, match=r"gone\.png: expected a whole image, found no such file"):
            read_images(path, ReadOptions(skip_bad=True))

    @pytest.mark.parametrize("again", ["images/a.png", "images/a"])
    def test_named_twice_are_refused(self, table, again):
        path = table("file,label", "images/a.png,x", f"{again},y", pictures=("a.png",))
        with pytest.raises(DataError, match="one row"):
            read_images(path)


def test_a_table_without_rows_is_refused(table):
    with pytest.raises(DataError, match="found no row"):
        read_images(table("file,label"))


def test_the_table_of_a_folder_that_we_wrote_says_which_images_are_synthetic(tmp_path, tiny):
    sent = concatenate([tiny((2, 2), patients=1), tiny((2, 1), synthetic=True)])
    write_images(ImageStream.of(sent), tmp_path / "out")
    back, folder = read_images(tmp_path / "out" / "labels.csv"), read_images(tmp_path / "out")
    assert back.synthetic.tolist() == sent.synthetic.tolist()
    assert back.provenance.tolist() == sent.provenance.tolist()
    assert back.groups.tolist() == folder.groups.tolist()


def test_a_real_archive_of_class_folders_reads_as_its_table(data_root):
    folder = data_root / "chest-xray-folder"
    by_table, by_folder = read_images(folder / "labels.csv"), read_images(folder)
    assert by_table.counts() == by_folder.counts() == {"normal": 1034, "abnormal": 1043}
    assert len(np.unique(by_table.groups)) == 1007
