"""The pixels of DICOM files as a viewer shows them: modality and VOI transformations, black at 0."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from synthaug.augment.images import Pixels
from synthaug.augment.levels import bits_in_use
from synthaug.augment.reading import RULES

Values = npt.NDArray[Any]
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")  # PS3.3 C.7.6.16.2.9, C.7.6.16.2.10
GREY = (
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
)


def stored_frames(path: Path, image: Dataset) -> Iterator[Values]:
    """(H, W) or (H, W, 3) per frame, decoded one at a time, YCbCr as RGB; `image` gets the attributes.

    Args:
        image: empty; holds what `displayed` needs from the first frame on.
    """
    if read_file_meta_info(path).TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        whole = dcmread(path)  # cannot be read piece by piece
        image.update(whole)
        yield from iter_pixels(whole)
    else:
        yield from iter_pixels(path, ds_out=image, specific_tags=[Tag(name) for name in GROUPS])


def displayed(
    values: Values, image: Dataset, frame: int, window: tuple[float, float] | None, rules: int = RULES
) -> Values:
    """One frame as a viewer shows it, 0 black and the greatest value white.

    Grey values go through the modality transformation (PS3.3 C.11.1), then the VOI LUT or window (C.11.2).
    Without either of the latter, 8 bits or fewer are shown in the range they can hold, and more bits from the
    frame's own minimum to its maximum, pixel padding (C.7.5.1.1.2) left out. MONOCHROME1 is inverted, and
    padding is black. Of tables that declare more bits than their entries use, those in use count.

    Args:
        values: (H, W) or (H, W, 3), as stored.
        image: its attributes; those of functional groups (C.7.6.16) go before the image's own.
        frame: its number, from 0.
        window: (center, width) in the place of the file's VOI LUT or window, by the linear function.
        rules: of reading; by 1, tables use the bits declared, and padding keeps its level.

    Returns:
        Of the shape of `values` (of palettes (H, W, 3)): uint8 over its whole range, else floats in [0, 1].
    """
    photometric = str(image.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, image)[..., :3]  # a fourth is opacity
        if values.dtype == np.uint8:
            return values
        tables = (image.get(f"{colour}PaletteColorLookupTableData") for colour in ("Red", "Green", "Blue"))
        highest = max((np.frombuffer(t, "<u2").max() for t in tables if t and len(t) % 2 == 0), default=65535)
        bits = bits_in_use(float(highest)) if rules > 1 else 16
        return _scaled(values, 0.0, 2.0**bits - 1)
    stored = int(image.BitsStored)
    if values.ndim == 3:
        whole = values.dtype == np.uint8 and stored == 8
        return values if whole else _scaled(values, 0.0, 2.0**stored - 1)
    if not np.isfinite(values).all():
        raise ValueError("pixels that are no numbers")
    shown = _grey(values, image, _attributes(image, frame), window, rules)
    if photometric == "MONOCHROME1":
        shown = 255 - shown if shown.dtype == np.uint8 else 1.0 - shown
    padding = _padding(values, image) if rules > 1 else None
    return shown if padding is None or padding.all() else np.where(padding, shown.dtype.type(0), shown)


def fitted(pixels: Values, height: int, width: int, fit: str) -> Values:
    """Pixels (H, W, C) of another shape, resized with anti-aliasing (bicubic) without changing proportions.

    Args:
        height, width: of the square that is wanted, or those that the pixels have.
        fit: "crop" to the central square, or "pad" with black.
    """
    rows, columns, channels = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    if fit == "crop":
        side = min(rows, columns)
        top, left = (rows - side) // 2, (columns - side) // 2
        return _resized(pixels[top : top + side, left : left + side], height, width)
    scale = min(height / rows, width / columns)
    inner = _resized(pixels, max(1, round(rows * scale)), max(1, round(columns * scale)))
    canvas = np.zeros((height, width, channels), inner.dtype)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return canvas


def in_depth(pixels: Values, dtype: npt.DTypeLike) -> Pixels:
    """uint8, uint16 or [0, 1] as uint8 or uint16: 8 bits stretched, 16 cut to the upper 8, [0, 1] rounded."""
    depth = np.dtype(dtype)
    if pixels.dtype == depth:
        return pixels
    if pixels.dtype == np.uint8:
        return pixels * np.uint16(257)
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    whole: Pixels = np.rint(np.clip(pixels, 0.0, 1.0) * np.iinfo(depth).max).astype(depth)
    return whole


def _attributes(image: Dataset, frame: int) -> Mapping[str, Any]:
    """What turns stored values into grey, of one frame."""
    found = {name: image.get(name) for name in GREY}
    shared, own = (image.get(name) or [] for name in GROUPS)
    for group in (*shared[:1], *own[frame : frame + 1]):
        for macro in MACROS:
            for item in group.get(macro) or []:
                found |= {name: item[name].value for name in GREY if name in item}
    return found


def _grey(
    values: Values, image: Dataset, look: Mapping[str, Any], window: tuple[float, float] | None, rules: int
) -> Values:
    levels = _modality(values, look)
    if window is not None:
        return _windowed(levels, *window, "LINEAR")
    if look["VOILUTSequence"]:
        looked_up, bits, used = _looked_up(levels, look["VOILUTSequence"][0])
        bits = used if rules > 1 else bits
        return _scaled(looked_up, 0.0, 2.0**bits - 1)
    center, width = _first(look["WindowCenter"]), _first(look["WindowWidth"])
    if center is not None and width is not None and width > 0:
        return _windowed(levels, center, width, str(look["VOILUTFunction"] or "LINEAR"))
    stored = int(image.BitsStored)
    if stored <= 8 and not look["ModalityLUTSequence"]:
        lowest = -(2 ** (stored - 1)) if image.get("PixelRepresentation") else 0
        ends = _modality(np.array([lowest, lowest + 2**stored - 1]), look)
        if values.dtype == np.uint8 and ends.tolist() == [0, 255]:
            return values
        return _scaled(levels, float(ends.min()), float(ends.max()))
    padding = _padding(values, image)
    counted = levels if padding is None or padding.all() else levels[~padding]
    return _scaled(levels, float(counted.min()), float(counted.max()))


def _modality(values: Values, look: Mapping[str, Any]) -> Values:
    """Stored values in the modality's unit (PS3.3 C.11.1), in single precision where that is exact."""
    if look["ModalityLUTSequence"]:
        return _looked_up(values, look["ModalityLUTSequence"][0])[0].astype(np.float32)
    slope, intercept = (_first(look[name]) for name in ("RescaleSlope", "RescaleIntercept"))
    levels: Values = values.astype(np.float32 if values.itemsize <= 2 else np.float64)
    if slope is not None and slope != 1.0:
        levels = levels * slope
    return levels + intercept if intercept else levels


