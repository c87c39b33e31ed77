"""HDF5 files in PyTorch: read one by one, by any number of workers."""

from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import write_images
from synthaug.augment.hdf5.dataset import HDF5Dataset
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions


@pytest.fixture
def images(tiny):
    images = tiny((8, 6), channels=3)
    return replace(images, split=np.array(["train", "val"] * 7))


@pytest.fixture(params=[None, 5], ids=["one file", "shards"])
def path(request, tmp_path, images):
    path = tmp_path / "out.h5"
    write_images(ImageStream.of(images), path, writing=WriteOptions(shard_size=request.param))
    return path


def open_files(below):
    """Of this process."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [link.readlink() for link in links if below in link.readlink().parents]


class TestHDF5Dataset:
    def test_gives_images_from_0_to_1_and_labels(self, path, images):
        dataset = HDF5Dataset(path)
        assert len(dataset) == 14
        assert dataset.class_names == ("normal", "abnormal")
        assert dataset.labels.tolist() == images.labels.tolist()
        for k in (0, 4, 5, 13):
            image, label = dataset[k]
            assert image.dtype == torch.float32
            assert np.array_equal(image.numpy(), images.pixels[k] / np.float32(255))
            assert label == images.labels[k]

    def test_scales_16_bits(self, tmp_path, tiny):
        images = tiny((2, 2), dtype=np.uint16)
        write_images(ImageStream.of(images), tmp_path / "out.h5")
        assert np.allclose(HDF5Dataset(tmp_path / "out.h5")[3][0].numpy(), images.pixels[3] / 65535)

    def test_takes_one_split_and_a_transform(self, path, images):
        dataset = HDF5Dataset(path, "val", transform=lambda image: 1 - image)
        assert len(dataset) == 7
        assert np.allclose(dataset[2][0].numpy(), 1 - images.pixels[5] / 255)
        assert dataset.labels.tolist() == images.labels[1::2].tolist()

    @pytest.mark.parametrize("workers", ["none", "fork", pytest.param("spawn", marks=pytest.mark.slow)])
    def test_is_read_by_workers_while_the_parent_holds_no_file(self, path, images, workers, tmp_path):
        dataset = HDF5Dataset(path)
        dataset[0]
        kind = {} if workers == "none" else {"num_workers": 2, "multiprocessing_context": workers}
        for _ in range(2):
            batches = list(DataLoader(dataset, batch_size=3, **kind))
            assert open_files(tmp_path) == []
            pixels = torch.cat([pixels for pixels, _ in batches]).numpy()
            assert np.array_equal(pixels, images.pixels / np.float32(255))
            assert torch.cat([labels for _, labels in batches]).tolist() == images.labels.tolist()

    def test_can_be_sent_to_another_process(self, path):
        dataset = HDF5Dataset(path)
        again = ForkingPickler.loads(ForkingPickler.dumps(dataset))  # as a spawned worker gets it
        assert torch.equal(again[7][0], dataset[7][0])

    def test_refuses_a_split_that_is_not_there(self, path, tmp_path, tiny):
        with pytest.raises(UsageError, match="split 'valid': expected one of train, val, test"):
            HDF5Dataset(path, "valid")
        with pytest.raises(DataError, match="no image of the split test"):
            HDF5Dataset(path, "test")
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / "undivided.h5")
        with pytest.raises(DataError, match="no /split"):
            HDF5Dataset(tmp_path / "undivided.h5", "train")

    def test_names_a_missing_shard(self, tmp_path, images):
        write_images(ImageStream.of(images), tmp_path / "out.h5", writing=WriteOptions(shard_size=5))
        lost = sorted((tmp_path / "out-shards").iterdir())[1]
        lost.unlink()
        with pytest.raises(DataError, match=lost.name):
            HDF5Dataset(tmp_path / "out.h5")

    def test_refuses_a_file_of_another_layout(self, tmp_path):
        (tmp_path / "x.h5").write_bytes(b"no HDF5")
        with pytest.raises(DataError, match="expected a whole HDF5 file"):
            HDF5Dataset(tmp_path / "x.h5")
