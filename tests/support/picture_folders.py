"""Folders of pictures as a user has them."""

from pathlib import Path

from PIL import Image

from synthaug.augment.images import LabeledImages


def put(images: LabeledImages, folder: Path, suffix: str = ".png") -> None:
    """Write class folders without labels.csv."""
    for k, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        path = folder / images.class_names[label] / f"{k:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(path)
