"""The batches of a training: each depends on the seed and the step only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthaug.augment.images import Indices, LabeledImages
from synthaug.augment.transforms import to_unit_range

# torchvision draws one set of random parameters per call; this many images share a draw, which costs a
# quarter of the time, and every step mixes 16 draws.
SHARED_DRAW = 4


@dataclass(frozen=True)
class Batches:
    """Batches of `train` by step; nothing is remembered between them.

    Attributes:
        targets: (N,) labels or (N, K) probabilities, what the loss compares the answers with.
        size: images per batch.
        balanced: draw every class of `train.labels` equally often instead of as often as it occurs.
        augment: (n, C, H, W) in [0, 1] -> the same shape; None shows the images themselves.
        mixup: alpha of Beta(alpha, alpha); 0 mixes nothing.
    """

    train: LabeledImages
    targets: Tensor
    size: int
    seed: int
    balanced: bool = False
    augment: Callable[[Tensor], Tensor] | None = None
    mixup: float = 0.0

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) float in [0, 1]; targets (B,) int64, or (B, K) float where they are soft or mixed."""
        rng = np.random.default_rng([self.seed, step])
        rows = self.draw(rng)
        images = to_unit_range(self.train.pixels[rows])
        if self.augment is not None:
            with torch.random.fork_rng(devices=[]):  # torchvision's transforms draw from torch's global state
                torch.manual_seed(int(rng.integers(2**62)))
                images = torch.cat([self.augment(part) for part in torch.split(images, SHARED_DRAW)])
        images, targets = images.clamp(0, 1), self.targets[torch.from_numpy(rows)]
        if self.mixup:
            shares = torch.from_numpy(rng.beta(self.mixup, self.mixup, self.size)).float()
            images, targets = mix(images, targets, shares, len(self.train.class_names))
        return images.contiguous(memory_format=torch.channels_last), targets

    def draw(self, rng: np.random.Generator) -> Indices:
        """(B,) rows of `train`, in no order."""
        labels = self.train.labels
        if not self.balanced:
            return rng.integers(len(labels), size=self.size)
        present = np.unique(labels)
        wanted = rng.permutation(np.resize(rng.permutation(present), self.size))
        rows = np.empty(self.size, dtype=np.int64)
        for label in present:
            members = np.flatnonzero(labels == label)
            rows[wanted == label] = rng.choice(members, (wanted == label).sum())
        return rows


def mix(images: Tensor, targets: Tensor, shares: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018): each image and target blended with the previous one of its batch.

    One share per image, as the paper defines it, rather than one per batch, as its code has it: the expected
    loss is the same, and no step is all blends or all bare images by one draw.

    Args:
        images: (B, C, H, W), in no order, so that the previous one is a random partner.
        targets: (B,) labels or (B, K) probabilities.
        shares: (B,) in [0, 1], what each image keeps of itself.

    Returns:
        Images (B, C, H, W) and targets (B, K).
    """
    if targets.ndim == 1:
        targets = torch.nn.functional.one_hot(targets, classes).float()
    one, other = shares[:, None], 1 - shares[:, None]
    return (
        one[..., None, None] * images + other[..., None, None] * images.roll(1, dims=0),
        one * targets + other * targets.roll(1, dims=0),
    )
