"""Data sets that are folders, as messy as they are found."""

import os
import shutil

import numpy as np
import pytest
import tifffile
from picture_folders import put
from PIL import Image

from synthaug.augment.datasets.load import list_datasets, load_dataset, read_part
from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import concatenate
from synthaug.augment.reading import ReadOptions


def sizes(splits):
    return [len(part) for part in (splits.train, splits.val, splits.test)]


class TestFolders:
    def test_of_class_folders_are_split_at_random_with_normal_first(self, tmp_path, tiny):
        put(tiny((20, 20), class_names=("Normal", "COVID")), tmp_path / "xrays")
        splits = load_dataset("xrays", ReadOptions(root=tmp_path))
        assert (splits.name, splits.class_names, splits.official) == ("xrays", ("Normal", "COVID"), False)
        assert sizes(splits) == [28, 4, 8]
        other = load_dataset(str(tmp_path / "xrays"), ReadOptions(root=tmp_path / "nowhere", split_seed=1))
        assert other.test.digest() != splits.test.digest()

    def test_of_train_valid_and_test_keep_their_own_split(self, tmp_path, tiny):
        for part, count, seed in (("train", 5, 1), ("valid", 2, 2), ("TEST", 3, 3)):
            put(tiny((count, count), seed=seed), tmp_path / "x" / part)
        splits = load_dataset("x", ReadOptions(root=tmp_path))
        assert splits.official
        assert sizes(splits) == [10, 4, 6]

    def test_of_train_and_test_get_a_validation_part_from_train(self, tmp_path, tiny):
        put(tiny((20, 20), seed=1), tmp_path / "x" / "train")
        put(tiny((3, 3), seed=2), tmp_path / "x" / "test")
        assert sizes(load_dataset("x", ReadOptions(root=tmp_path))) == [36, 4, 6]

    def test_with_long_class_names_in_one_split_are_merged(self, tmp_path, tiny):
        names = ("adeno_left.lobe_T2", "normal", "squamous_right")
        put(tiny((4, 4, 4), class_names=names), tmp_path / "x" / "train")
        put(tiny((2, 2, 2), class_names=names, seed=1), tmp_path / "x" / "valid")
        put(tiny((3, 3, 3), class_names=("adeno", "normal", "squamous"), seed=2), tmp_path / "x" / "test")
        splits = load_dataset("x", ReadOptions(root=tmp_path))
        assert splits.train.counts() == {"adeno": 4, "normal": 4, "squamous": 4}
        assert splits.test.counts() == {"adeno": 3, "normal": 3, "squamous": 3}

    def test_with_similar_class_names_side_by_side_are_not_merged(self, tmp_path, tiny):
        put(tiny((10, 10), class_names=("pneumonia", "pneumonia_viral")), tmp_path / "x")
        assert load_dataset("x", ReadOptions(root=tmp_path)).class_names == ("pneumonia", "pneumonia_viral")

    def test_of_mixed_sizes_and_modes_are_loaded_at_the_size_asked_for(self, tmp_path):
        for label in ("a", "b"):
            (tmp_path / "x" / label).mkdir(parents=True)
            for k, mode in enumerate(["L", "RGB", "RGBA", "I;16", "P"] * 4):
                Image.new(mode, (20 + k, 30), k).save(tmp_path / "x" / label / f"{label}{k}.png")
        splits = load_dataset("x", ReadOptions(root=tmp_path, size=12, channels=1))
        assert splits.train.image_shape == (1, 12, 12)
        assert load_dataset("x", ReadOptions(root=tmp_path, channels=3)).train.image_shape == (3, 64, 64)

    def test_keep_patients_of_labels_csv_together(self, tmp_path, tiny):
        put(tiny((20, 20)), tmp_path / "x")
        files = sorted(path.relative_to(tmp_path / "x").as_posix() for path in (tmp_path / "x").glob("*/*"))
        rows = [f"{file},P{k // 2}" if k else f"{file}," for k, file in enumerate(files)]
        (tmp_path / "x" / "labels.csv").write_text("\ufefffile,patient_id\n" + "\n".join(rows), "utf-8")
        splits = load_dataset("x", ReadOptions(root=tmp_path))
        assert len(splits.train.groups) == len(splits.train)
        together = concatenate([splits.train, splits.val, splits.test])
        assert set(together.groups.tolist()) == {files[0], *(f"P{k}" for k in range(20))}

    def test_take_labels_from_labels_csv_where_images_lie_flat(self, tmp_path, tiny):
        put(tiny((20, 20)), tmp_path / "classes")
        (tmp_path / "x").mkdir()
        rows = ["file,label"]
        for path in (tmp_path / "classes").glob("*/*"):
            shutil.copy(path, tmp_path / "x" / path.name)
            rows.append(f"{path.name},{path.parent.name}")
        (tmp_path / "x" / "labels.csv").write_text("\n".join(rows))
        below = ReadOptions(root=tmp_path)
        flat, nested = load_dataset("x", below), load_dataset("classes", below)
        assert read_part("x", "all", below).counts() == read_part("classes", "all", below).counts()
        assert flat.class_names == nested.class_names == ("normal", "abnormal")

    def test_pass_over_hidden_files(self, tmp_path, tiny):
        put(tiny((10, 10)), tmp_path / "x")
        put(tiny((2, 2)), tmp_path / "x" / ".ipynb_checkpoints")
        (tmp_path / "x" / "normal" / "._000.png").write_text("a Mac was here")
        assert sum(sizes(load_dataset("x", ReadOptions(root=tmp_path)))) == 20

    def test_of_16_bits_train_with_16_bits(self, tmp_path, tiny):
        put(tiny((20, 20), dtype=np.uint16), tmp_path / "x")
        assert load_dataset("x", ReadOptions(root=tmp_path)).train.pixels.dtype == np.uint16
        assert load_dataset("x", ReadOptions(root=tmp_path, bits=8)).train.pixels.dtype == np.uint8

    def test_of_mixed_depths_are_read_with_8_bits_and_a_warning(self, tmp_path, tiny, caplog):
        put(tiny((3, 3), dtype=np.uint16), tmp_path / "x")
        Image.new("L", (8, 8)).save(tmp_path / "x" / "normal" / "8.png")
        for _ in range(2):  # decoded, and from the cache
            caplog.clear()
            assert read_images(tmp_path / "x").pixels.dtype == np.uint8
            (said,) = [record.getMessage() for record in caplog.records]
            assert "x: found 16 bits in 6 of 7 pictures (abnormal/001.png) and 8 in 1:" in said
            assert "--bits 16 keeps them" in said
        caplog.clear()
        assert read_images(tmp_path / "x", ReadOptions(bits=16)).pixels.dtype == np.uint16
        assert read_images(tmp_path / "x", ReadOptions(bits=8)).pixels.dtype == np.uint8
        assert not caplog.records

    def test_with_16_bits_of_colour_beside_8_are_read_with_a_warning(self, tmp_path, caplog):
        (tmp_path / "x" / "a").mkdir(parents=True)
        tifffile.imwrite(tmp_path / "x" / "a" / "0.tif", np.zeros((8, 8, 3), np.uint16), photometric="rgb")
        Image.new("RGB", (8, 8)).save(tmp_path / "x" / "a" / "1.png")
        assert read_images(tmp_path / "x").pixels.dtype == np.uint8
        (said,) = [record.getMessage() for record in caplog.records]
        assert "found 16 bits in 1 of 2 pictures (a/0.tif) and 8 in 1:" in said
        assert "16 are read of grey pictures only" in said

    def test_with_damaged_pictures_stop_or_leave_them_out(self, tmp_path, tiny, caplog):
        put(tiny((30, 30)), tmp_path / "x")
        for k in range(0, 24, 2):  # of class normal
            (tmp_path / "x" / "normal" / f"{k:03d}.png").write_text("no picture")
        with pytest.raises(DataError, match=r"normal/000\.png: expected a whole image, found no image"):
            read_part("x", "all", ReadOptions(root=tmp_path))
        for _ in range(2):  # decoded, and from the cache
            caplog.clear()
            images = read_images(tmp_path / "x", ReadOptions(skip_bad=True))
            assert images.counts() == {"normal": 18, "abnormal": 30}
            (said,) = [record.getMessage() for record in caplog.records]
            assert "left 12 of 60 files out as bad: normal/000.png (no image)" in said
            assert "; and 2 more" in said
            assert said.count(".png (") == 10
        whole = tmp_path / "whole"
        put(tiny((30, 30)), whole)
        for k in range(0, 24, 2):
            (whole / "normal" / f"{k:03d}.png").unlink()
        assert read_images(whole).digest() == images.digest()

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's, of the page cut short
    @pytest.mark.parametrize("asked", [{}, {"size": 8, "bits": 8}], ids=["as stored", "as asked"])
    @pytest.mark.parametrize(("cut", "says"), [(None, "5 pages"), (-900, "broken pages")])
    def test_with_a_file_of_several_pages_stop_or_leave_it_out(
        self, tmp_path, tiny, caplog, asked, cut, says
    ):
        put(tiny((3, 3)), tmp_path / "x")
        path = tmp_path / "x" / "normal" / "stack.tif"
        tifffile.imwrite(path, np.zeros((5, 8, 8), np.uint8), photometric="minisblack", metadata=None)
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DataError, match=rf"stack\.tif: .*found {says}, expected one image"):
            read_images(tmp_path / "x", ReadOptions(**asked))
        assert len(read_images(tmp_path / "x", ReadOptions(skip_bad=True, **asked))) == 6
        assert f"left 1 of 7 files out as bad: normal/stack.tif ({says}, expected one image)" in caplog.text

    def test_of_photographs_with_a_preview_are_read(self, tmp_path):
        (tmp_path / "x" / "a").mkdir(parents=True)
        photograph, preview = (Image.new("L", (8, 8), level) for level in (90, 0))
        path = tmp_path / "x" / "a" / "0.jpg"
        photograph.save(path, format="MPO", save_all=True, append_images=[preview])
        assert (read_images(tmp_path / "x").pixels == 90).all()

    def test_take_the_split_of_labels_csv(self, tmp_path, tiny):
        put(tiny((20, 20)), tmp_path / "x")
        files = sorted(path.relative_to(tmp_path / "x").as_posix() for path in (tmp_path / "x").glob("*/*"))
        parts = ["Train", "valid", "test", "train"]
        rows = [f"{file},{parts[k % 4]}" for k, file in enumerate(files)]
        (tmp_path / "x" / "labels.csv").write_text("file,split\n" + "\n".join(rows))
        splits = load_dataset("x", ReadOptions(root=tmp_path))
        assert splits.official
        assert sizes(splits) == [20, 10, 10]
        (tmp_path / "x" / "labels.csv").write_text("file,split\n" + "\n".join(f"{f},fold1" for f in files))
        with pytest.raises(
            DataError, match=r"split 'fold1' of abnormal/001\.png, expected train, val or test"
        ):
            load_dataset("x", ReadOptions(root=tmp_path))

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            (b"name,label\n0,a\n", "found columns name, label, expected file"),
            (b"file,label\nelsewhere.png,a\n", r"2 images have no row, the first is a/0\.png: add them"),
            (b"\xff\xfe\x00", "expected comma-separated text in UTF-8"),
            (b"", "found columns , expected file"),
        ],
    )
    def test_with_a_labels_csv_that_does_not_fit_are_refused(self, tmp_path, table, says):
        for name in ("a", "b"):
            (tmp_path / "x" / name).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / "x" / name / "0.png")
        (tmp_path / "x" / "labels.csv").write_bytes(table)
        with pytest.raises(DataError, match=says) as error:
            load_dataset("x", ReadOptions(root=tmp_path))
        assert str(tmp_path / "x" / "labels.csv") in str(error.value)
        assert "\n" not in str(error.value)
        row = next(row for row in list_datasets(ReadOptions(root=tmp_path)) if row["name"] == "x")
        assert "labels.csv" in row["licence"]  # the table shows it, and goes on

    def test_with_an_image_outside_a_class_folder_are_refused(self, tmp_path, tiny):
        put(tiny((10, 10)), tmp_path / "x")
        Image.new("L", (8, 8)).save(tmp_path / "x" / "stray.png")
        with pytest.raises(DataError, match=r"x/stray\.png: expected every image in a class folder"):
            load_dataset("x", ReadOptions(root=tmp_path))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHAUG_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
