"""What the loss of a training compares answers with: labels or a teacher's words, each class's weight."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages


def targets_of(train: LabeledImages, teacher: npt.NDArray[np.float64] | None, share: float) -> Tensor:
    """(N,) labels; with a teacher (N, K) float32, `share` of it its probabilities and the rest the label.

    Cross-entropy is linear in its targets, so mixing them is mixing the two losses (Hinton et al. 2015, at
    temperature 1: a teacher to be softened is softened by the caller).

    Raises:
        DataError: the teacher's rows are not one distribution over the classes per training image.
    """
    labels = torch.from_numpy(train.labels.copy())  # a memory map is read-only
    if teacher is None:
        return labels
    expected = (len(train), len(train.class_names))
    if teacher.shape != expected:
        raise DataError(f"teacher of shape {teacher.shape}: expected {expected}, a row per training image")
    if not ((teacher >= 0).all() and np.allclose(teacher.sum(axis=1), 1, atol=1e-3)):
        low, high = teacher.sum(axis=1).min(), teacher.sum(axis=1).max()
        raise DataError(
            f"teacher's rows sum to {low:.4g}..{high:.4g}, its lowest entry is {teacher.min():.4g}: "
            "expected probabilities, none below 0, that sum to 1"
        )
    hard = F.one_hot(labels, expected[1]).double()
    return (share * torch.from_numpy(teacher.copy()) + (1 - share) * hard).float()


def inverse_frequency(targets: Tensor, classes: int) -> Tensor:
    """(K,) float32 weight of each class, inverse to how many images it has; 1 in the mean over images.

    A soft target counts in every class by its share, so that the weights fit what the loss will see. A class
    with less than one image's worth of them weighs no more than a class of one image; one with none weighs 0.

    Args:
        targets: (N,) labels or (N, K) probabilities of the training images.
    """
    images = (F.one_hot(targets, classes) if targets.ndim == 1 else targets).double().sum(dim=0)
    weights = (images > 0) / images.clamp(min=1)
    return (weights * images.sum() / (weights * images).sum()).float()


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over the batch of -sum_k weight_k target_k log p_k.

    Each class's share of a target carries that class's weight. One-hot targets then give the weighted loss
    of labels, mixed targets the mix of losses, and soft ones lead to the teacher's answer as it would be if
    every class were as frequent. Weighted losses are divided by the number of images (PyTorch divides those
    of labels by the batch's sum of weights), so that a batch of one class counts by that class's weight.

    Args:
        logits: (B, K).
        targets: (B,) labels or (B, K) probabilities.
        weights: (K,), or None for no weighting.
    """
    if weights is None:
        return F.cross_entropy(logits, targets)
    return F.cross_entropy(logits, targets, weight=weights, reduction="none").mean()
