"""HDF5 files: what is in them, how they are compressed, and those that others made."""

import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from debian import debian_package

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.hdf5.compression import COMPRESSIONS
from synthaug.augment.hdf5.dataset import HDF5Dataset
from synthaug.augment.images import concatenate
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

WITHOUT_PLUGIN = """
import sys
sys.modules["hdf5plugin"] = None  # as if it were not installed
from pathlib import Path
from synthaug.augment.errors import DataError
from synthaug.augment.hdf5 import read_hdf5
try:
    read_hdf5(Path(sys.argv[1]))
except DataError as error:
    print(error)
print("torch" in sys.modules)
"""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


class TestOurs:
    def test_keeps_the_split_of_every_image(self, out, tiny):
        images = replace(tiny((3, 2)), split=np.array(["train", "val", "test", "train", "test"]))
        write_images(ImageStream.of(images), out)
        assert read_images(out).split.tolist() == images.split.tolist()
        with h5py.File(out) as file:
            assert file.attrs["schema"] == "synthaug/2"
            assert file["split"][:2].tolist() == [b"train", b"val"]

    def test_of_an_undivided_set_has_no_split(self, out, tiny):
        write_images(ImageStream.of(tiny((2, 2))), out)
        assert read_images(out).split is None
        with h5py.File(out) as file:
            assert "split" not in file

    def test_in_which_a_synthetic_image_has_no_split_keeps_that_of_the_others(self, out, tiny):
        real = replace(tiny((2, 2)), split=np.array(["train", "val", "test", "train"]))
        write_images(ImageStream.of(concatenate([real, tiny((1, 1), synthetic=True)])), out)
        with h5py.File(out, "a") as file:
            file["split"][4:] = b""
        assert read_images(out).split.tolist() == ["train", "val", "test", "train", "train", "train"]
        assert len(HDF5Dataset(out, split="train")) == 4
        with h5py.File(out, "a") as file:
            file["split"][1] = b""
        with pytest.raises(DataError, match="no /split of row 1, a real image"):
            read_images(out)

    def test_keeps_a_class_without_images(self, out, tiny):
        write_images(ImageStream.of(tiny((2, 0, 3))), out)
        assert read_images(out).counts() == {"normal": 2, "abnormal": 0, "other": 3}

    def test_of_the_first_schema_is_read(self, out, tiny):
        images = concatenate([tiny((3, 2), patients=2), tiny((1, 1), synthetic=True)])
        write_images(ImageStream.of(images), out)
        with h5py.File(out, "a") as file:
            file.attrs["schema"] = "synthaug/1"
        assert read_images(out).digest() == images.digest()

    def test_of_a_later_schema_is_refused(self, out, tiny):
        write_images(ImageStream.of(tiny((1, 1))), out)
        with h5py.File(out, "a") as file:
            file.attrs["schema"] = "synthaug/9"
        with pytest.raises(DataError, match="found schema synthaug/9, expected a file of schema synthaug/1"):
            read_images(out)

    def test_is_not_read_under_other_names(self, out, tiny):
        write_images(ImageStream.of(tiny((1, 1))), out)
        with pytest.raises(UsageError, match="own, leave them out"):
            read_images(out, ReadOptions(label_from="synthetic"))

    def test_of_the_same_images_has_the_same_bytes(self, tmp_path, tiny):
        images = concatenate([tiny((40, 30), patients=2), tiny((9, 9), synthetic=True)])
        for size in (1, 11, 100):
            write_images(
                replace(ImageStream.of(images), batches=images.batches(size)), tmp_path / f"{size}.h5"
            )
        assert len({(tmp_path / f"{size}.h5").read_bytes() for size in (1, 11, 100)}) == 1

    def test_of_a_stream_that_is_shorter_or_longer_than_it_says_is_refused(self, out, tiny):
        for total in (5, 7):
            with pytest.raises(DataError, match=f"expected {total} as it said"):
                write_images(replace(ImageStream.of(tiny((3, 3))), total=total), out)
            assert not out.exists()

    @pytest.mark.slow
    def test_is_read_by_h5dump(self, out, tiny):
        debian_package("hdf5-tools")
        write_images(ImageStream.of(tiny((3, 2), channels=3, patients=1)), out)
        header = subprocess.run(["h5dump", "-H", out], capture_output=True, text=True, check=True).stdout
        for name in ("images", "labels", "synthetic", "groups", "generator", "seed", "index"):
            assert f'DATASET "{name}"' in header
        assert "( 5, 8, 8, 3 )" in header