class TestCachedFolders:
    def picture(self, path, image=None):
        path.parent.mkdir(parents=True)
        (image or Image.new("L", (8, 8), 90)).save(path)
        return path

    def test_are_told_apart_by_what_is_asked_of_them(self, tmp_path):
        self.picture(tmp_path / "in" / "a" / "0.png", Image.fromarray(np.full((4, 8), 51_200, np.uint16)))
        for _ in range(2):
            asked = [{}, {"bits": 8}, {"fit": "pad"}, {"size": 8}, {"channels": 3}]
            found = [read_images(tmp_path / "in", ReadOptions(**a)).digest() for a in asked]
            assert len(set(found)) == len(asked)

    def test_say_nothing_of_another_folder(self, tmp_path, caplog):
        for name in ("Jane Doe", "copy"):
            self.picture(tmp_path / name / "a" / "0.png")
            (tmp_path / name / "a" / "1.png").write_text("no picture")
        read_images(tmp_path / "Jane Doe", ReadOptions(skip_bad=True))
        caplog.clear()
        read_images(tmp_path / "copy", ReadOptions(skip_bad=True))
        assert "a/1.png (no image)" in caplog.text
        assert "Doe" not in caplog.text
        (reasons,) = (tmp_path / "cache").rglob("reasons.npy")
        assert np.load(reasons).tolist() == ["", "no image"]

    def test_are_served_without_reading_their_files_again(self, tmp_path):
        path = self.picture(tmp_path / "in" / "a" / "0.png")
        first = read_images(tmp_path / "in").digest()
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert read_images(tmp_path / "in").digest() == first
        os.utime(path)  # touched: now the content counts
        with pytest.raises(DataError, match=r"0\.png: expected a whole image"):
            read_images(tmp_path / "in")
