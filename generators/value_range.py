"""Generators speak [-1, 1]; images are stored as 0..255."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_uint8(images: Tensor) -> npt.NDArray[np.uint8]:
    """(N, C, H, W) in [-1, 1] -> uint8 by rounding to the nearest grey level."""
    pixels: npt.NDArray[np.uint8] = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels
