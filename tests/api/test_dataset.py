"""Images in PyTorch's and MONAI's hands."""

import numpy as np
import pytest
import torch
from monai.data import CacheDataset
from monai.transforms import Compose, RandFlipd, RandRotate90, ScaleIntensity
from tiny_images import tiny_images
from torch.utils.data import DataLoader
from torchvision.transforms import v2

import synthaug as sa


class TestADataset:
    def test_gives_images_from_0_to_1_with_their_labels(self):
        images = tiny_images((3, 2))
        dataset = sa.Dataset(images)
        assert len(dataset) == 5
        image, label = dataset[4]
        assert image.dtype == torch.float32
        assert torch.equal(image, torch.from_numpy(images.pixels[4].astype(np.float32) / 255))
        assert label == images.labels[4]

    def test_takes_transforms_of_torchvision_and_of_monai(self):
        images = tiny_images((3, 3))
        flipped, _ = sa.Dataset(images, transform=v2.RandomHorizontalFlip(p=1.0))[0]
        assert torch.equal(flipped, sa.Dataset(images)[0][0].flip(-1))
        turned, _ = sa.Dataset(images, transform=Compose([ScaleIntensity(), RandRotate90(prob=0)]))[0]
        assert turned.shape == (1, 8, 8)

    def test_is_a_list_of_dicts_for_a_cache_of_monai(self):
        images = tiny_images((3, 3))
        cached = CacheDataset(
            sa.Dataset(images, as_dicts=True), RandFlipd("image", prob=0.0), progress=False, num_workers=0
        )
        assert cached[1]["label"] == images.labels[1]
        assert torch.allclose(torch.as_tensor(cached[1]["image"]), sa.Dataset(images)[1][0])

    def test_feeds_a_loader_with_workers(self):
        images = tiny_images((5, 5))
        batches = list(DataLoader(sa.Dataset(images), batch_size=4, num_workers=2))
        assert torch.cat([labels for _, labels in batches]).tolist() == images.labels.tolist()

    def test_ends_where_its_images_end(self):
        with pytest.raises(IndexError):
            sa.Dataset(tiny_images((1, 1)))[2]
        assert len(list(sa.Dataset(tiny_images((1, 1))))) == 2


class TestABalancedSampler:
    def test_draws_a_rare_class_as_often_as_a_frequent_one(self):
        images = tiny_images((95, 5))
        rows = list(sa.balanced_sampler(images, 2000, seed=0))
        share = images.labels[rows].mean()
        assert 0.46 < share < 0.54  # 3.6 standard errors

    def test_draws_as_many_as_there_are_and_the_same_from_a_seed(self):
        images = tiny_images((4, 2))
        first = list(sa.balanced_sampler(images, seed=1))
        assert len(first) == 6
        assert first == list(sa.balanced_sampler(images, seed=1))
        assert first != list(sa.balanced_sampler(images, seed=2))

    def test_refuses_no_images(self):
        with pytest.raises(sa.DataError, match="expected at least one"):
            sa.balanced_sampler(tiny_images((1, 1)).take([]))