def _scaled(levels: Values, low: float, high: float) -> Values:
    unit: Values = levels - low
    unit /= (high - low) or 1.0
    return np.clip(unit, 0.0, 1.0, out=unit)


def _windowed(levels: Values, center: float, width: float, function: str) -> Values:
    """PS3.3 C.11.2.1.2, with y from 0 to 1; a linear width below 1, which it forbids, counts as exact."""
    if function == "SIGMOID":
        unit: Values = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (levels - center) / width, -50.0, 50.0)))
        return unit
    if function == "LINEAR" and width >= 1:
        center, width = center - 0.5, max(width - 1, 1e-6)
    return _scaled(levels, center - width / 2, center + width / 2)


def _looked_up(levels: Values, item: Dataset) -> tuple[Values, int, int]:
    """(values, bits declared, bits in use) by a Modality or VOI LUT (C.11.1.1, C.11.2.1.1)."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = entries or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        wide = len(data) >= 2 * entries
        little = item.original_encoding[1] is not False
        table = np.frombuffer(data, ("<u2" if little else ">u2") if wide else np.uint8)[:entries]
    else:
        table = np.asarray(data).astype(np.uint16)
    if first >= 2**15 and levels.min() < 0:  # written as unsigned where it is signed
        first -= 2**16
    places = np.clip(np.rint(levels).astype(np.int64) - first, 0, len(table) - 1)
    return table[places], bits, min(bits, bits_in_use(float(table.max())))


def _padding(values: Values, image: Dataset) -> npt.NDArray[np.bool_] | None:
    """Where the pixels only fill the rectangle up."""
    value = image.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = image.get("PixelPaddingRangeLimit")
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    mask: npt.NDArray[np.bool_] = (values >= low) & (values <= high)
    return mask


def _first(value: Any) -> float | None:
    """A number, the first of several; None where there is none."""
    values = [value] if value is None or isinstance(value, (str, float, int)) else [*value, None]
    return None if values[0] in (None, "") else float(values[0])


def _resized(pixels: Values, height: int, width: int) -> Values:
    if pixels.shape[:2] == (height, width):
        return pixels
    size, bicubic = (width, height), Image.Resampling.BICUBIC
    if pixels.dtype == np.uint8:
        planes = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        scaled = np.asarray(Image.fromarray(np.ascontiguousarray(planes)).resize(size, bicubic))
        return scaled.reshape(height, width, -1)
    deep = [
        np.asarray(Image.fromarray(pixels[..., c].astype(np.float32)).resize(size, bicubic))
        for c in range(pixels.shape[-1])
    ]
    resized = np.stack(deep, axis=-1)
    return resized.round().clip(0, 65535).astype(np.uint16) if pixels.dtype == np.uint16 else resized
