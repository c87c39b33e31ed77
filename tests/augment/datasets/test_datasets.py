"""Data sets by name or path: our own files, MedMNIST, MedNIST, the phantom; what is missing is said."""

import gzip
import io
import socket
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from picture_folders import put

from synthaug.augment.datasets.load import licence_of, list_datasets, load_dataset, read_part
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import concatenate
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream


@pytest.fixture
def offline(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)


def sizes(splits):
    return [len(part) for part in (splits.train, splits.val, splits.test)]


class TestFiles:
    @pytest.mark.parametrize("target", ["x.h5", "x", "x-dicom"])
    def test_of_every_format_are_data_sets_in_which_synthetic_images_only_train(self, tmp_path, tiny, target):
        both = concatenate([tiny((20, 20), patients=2), tiny((5, 5), synthetic=True)])
        write_images(ImageStream.of(both), tmp_path / target)
        splits = load_dataset(str(tmp_path / target), ReadOptions(root=tmp_path, size=16, channels=3))
        assert splits.train.image_shape == (3, 16, 16)
        assert splits.train.synthetic.sum() == 10
        assert not splits.val.synthetic.any()
        assert not splits.test.synthetic.any()
        assert len(splits.test) == 8

    def test_in_dicom_are_cropped_to_a_square_and_not_squeezed(self, tmp_path, tiny):
        images = tiny((20, 20))
        wide = replace(images, pixels=np.pad(images.pixels, ((0, 0), (0, 0), (0, 0), (4, 4))))
        write_images(ImageStream.of(wide), tmp_path / "dicom")
        small = load_dataset("dicom", ReadOptions(root=tmp_path, size=8))
        assert small.test.digest() == load_dataset_of(images, tmp_path)

    def test_are_read_whole_or_in_part(self, tmp_path, tiny):
        below = ReadOptions(root=tmp_path)
        write_images(ImageStream.of(tiny((20, 20))), tmp_path / "x.h5")
        spec = str(tmp_path / "x.h5")
        assert read_part(spec, "all", below).digest() == tiny((20, 20)).digest()
        assert read_part(spec, "test", below).digest() == load_dataset(spec, below).test.digest()
        assert read_part("phantom:n=60", "all", ReadOptions(size=16)).image_shape == (1, 16, 16)
        with pytest.raises(UsageError, match="part 'name': expected train, val, test or all"):
            read_part(spec, "name", below)


def load_dataset_of(images, folder):
    write_images(ImageStream.of(images), folder / "square.h5")
    return load_dataset("square.h5", ReadOptions(root=folder)).test.digest()


class TestPhantom:
    def test_takes_its_options_from_the_name(self, tmp_path):
        splits = load_dataset("phantom:n=100,abnormal=0.2,seed=3", ReadOptions(root=tmp_path, size=16))
        assert sum(sizes(splits)) == 100
        assert sum(part.counts()["abnormal"] for part in (splits.train, splits.val, splits.test)) == 20
        assert splits.train.groups[0].startswith("phantom-3-")
        assert licence_of("phantom:n=100") == "none, made here"

    @pytest.mark.parametrize("options", ["n", "n=many", "size=3", "abnormal=1", "abnormal=nan", ""])
    def test_refuses_options_it_does_not_have(self, tmp_path, options):
        with pytest.raises(DataError, match=r"expected .*n.*abnormal.*seed"):
            load_dataset(f"phantom:{options}", ReadOptions(root=tmp_path))

    def test_too_small_for_three_splits_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="too few images"):
            load_dataset("phantom:n=4", ReadOptions(root=tmp_path, size=16))


def test_an_unknown_name_lists_what_there_is(tmp_path, tiny):
    put(tiny((1, 1)), tmp_path / "my-xrays")
    with pytest.raises(
        DataError, match="no data set 'xray': expected a path or one of phantom, mednist"
    ) as error:
        load_dataset("xray", ReadOptions(root=tmp_path))
    assert "pneumoniamnist" in str(error.value)
    assert str(error.value).endswith("my-xrays")


