"""Every format gives back what was written, is read by other programs, and is never half there."""

import csv
import tomllib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tomli_w
from PIL import Image
from torchvision.datasets import ImageFolder

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import format_of, read_images, write_images
from synthaug.augment.images import PARTS, concatenate
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream

TARGETS = {"hdf5": "out.h5", "npz": "out.npz", "folder": "out", "dicom": "out-dicom"}
formats = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
depths = pytest.mark.parametrize("kind", [{}, {"channels": 3}], ids=["grey", "rgb"])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def descriptions(target):
    """The files that describe a data set and stand beside it; in a folder they are among its files."""
    is_file = target.endswith((".h5", ".npz"))
    return [f"{target}.README.md", f"{target}.croissant.json"] if is_file else []


def in_class_order(images):
    """Class folders hold one class after the other."""
    return images.take(np.argsort(images.labels, kind="stable"))


@pytest.fixture
def blended(tiny):
    def make(**kind):
        real, made = tiny((4, 2), patients=2, **kind), tiny((2, 3), synthetic=True, seed=7, **kind)
        return in_class_order(concatenate([real, made]))

    return make


@formats
@depths
class TestEveryFormat:
    def test_gives_back_what_was_written(self, tmp_path, blended, target, kind):
        sent = blended(**kind)
        write_images(ImageStream.of(sent), tmp_path / target)
        back = in_class_order(read_images(tmp_path / target))
        assert back.digest() == sent.digest()  # pixels, labels and class names
        assert back.synthetic.tolist() == sent.synthetic.tolist()
        assert back.provenance.tolist() == sent.provenance.tolist()

    def test_keeps_patients_apart_without_their_names(self, tmp_path, blended, target, kind):
        sent = blended(**kind)
        write_images(ImageStream.of(sent), tmp_path / target)
        files = [tmp_path / target, *(tmp_path / target).rglob("*")]
        assert not [path for path in files if path.is_file() and b"P0-0" in path.read_bytes()]
        groups = in_class_order(read_images(tmp_path / target)).groups
        assert groups.tolist() == [g if g == "synthetic" else pseudonym(g) for g in sent.groups]

    def test_reads_at_the_size_asked_for(self, tmp_path, blended, target, kind):
        write_images(ImageStream.of(blended(**kind)), tmp_path / target)
        assert read_images(tmp_path / target, ReadOptions(size=5)).image_shape[1:] == (5, 5)


@formats
class TestWriting:
    def test_needs_leave_to_replace(self, tmp_path, tiny, target):
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / target)
        with pytest.raises(UsageError, match="exists already: choose another --out or add --overwrite"):
            write_images(ImageStream.of(tiny((3, 3))), tmp_path / target)
        write_images(ImageStream.of(tiny((3, 3))), tmp_path / target, overwrite=True)
        assert len(read_images(tmp_path / target)) == 6
        assert names(tmp_path) == sorted([target, *descriptions(target)])

    @pytest.mark.parametrize("before", [True, False], ids=["over an old one", "anew"])
    def test_that_fails_leaves_what_was_there_and_no_litter(self, tmp_path, tiny, target, before):
        old, new = tiny((2, 2)), tiny((3, 3), seed=1)
        if before:
            write_images(ImageStream.of(old), tmp_path / target)

        def batches():
            yield new.take([0, 1])
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_images(replace(ImageStream.of(new), batches=batches()), tmp_path / target, overwrite=True)
        assert names(tmp_path) == (sorted([target, *descriptions(target)]) if before else [])
        if before:
            assert in_class_order(read_images(tmp_path / target)).digest() == in_class_order(old).digest()

    def test_of_no_image_is_refused(self, tmp_path, tiny, target):
        with pytest.raises(DataError, match="no image to write"):
            write_images(ImageStream.of(tiny((2, 2)).take([])), tmp_path / target)
        assert names(tmp_path) == []

    def test_replaces_a_folder_by_a_file_and_a_file_by_a_folder(self, tmp_path, tiny, target):
        path = tmp_path / target
        if target.endswith((".h5", ".npz")):
            path.mkdir()
        else:
            path.write_text("a file")
        write_images(ImageStream.of(tiny((2, 2))), path, overwrite=True)
        assert len(read_images(path)) == 4


