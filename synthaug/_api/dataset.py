"""Labelled images for PyTorch and MONAI."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import WeightedRandomSampler

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import to_unit_range


class Dataset(TorchDataset[Any]):
    """Images and labels as a map-style `torch.utils.data.Dataset`.

    Args:
        images: for instance what `blend` returns.
        transform: applied to each image, a (C, H, W) float32 tensor in [0, 1]: torchvision's
            `transforms.v2` and MONAI's array transforms take it. With `as_dicts` it is given the whole item.
        as_dicts: items are {"image": tensor, "label": int} for MONAI's dictionary transforms, instead of
            (tensor, int); `monai.data.CacheDataset(sa.Dataset(images, as_dicts=True), transform)` takes it.

    Attributes:
        class_names: label i is class_names[i].
        labels: (N,) int64.
    """

    def __init__(
        self,
        images: LabeledImages,
        transform: Callable[[Any], Any] | None = None,
        *,
        as_dicts: bool = False,
    ):
        self.images, self.transform, self.as_dicts = images, transform, as_dicts
        self.class_names, self.labels = images.class_names, images.labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        image: Tensor = to_unit_range(self.images.pixels[index])
        label = int(self.labels[index])
        if self.as_dicts:
            item = {"image": image, "label": label}
            return item if self.transform is None else self.transform(item)
        return (image if self.transform is None else self.transform(image)), label


def balanced_sampler(
    images: LabeledImages, num_samples: int | None = None, *, seed: int | None = None
) -> WeightedRandomSampler:
    """A sampler for `torch.utils.data.DataLoader` that draws every class equally often, with replacement.

    Args:
        num_samples: drawn in an epoch; by default as many as there are images.
        seed: of the draws; None draws from PyTorch's global random state.

    Raises:
        DataError: there are no images.
    """
    if not len(images):
        raise DataError("balanced sampler of no images: expected at least one")
    counts = torch.bincount(torch.from_numpy(images.labels), minlength=len(images.class_names))
    weights = 1.0 / counts[torch.from_numpy(images.labels)].double()
    draws = None if seed is None else torch.Generator().manual_seed(seed)
    return WeightedRandomSampler(weights.tolist(), num_samples or len(images), generator=draws)
