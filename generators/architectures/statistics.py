"""What the light pair knows of real images: their grey levels, and how much of their contrast is fine."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthaug.generators.architectures.family import UNKNOWN

SURROUNDINGS = 5  # px; side of the square whose mean is what is coarse about a pixel
LEAST_CONTRAST = 0.02  # of [-1, 1]: what a class without any is divided by
LEAST_BAND = 0.05  # of an image's deviation


class Statistics(nn.Module):
    """Mean and deviation of the pixels of all images (for `UNKNOWN`) and of each class."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, num_classes: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1 + num_classes))
        self.register_buffer("deviation", torch.ones(1 + num_classes))

    def fit(self, images_of_class: Sequence[Tensor]) -> None:
        """From the images of every class, (N, C, H, W) in [-1, 1]."""
        sets = with_all(images_of_class)
        self.mean.copy_(torch.stack([images.mean() for images in sets]).clamp(-0.95, 0.95))
        self.deviation.copy_(torch.stack([images.std() for images in sets]).clamp(min=LEAST_CONTRAST))

    def of(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) labels -> means and deviations, (N, 1, 1, 1) each."""
        rows = labels - UNKNOWN
        return self.mean[rows].view(-1, 1, 1, 1), self.deviation[rows].view(-1, 1, 1, 1)


class BandStatistics(Statistics):
    """Also the deviations of what is coarse in an image and of what is fine, to give both the same contrast.

    Anatomy is coarse; texture is fine, and a few per cent of the variance. A penalty on the discriminator's
    slope counts every pixel's change alike, so one that is strong enough for anatomy leaves texture unseen.
    """

    bands: Tensor

    def __init__(self, num_classes: int):
        super().__init__(num_classes)
        self.register_buffer("bands", torch.ones(1 + num_classes, 2))  # coarse, fine

    def fit(self, images_of_class: Sequence[Tensor]) -> None:
        """From the images of every class, (N, C, H, W) in [-1, 1]."""
        super().fit(images_of_class)
        for row, images in enumerate(with_all(images_of_class)):
            standardised = (images - self.mean[row]) / self.deviation[row]
            coarse = blurred(standardised)
            self.bands[row] = torch.stack([coarse.std(), (standardised - coarse).std()])
        self.bands.clamp_(min=LEAST_BAND)

    def equalised(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) labels -> mean 0, coarse and fine each with a variance of a half."""
        mean, deviation = self.of(labels)
        standardised = (images - mean) / deviation
        coarse = blurred(standardised)
        of_coarse, of_fine = (2**0.5 * self.bands[labels - UNKNOWN])[:, :, None, None, None].unbind(1)
        return coarse / of_coarse + (standardised - coarse) / of_fine


def with_all(images_of_class: Sequence[Tensor]) -> list[Tensor]:
    """All images, then those of each class."""
    return [torch.cat(list(images_of_class)), *images_of_class]


def blurred(images: Tensor) -> Tensor:
    """(N, C, H, W): every pixel the mean of its surroundings, as far as they lie within the image."""
    return F.avg_pool2d(images, SURROUNDINGS, stride=1, padding=SURROUNDINGS // 2, count_include_pad=False)