class TestHDF5:
    def test_streams_batches_of_any_size(self, tmp_path, tiny, monkeypatch):
        images = concatenate([tiny((40, 30), patients=2), tiny((5, 5), synthetic=True)])
        monkeypatch.setattr("synthaug.augment.hdf5.file.CHUNK_BYTES", 64 * 7)  # chunks of seven images
        for size in (1, 3, 7, 10, 100):
            stream = replace(ImageStream.of(images), batches=images.batches(size))
            write_images(stream, tmp_path / f"{size}.h5")
            back = read_images(tmp_path / f"{size}.h5")
            assert back.digest() == images.digest()
            assert back.provenance["index"].tolist() == [0] * 70 + list(range(10))
            with h5py.File(tmp_path / f"{size}.h5") as file:
                assert file["images"].chunks == (7, 8, 8, 1)

    def test_is_read_by_plain_h5py(self, tmp_path, tiny):
        images = tiny((3, 2), channels=3, dtype=np.uint16, synthetic=True)
        write_images(ImageStream.of(images, licence="CC0", steps=5), tmp_path / "out.hdf5")
        with h5py.File(tmp_path / "out.hdf5") as file:
            assert (file["images"][:] == images.pixels.transpose(0, 2, 3, 1)).all()
            assert file["labels"][:].tolist() == images.labels.tolist()
            assert file["synthetic"][:].all()
            assert file["provenance/index"][:].tolist() == [0, 1, 2, 3, 4]
            facts = dict(file.attrs)
        assert list(facts.pop("class_names")) == ["normal", "abnormal"]
        assert facts == {"schema": "synthaug/2", "bits": 16, "licence": "CC0", "steps": 5}

    def test_without_patients_or_synthetic_images_has_neither(self, tmp_path, tiny):
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / "out.h5")
        back = read_images(tmp_path / "out.h5")
        assert back.groups is None
        assert back.provenance is None


class TestFolder:
    def test_is_read_by_torchvision(self, tmp_path, tiny):
        images = in_class_order(tiny((3, 2), channels=3, class_names=("a", "b")))
        write_images(ImageStream.of(images), tmp_path / "out")
        theirs = ImageFolder(tmp_path / "out")
        assert theirs.classes == ["a", "b"]
        assert [label for _, label in theirs] == images.labels.tolist()
        pixels = np.stack([np.asarray(image) for image, _ in theirs]).transpose(0, 3, 1, 2)
        assert (pixels == images.pixels).all()

    def test_of_a_divided_set_has_a_level_for_each_part_that_torchvision_reads(self, tmp_path, tiny):
        images = tiny((6, 3), class_names=("b", "a"))
        split = np.array(["train", "train", "val", "val", "test", "test", "train", "train", "train"])
        write_images(ImageStream.of(replace(images, split=split)), tmp_path / "out")
        sizes = {part: len(ImageFolder(tmp_path / "out" / part)) for part in PARTS}
        assert sizes == {"train": 5, "val": 2, "test": 2}
        assert ImageFolder(tmp_path / "out" / "val").classes == ["a", "b"]

    def test_keeps_the_order_of_its_classes_and_the_empty_ones(self, tmp_path, tiny):
        sent = tiny((2, 0, 3), class_names=("zebra", "Empty", "ape"))
        write_images(ImageStream.of(sent), tmp_path / "out")
        assert read_images(tmp_path / "out").counts() == {"zebra": 2, "Empty": 0, "ape": 3}

    def test_keeps_classes_apart_whose_folders_would_be_one(self, tmp_path, tiny):
        sent = tiny((1, 1, 1, 1), class_names=("a/b", "A_b", "a_b", "test"))
        write_images(ImageStream.of(sent), tmp_path / "out")
        assert len({path.parent.name.lower() for path in (tmp_path / "out").rglob("*.png")}) == 4
        assert read_images(tmp_path / "out").counts() == dict.fromkeys(sent.class_names, 1)

    def test_keeps_oblong_images_and_grey_ones_stored_as_colour(self, tmp_path, tiny):
        grey = np.repeat(tiny((2, 2)).pixels[..., :5], 3, axis=1)
        sent = replace(tiny((2, 2)), pixels=grey)
        write_images(ImageStream.of(sent), tmp_path / "out")
        assert read_images(tmp_path / "out").digest() == sent.digest()

    def test_that_got_other_images_since_is_read_as_any_folder(self, tmp_path, tiny):
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / "out")
        for path in (tmp_path / "out").glob("*/*.png"):
            Image.new("RGB", (9, 9), (0, 100, 200)).save(path)
        assert read_images(tmp_path / "out").image_shape == (3, 9, 9)

    def test_has_no_empty_class_folder_which_torchvision_would_refuse(self, tmp_path, tiny):
        write_images(ImageStream.of(tiny((2, 2)).of_class(1)), tmp_path / "out")
        assert ImageFolder(tmp_path / "out").classes == ["abnormal"]

    def test_says_where_each_synthetic_image_came_from(self, tmp_path, blended):
        write_images(ImageStream.of(blended()), tmp_path / "out")
        with (tmp_path / "out" / "labels.csv").open() as file:
            rows = list(csv.DictReader(file))
        made = [row for row in rows if row["synthetic"] == "1"]
        assert [row["index"] for row in made] == ["0", "2", "1", "3", "4"]
        assert {row["seed"] for row in made} == {"7"}
        assert {len(row["generator"]) for row in made} == {64}
        assert all((tmp_path / "out" / row["file"]).exists() for row in rows)

    def test_keeps_class_names_that_are_no_folder_names(self, tmp_path, tiny):
        sent = in_class_order(tiny((2, 2), class_names=("../a/b", "..")))
        write_images(ImageStream.of(sent), tmp_path / "in" / "out")
        assert names(tmp_path) == ["in"]
        assert set(read_images(tmp_path / "in" / "out").class_names) == {"../a/b", ".."}

    def test_keeps_a_class_whose_name_begins_with_that_of_another(self, tmp_path, tiny):
        sent = tiny((2, 2), class_names=("grade", "grade_2"))
        write_images(ImageStream.of(sent), tmp_path / "out")
        assert read_images(tmp_path / "out").counts() == {"grade": 2, "grade_2": 2}

    @pytest.mark.parametrize(("columns", "values"), [("seed", "1"), ("seed,index", "x,1")])
    def test_with_half_an_origin_is_refused(self, tmp_path, columns, values):
        (tmp_path / "in" / "a").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "in" / "a" / "0.png")
        table = f"file,synthetic,generator,{columns}\na/0.png,1,G,{values}\n"
        (tmp_path / "in" / "labels.csv").write_text(table)
        with pytest.raises(DataError, match="expected its seed and index too"):
            read_images(tmp_path / "in")


def test_a_table_is_no_format_to_write(tmp_path, tiny):
    with pytest.raises(UsageError, match=r"out\.csv: CSV files are only read, write a folder"):
        write_images(ImageStream.of(tiny((1, 1))), tmp_path / "out.csv")
    assert names(tmp_path) == []


class TestFormatOf:
    @pytest.mark.parametrize(
        ("path", "name"),
        [("a.h5", "hdf5"), ("a.HDF5", "hdf5"), ("a", "folder"), ("a-dicom", "dicom"), ("a.dcm", "dicom")],
    )
    def test_is_read_off_the_path(self, path, name):
        assert format_of(Path(path)) == name

    def test_is_what_was_asked_for(self):
        assert format_of(Path("a.h5"), "npz") == "npz"

    def test_of_an_existing_folder_is_what_is_in_it(self, tmp_path, tiny):
        for kind in ("folder", "dicom"):
            write_images(ImageStream.of(tiny((1, 1))), tmp_path / f"a.{kind}-of-{kind}", format=kind)
            assert format_of(tmp_path / f"a.{kind}-of-{kind}") == kind

    def test_of_an_empty_folder_goes_by_its_name(self, tmp_path):
        assert format_of(tmp_path) == "folder"

    def test_is_never_guessed(self):
        with pytest.raises(UsageError, match=r"no format ends in \.zip: use \.h5, \.npz"):
            format_of(Path("a.zip"))
        with pytest.raises(UsageError, match="expected one of hdf5, npz, folder, dicom"):
            format_of(Path("a"), "zip")


def test_a_folder_of_pictures_and_dicom_is_not_half_read(tmp_path, tiny):
    write_images(ImageStream.of(tiny((2, 2))), tmp_path / "out")
    write_images(ImageStream.of(tiny((2, 2))), tmp_path / "out-dicom")
    (tmp_path / "out-dicom").rename(tmp_path / "out" / "more")
    with pytest.raises(UsageError, match="found pictures and DICOM in it"):
        read_images(tmp_path / "out")


def test_what_was_asked_of_the_files_comes_back_from_a_configuration_file():
    asked = ReadOptions(window=(40.0, 400.0), bits=16, skip_bad=True)
    assert ReadOptions.from_config(asked.as_config()) == asked
    assert asked.as_config() == tomllib.loads(tomli_w.dumps(asked.as_config()))