def test_the_table_shows_what_is_found_where(tmp_path, tiny):
    put(tiny((2, 3)), tmp_path / "mine")
    (tmp_path / "medmnist").mkdir()
    (tmp_path / "medmnist" / "bloodmnist.npz").touch()
    rows = {row["name"]: row for row in list_datasets(ReadOptions(root=tmp_path))}
    assert rows["phantom"]["found"] == "built in"
    assert rows["bloodmnist"]["found"] == str(tmp_path / "medmnist" / "bloodmnist.npz")
    assert (rows["mednist"]["found"], rows["mednist"]["images"]) == ("", 58_954)
    assert rows["chestmnist"]["classes"] == ["normal", "abnormal"]
    assert rows["chestmnist"]["images"] == 112_120
    assert (rows["mine"]["classes"], rows["mine"]["images"]) == (["normal", "abnormal"], 5)
    assert not [name for name in rows if name.endswith("3d")]


def medmnist_file(path, channels=1, labels=1, size=28):
    draw = np.random.default_rng(0)
    shape = (size, size) if channels == 1 else (size, size, 3)
    arrays = {}
    for part, n in (("train", 8), ("val", 4), ("test", 6)):
        arrays[f"{part}_images"] = draw.integers(0, 256, (n, *shape), np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n * labels).reshape(n, labels) % 2).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)
    return arrays


class TestMedMNIST:
    @pytest.mark.parametrize("folder", ["", "medmnist"])
    def test_is_found_below_the_data_root(self, tmp_path, folder):
        arrays = medmnist_file(tmp_path / folder / "pneumoniamnist.npz")
        splits = load_dataset("pneumoniamnist", ReadOptions(root=tmp_path))
        assert splits.official
        assert sizes(splits) == [8, 4, 6]
        assert (splits.test.pixels[:, 0] == arrays["test_images"]).all()
        assert splits.class_names == ("normal", "pneumonia")

    def test_with_normal_second_is_turned_round(self, tmp_path):
        arrays = medmnist_file(tmp_path / "breastmnist.npz")
        splits = load_dataset("breastmnist", ReadOptions(root=tmp_path))
        assert splits.class_names == ("normal, benign", "malignant")
        for part in ("train", "val", "test"):
            assert (getattr(splits, part).labels == 1 - arrays[f"{part}_labels"][:, 0]).all()

    def test_with_many_labels_becomes_normal_and_abnormal(self, tmp_path):
        arrays = medmnist_file(tmp_path / "chestmnist.npz", labels=14)
        arrays["train_labels"][3:] = 0
        np.savez(tmp_path / "chestmnist.npz", **arrays)
        train = load_dataset("chestmnist", ReadOptions(root=tmp_path)).train
        assert train.class_names == ("normal", "abnormal")
        assert train.labels.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]

    def test_in_colour_and_in_its_own_larger_size(self, tmp_path):
        medmnist_file(tmp_path / "bloodmnist.npz", channels=3)
        medmnist_file(tmp_path / "bloodmnist_64.npz", channels=3, size=64)
        assert load_dataset("bloodmnist", ReadOptions(root=tmp_path)).train.image_shape == (3, 28, 28)
        large = load_dataset("bloodmnist", ReadOptions(root=tmp_path, size=64)).train
        small = load_dataset("bloodmnist", ReadOptions(root=tmp_path, size=32)).train
        assert (large.image_shape, small.image_shape) == ((3, 64, 64), (3, 32, 32))

    def test_named_by_path_has_as_many_classes_as_its_highest_label_anywhere(self, tmp_path):
        arrays = medmnist_file(tmp_path / "own.npz")
        arrays["test_labels"][0] = 2
        np.savez(tmp_path / "own.npz", **arrays)
        splits = load_dataset(str(tmp_path / "own.npz"), ReadOptions(root=tmp_path))
        assert {part.class_names for part in (splits.train, splits.val, splits.test)} == {("0", "1", "2")}

    @pytest.mark.usefixtures("offline")
    def test_that_is_nowhere_says_where_to_put_it(self, tmp_path, capsys):
        with pytest.raises(
            DataError, match=r"dermamnist: no dermamnist\.npz below .* could not be downloaded"
        ) as error:
            load_dataset("dermamnist", ReadOptions(root=tmp_path))
        assert "\n" not in str(error.value)

    def test_without_a_test_split_is_no_data_set(self, tmp_path, tiny):
        write_images(ImageStream.of(tiny((2, 2), synthetic=True)), tmp_path / "made.npz")
        with pytest.raises(
            DataError, match=r"made: found synthetic images only, expected real ones to validate and test on"
        ):
            load_dataset(str(tmp_path / "made.npz"), ReadOptions(root=tmp_path))


