"""DiffAugment (Zhao et al. 2020): the discriminator sees real and fake images through the same random,
differentiable augmentations, so that it cannot memorise a small training set."""

import torch
from torch import Tensor

from synthaug.augment.errors import UsageError


def diffaugment(images: Tensor, policy: tuple[str, ...], rng: torch.Generator, p: float = 1.0) -> Tensor:
    """Change each image at random by every step of `policy`; gradients flow through.

    Args:
        images: (N, C, H, W) in [-1, 1].
        policy: names from `AUGMENTATIONS`; empty leaves the images as they are.
        rng: on the CPU, so that every device draws the same numbers.
        p: probability that an image is augmented, drawn per image.
    """
    if p < 1 and policy:
        chosen = torch.nonzero(torch.rand(len(images), generator=rng) < p).flatten().to(images.device)
        if not len(chosen):
            return images
        return images.index_copy(0, chosen, diffaugment(images[chosen], policy, rng))
    for name in policy:
        images = AUGMENTATIONS[name](images, rng)
    return images


def _uniform(images: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(images), 1, 1, 1, generator=rng).to(images.device, images.dtype)


def color(images: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness by ±0.5 (of a range of 2), saturation by 0-2 (RGB only), contrast by 0.5-1.5."""
    images = images + _uniform(images, rng) - 0.5
    if images.shape[1] == 3:
        grey = images.mean(dim=1, keepdim=True)
        images = (images - grey) * (2 * _uniform(images, rng)) + grey
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - mean) * (_uniform(images, rng) + 0.5) + mean


def translation(images: Tensor, rng: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side in both directions; what comes in is zero (mid-grey)."""
    n, _, height, width = images.shape
    reach_y, reach_x = max(1, height // 8), max(1, width // 8)
    dy = torch.randint(-reach_y, reach_y + 1, (n, 1, 1), generator=rng)
    dx = torch.randint(-reach_x, reach_x + 1, (n, 1, 1), generator=rng)
    padded = torch.nn.functional.pad(images, (reach_x, reach_x, reach_y, reach_y))
    batch = torch.arange(n).view(n, 1, 1)
    rows = torch.arange(height).view(1, height, 1) + dy + reach_y
    columns = torch.arange(width).view(1, 1, width) + dx + reach_x
    return padded.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def cutout(images: Tensor, rng: torch.Generator) -> Tensor:
    """Grey out (to zero) one square of half the side, its centre anywhere, so that it may hang over."""
    n, _, height, width = images.shape
    centre_y = torch.randint(0, height + 1, (n, 1, 1), generator=rng)
    centre_x = torch.randint(0, width + 1, (n, 1, 1), generator=rng)
    below = torch.arange(height).view(1, height, 1) - (centre_y - height // 4)  # rows below the upper edge
    right = torch.arange(width).view(1, 1, width) - (centre_x - width // 4)
    inside = (below >= 0) & (below < height // 2) & (right >= 0) & (right < width // 2)
    keep = ~inside.unsqueeze(1)  # (N, 1, H, W)
    return images * keep.to(images.device, images.dtype)


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}


def policy(text: str) -> tuple[str, ...]:
    """Names from "translation,cutout"; "none" and "" are the empty policy.

    Raises:
        UsageError: a name that there is not.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip() not in ("", "none"))
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise UsageError(f"--diffaugment {text}: expected names among {', '.join(AUGMENTATIONS)}, or none")
    return names