class TestCompression:
    @pytest.mark.parametrize("name", COMPRESSIONS)
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_loses_nothing(self, out, tiny, name, dtype):
        pytest.importorskip("hdf5plugin")
        images = tiny((30, 20), channels=3, dtype=dtype)
        write_images(ImageStream.of(images), out, writing=WriteOptions(compression=name))
        assert read_images(out).digest() == images.digest()
        with h5py.File(out) as file:
            plist = file["images"].id.get_create_plist()
            used = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
        assert used[-1:] == {"gzip": [1], "zstd": [32015], "blosc2": [32026], "none": []}[name]

    def test_of_another_name_is_refused(self, out, tiny):
        with pytest.raises(UsageError, match="lzma: expected one of gzip, zstd, blosc2, none"):
            write_images(ImageStream.of(tiny((1, 1))), out, writing=WriteOptions(compression="lzma"))
        assert not out.exists()

    @pytest.mark.parametrize("name", ["zstd", "blosc2"])
    def test_without_its_plug_in_names_the_extra_on_writing(self, out, tiny, name, monkeypatch):
        monkeypatch.setitem(sys.modules, "hdf5plugin", None)
        with pytest.raises(UsageError, match=r"needs hdf5plugin: pip install 'synthaug\[hdf5\]'"):
            write_images(ImageStream.of(tiny((1, 1))), out, writing=WriteOptions(compression=name))

    def test_without_its_plug_in_names_the_extra_on_reading_and_torch_stays_away(self, out, tiny):
        pytest.importorskip("hdf5plugin")
        write_images(ImageStream.of(tiny((1, 1))), out, writing=WriteOptions(compression="zstd"))
        command = [sys.executable, "-c", WITHOUT_PLUGIN, str(out)]
        said, torch_there = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        assert f"{out}: its images are compressed with zstd, which needs hdf5plugin" in said
        assert "pip install 'synthaug[hdf5]'" in said
        assert torch_there == "False"


@pytest.fixture
def foreign(out):
    """Writes a file with these arrays, and root attributes."""

    def write(attributes=None, **arrays):
        with h5py.File(out, "w") as file:
            file.attrs.update(attributes or {})
            for name, array in arrays.items():
                file[name] = array
        return out

    return write


GREY = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)
LABELS = np.array([0, 1, 2, 1])


