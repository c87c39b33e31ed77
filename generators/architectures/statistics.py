"""Class statistics of real images for the light pair: grey levels, and the strength of fine detail."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthaug.generators.architectures.family import UNKNOWN

LEAST_CONTRAST = 0.02  # of [-1, 1]: least standard deviation of a class
SURROUNDINGS = 5  # px; side of the box filter whose output is the coarse part
FLOOR_QUANTILE = 0.001  # of a class's pixels
FLOOR_SOFTNESS = 0.1  # of a class's standard deviation
HALF = 0.5**0.5  # standard deviation of half of the variance
MOST = 6.0  # times that fine detail is amplified at most


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
        sets = [torch.cat(list(images_of_class)), *images_of_class]
        self.mean.copy_(torch.stack([images.mean() for images in sets]).clamp(-0.95, 0.95))
        self.deviation.copy_(torch.stack([images.std() for images in sets]).clamp(min=LEAST_CONTRAST))

    def of(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) labels -> means and deviations, (N, 1, 1, 1) each."""
        rows = labels - UNKNOWN
        return self.mean[rows].view(-1, 1, 1, 1), self.deviation[rows].view(-1, 1, 1, 1)

    def bounded(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] above the lower bound of their class, which is black here."""
        return images


class WindowStatistics(Statistics):
    """Also the grey level at which a class is clipped from below, as windowed CT is.

    A tanh bounds every class at black. Noise at a higher bound is one-sided in real images, and a generator
    whose noise is not is told apart by its darkest pixel. Classes with pixels near black have no bound of
    their own.
    """

    low: Tensor

    def __init__(self, num_classes: int):
        super().__init__(num_classes)
        self.register_buffer("low", -torch.ones(1 + num_classes))

    def fit(self, images_of_class: Sequence[Tensor]) -> None:
        """From the images of every class, (N, C, H, W) in [-1, 1]."""
        super().fit(images_of_class)
        sets = [torch.cat(list(images_of_class)), *images_of_class]
        self.low.copy_(torch.stack([quantile(images, FLOOR_QUANTILE) for images in sets]))

    def bounded(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) labels -> above the lower bound of their class, by a softplus."""
        low = self.low[labels - UNKNOWN].view(-1, 1, 1, 1)
        width = FLOOR_SOFTNESS * self.of(labels)[1]
        clipped = low > 3 * width - 1  # else a softplus would lift black
        return torch.where(clipped, low + width * F.softplus((images - low) / width), images)


class DetailStatistics(Statistics):
    """Also the factor by which the fine detail of each class is amplified.

    Fine detail, the residual of a 5 × 5 mean, has a few per cent of a radiograph's variance. The R1 penalty
    weights all pixels alike, so that a weight strong enough for coarse anatomy hides such texture from the
    discriminator. It is amplified to the standard deviation of half of the variance; where it has more, as in
    CT, it is left as it is.
    """

    lift: Tensor

    def __init__(self, num_classes: int):
        super().__init__(num_classes)
        self.register_buffer("lift", torch.ones(1 + num_classes))

    def fit(self, images_of_class: Sequence[Tensor]) -> None:
        """From the images of every class, (N, C, H, W) in [-1, 1]."""
        super().fit(images_of_class)
        squares = torch.stack([squared_detail(images) for images in images_of_class])
        counts = torch.tensor([len(images) for images in images_of_class])
        of_all = (squares * counts).sum(dim=0, keepdim=True) / counts.sum()
        fine = torch.cat([of_all, squares]).sqrt() / self.deviation
        self.lift.copy_((HALF / fine).clamp(1, MOST))

    def standardised(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N,) labels -> mean 0 and deviation 1, then with fine detail amplified."""
        mean, deviation = self.of(labels)
        images = (images - mean) / deviation
        return images + (self.lift[labels - UNKNOWN].view(-1, 1, 1, 1) - 1) * fine_detail(images)


def quantile(images: Tensor, q: float) -> Tensor:
    """The q-quantile of all pixels, a scalar; `torch.quantile` refuses so many."""
    pixels = images.flatten()
    return pixels.kthvalue(max(1, round(q * len(pixels)))).values


def fine_detail(images: Tensor) -> Tensor:
    """(N, C, H, W): the residual of a box filter, which averages within the image only."""
    padding = SURROUNDINGS // 2
    return images - F.avg_pool2d(images, SURROUNDINGS, stride=1, padding=padding, count_include_pad=False)


def squared_detail(images: Tensor) -> Tensor:
    """Mean square of the fine detail of (N, C, H, W), a scalar, without a second set of images in memory."""
    return torch.stack([fine_detail(part).square().mean() for part in images]).mean()
