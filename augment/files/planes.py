"""One opened picture as planes of levels: upright, of the size wanted, grey of 16 bits by its scale."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from synthaug.augment.files.picture_layout import PictureLayout
from synthaug.augment.images import Pixels

PHOTOMETRIC = 262  # the tag of a TIFF file; 0 is white (TIFF 6.0, page 37)


def is_inverted(image: Image.Image) -> bool:
    """Whether a TIFF file says that 0 is white."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0


def planes_of(image: Image.Image, layout: PictureLayout, fit: str, scale: float, inverted: bool) -> Pixels:
    """(3 or 1, H, W) of one picture, of which levels times `scale` are those of 16 bits."""
    size = layout.width, layout.height
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        grey = _deep_grey(upright, scale, inverted)
        if layout.bits == 16:
            deep = np.asarray(_fitted(Image.fromarray(grey.astype(np.float32)), size, fit))
            return deep.round().clip(0, 65535).astype(np.uint16)[None]
        upright = Image.fromarray((grey.astype(np.uint16) >> 8).astype(np.uint8))
    planes: Pixels = np.asarray(_fitted(upright.convert("RGB"), size, fit)).transpose(2, 0, 1)
    return planes if layout.bits == 8 else planes * np.uint16(257)


def _deep_grey(image: Image.Image, scale: float, inverted: bool) -> npt.NDArray[np.float64]:
    """Grey levels in 0..65535 of a picture of whole numbers or fractions."""
    levels = np.asarray(image, dtype=np.float64)
    low, high = levels.min(), levels.max()
    if not (low >= 0 and high <= 65535):
        raise ValueError(f"grey levels from {low:g} to {high:g} where 0 to 65535 can be kept")
    scaled = np.rint(levels * scale) if scale < 65535 else levels * scale
    return 65535 - scaled if inverted else scaled


def _fitted(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    if image.size == size:
        return image
    how = ImageOps.pad if fit == "pad" else ImageOps.fit
    return how(image, size, method=Image.Resampling.BICUBIC)