@pytest.fixture
def mednist(tmp_path, tiny):
    """A MedNIST.tar.gz of three classes, 10 images each, and the folder it unpacks to."""
    images = tiny((10, 10, 10), side=64, class_names=("Hand", "CXR", "BreastMRI"))
    put(images, tmp_path / "unpacked" / "MedNIST", ".jpeg")
    (tmp_path / "packed").mkdir()
    with tarfile.open(tmp_path / "packed" / "MedNIST.tar.gz", "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(tmp_path / "unpacked" / "MedNIST", "MedNIST")
        note = tarfile.TarInfo("MedNIST/README.md")
        archive.addfile(note, io.BytesIO())
    return tmp_path


class TestMedNIST:
    def test_is_the_same_from_its_archive_and_from_its_folder(self, mednist):
        roots = (mednist / "packed", mednist / "unpacked")
        packed, unpacked = (load_dataset("mednist", ReadOptions(root=root)) for root in roots)
        assert packed.class_names == ("BreastMRI", "CXR", "Hand")
        assert sizes(packed) == [24, 3, 3]
        assert packed.train.image_shape == (1, 64, 64)
        assert packed.train.digest() == unpacked.train.digest()
        small = load_dataset("mednist", ReadOptions(root=mednist / "packed", size=16))
        assert small.val.image_shape == (1, 16, 16)

    @pytest.mark.parametrize("keep", [0, 200, -4000])
    def test_cut_short_is_an_error(self, mednist, keep):
        path = mednist / "packed" / "MedNIST.tar.gz"
        path.write_bytes(path.read_bytes()[:keep])
        self.refuses(path)

    def test_altered_or_not_an_archive_is_an_error(self, mednist):
        path = mednist / "packed" / "MedNIST.tar.gz"
        content = path.read_bytes()
        path.write_bytes(content[:2000] + bytes(500) + content[2500:])
        self.refuses(path)
        path.write_text("<html>404</html>")
        self.refuses(path)

    def test_with_a_damaged_header_is_not_taken_for_a_smaller_data_set(self, mednist):
        path = mednist / "packed" / "MedNIST.tar.gz"
        whole = gzip.decompress(path.read_bytes()) + bytes(
            1 << 20
        )  # zeros end a tar file, as many as one likes
        spoilt = whole.replace(b"MedNIST/Hand/", b"MedNIST\xff\xff\xff\xff\xff\xff", 1)
        path.write_bytes(gzip.compress(spoilt)[:-8] + gzip.compress(whole)[-8:])  # the old checksum
        self.refuses(path)

    def test_without_images_is_an_error(self, tmp_path):
        with tarfile.open(tmp_path / "MedNIST.tar.gz", "w:gz"):
            pass
        with pytest.raises(DataError, match="found no JPEG, expected MedNIST/<Class>"):
            load_dataset("mednist", ReadOptions(root=tmp_path))

    @pytest.mark.usefixtures("offline")
    @pytest.mark.filterwarnings("ignore")  # of what is imported to download it
    def test_that_is_nowhere_says_where_to_put_it(self, tmp_path):
        with pytest.raises(DataError, match=r"mednist: no MedNIST\.tar\.gz or MedNIST/ below") as error:
            load_dataset("mednist", ReadOptions(root=tmp_path))
        assert "\n" not in str(error.value)

    def refuses(self, path):
        with pytest.raises(DataError, match="expected the whole MedNIST archive") as error:
            load_dataset("mednist", ReadOptions(root=path.parent))
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
