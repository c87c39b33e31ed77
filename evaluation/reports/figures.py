"""What reports make their pictures with, each an inline PNG: nothing to load when it is opened offline."""

import base64
import io

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from synthaug.augment.images import LabeledImages
from synthaug.augment.pictures import image_grid


def inline_png(data: bytes) -> str:
    """PNG bytes as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def drawn(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return inline_png(buffer.getvalue())


def sample_rows(images: LabeledImages, label: int, columns: int = 10, seed: int = 0) -> str:
    """Two rows of images of one class, drawn at random, not chosen; empty text where there are none."""
    rows = np.flatnonzero(images.labels == label)
    rows = np.random.default_rng(seed).permutation(rows)[: 2 * columns]
    if not len(rows):
        return ""
    side = images.image_shape[1]
    return inline_image(image_grid(images.pixels[rows], columns, scale=max(1, 64 // side)))


def inline_image(pixels: npt.NDArray[np.uint8]) -> str:
    """(H, W) or (H, W, 3) as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return inline_png(buffer.getvalue())