class TestForeign:
    def test_is_read_in_every_layout(self, foreign):
        colour = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), np.uint8)
        for array, expected in [
            (GREY, GREY[:, None]),
            (GREY[..., None], GREY[:, None]),
            (GREY[:, None], GREY[:, None]),
            (colour, colour.transpose(0, 3, 1, 2)),
            (colour.transpose(0, 3, 1, 2), colour.transpose(0, 3, 1, 2)),
            (GREY.astype(np.uint16) * 200, GREY[:, None].astype(np.uint16) * 200),
        ]:
            images = read_images(foreign(images=array, labels=LABELS))
            assert np.array_equal(images.pixels, expected)
            assert images.pixels.dtype == expected.dtype
            assert images.labels.tolist() == [0, 1, 2, 1]
            assert images.class_names == ("0", "1", "2")
            assert not images.synthetic.any()

    def test_is_read_under_other_names_with_its_groups(self, foreign):
        path = foreign(**{"data/x": GREY, "y": LABELS[:, None], "who": np.array([7, 7, 8, 9])})
        asked = ReadOptions(images_from="data/x", label_from="y", group_from="who")
        images = read_images(path, asked)
        assert images.labels.tolist() == [0, 1, 2, 1]
        assert images.groups.tolist() == ["7", "7", "8", "9"]
        assert np.array_equal(read_images(foreign(imgs=GREY, labels=LABELS)).pixels[:, 0], GREY)

    def test_counts_each_image_of_an_unknown_patient_as_one_of_its_own(self, foreign):
        path = foreign(images=GREY, labels=LABELS, who=np.array(["a", "", "a", ""], "S1"))
        groups = read_images(path, ReadOptions(group_from="who")).groups.tolist()
        assert len(set(groups)) == 3
        assert groups[0] == groups[2]

    def test_has_its_class_names_where_it_says_them(self, foreign):
        path = foreign({"class_names": ["a", "b", "c", "none"]}, images=GREY, labels=LABELS.astype(np.uint8))
        assert read_images(path).counts() == {"a": 1, "b": 2, "c": 1, "none": 0}

    def test_has_labels_as_text(self, foreign):
        texts = np.array(["sick", "normal", "sick", "normal"], object)
        images = read_images(foreign(images=GREY, labels=texts))
        assert images.class_names == ("normal", "sick")
        assert images.labels.tolist() == [1, 0, 1, 0]

    @pytest.mark.parametrize(("bits", "dtype", "white"), [(None, np.uint8, 255), (16, np.uint16, 65535)])
    def test_of_numbers_from_0_to_1_gets_the_bits_asked_for(self, foreign, bits, dtype, white):
        path = foreign(
            images=np.linspace(0, 1, GREY.size, dtype=np.float32).reshape(GREY.shape), labels=LABELS
        )
        pixels = read_images(path, ReadOptions(bits=bits)).pixels
        assert pixels.dtype == dtype
        assert (pixels.min(), pixels.max()) == (0, white)

    @pytest.mark.parametrize(
        ("arrays", "says"),
        [
            ({"images": GREY * 1.0}, "images from 0 to 143, expected float in"),
            ({"images": np.where(GREY == 9, np.nan, 0.5)}, "images from nan to nan, expected float in"),
            ({"images": GREY.astype(np.int64)}, "images of type int64, expected uint8, uint16 or float"),
            (
                {"images": GREY[..., None].repeat(4, 3)},
                r"images of shape \(4, 6, 6, 4\), expected \(N, H, W\)",
            ),
            ({"labels": np.eye(4, dtype=int)}, r"labels of shape \(4, 4\), expected .* not one-hot"),
            ({"labels": LABELS / 2}, "labels of type float64, expected whole numbers or text"),
            ({"labels": LABELS - 1}, "labels from -1 to 1, expected classes from 0 on"),
            ({"labels": LABELS[:3]}, "4 images and 3 labels, expected one for each"),
            ({"images": GREY[:0], "labels": LABELS[:0]}, "found no image"),
        ],
    )
    def test_that_is_something_else_is_named_with_what_is_wrong(self, foreign, arrays, says):
        path = foreign(**{"images": GREY, "labels": LABELS, **arrays})
        with pytest.raises(DataError, match=says) as error:
            read_images(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)

    def test_is_not_read_of_a_single_number(self, foreign):
        path = foreign(x=3, images=np.zeros((2, 8, 8), np.uint8), labels=[0, 1])
        with pytest.raises(DataError, match="expected an array x"):
            read_images(path, ReadOptions(images_from="x"))

    def test_without_an_array_says_which_there_are(self, foreign):
        with pytest.raises(
            DataError, match=r"found labels, volume, expected .*name another by --images-from"
        ):
            read_images(foreign(volume=GREY, labels=LABELS))
        with pytest.raises(DataError, match="expected an array y"):
            read_images(foreign(images=GREY, labels=LABELS), ReadOptions(label_from="y"))

    def test_with_more_labels_than_class_names_is_refused(self, foreign):
        with pytest.raises(DataError, match="label 2, expected less than 2"):
            read_images(foreign({"class_names": ["a", "b"]}, images=GREY, labels=LABELS))
