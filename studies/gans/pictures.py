"""One PNG per table and data set: real images first, then a block of rows, one for each class, per recipe."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cells import Place, stored
from PIL import Image, ImageDraw, ImageFont
from tables import Choice, Table, cell_of

from synthaug.augment.files.atomic import replacing
from synthaug.augment.images import Pixels
from synthaug.augment.pictures import image_grid

LARGEST = 450_000  # bytes of a file
MOST = 8  # images of a class
# fewest images of a class, and colours: what is tried in this order until a picture is small enough
TRIES: tuple[tuple[int, int | None], ...] = ((4, None), (3, 256), (2, 64), (1, 32))
SIDE = 84  # px that small images are enlarged to, by whole numbers
WIDEST = 1400  # px
CAPTION = 20  # px
GAP = 12  # px

Captioned = tuple[str, Pixels]  # (classes × MOST, C, H, W), fewer where a class has fewer


def write_picture(
    table: Table, name: str, data: str, place: Place, choice: Choice, folder: Path
) -> Path | None:
    """The picture of a table's data set with seed 0 of whatever is there; None where nothing is."""
    if not place.real_examples(data).exists():
        return None
    blocks = [("real images, not seen in training", place.real_examples(data))]
    for block in table.blocks:
        for arm in block.arms if block.data == data else ():
            cell = cell_of(block, arm, 0, choice)
            if stored(cell, place) is not None and place.examples_of(cell).exists():
                few = "" if arm.share == 1 else f", {arm.share:.0%} of the data"
                blocks.append((arm.label + few, place.examples_of(cell)))
    if len(blocks) == 1:
        return None
    read = [(caption, _read(path)) for caption, path in blocks]
    classes = min(len(by_class) for _, by_class in read)
    content = smallest_fitting([(caption, by_class[:classes]) for caption, by_class in read])
    path = folder / f"{name}-{data}.png"
    with replacing(path) as fresh:
        fresh.write_bytes(content)
    return path


def data_of(table: Table) -> list[str]:
    """Names of the data sets, each once."""
    return list(dict.fromkeys(block.data for block in table.blocks))


def smallest_fitting(blocks: Sequence[tuple[str, Sequence[Pixels]]]) -> bytes:
    """A PNG below `LARGEST` with as many images of a class as it holds."""
    tries = [(each, colours) for fewest, colours in TRIES for each in range(MOST, fewest - 1, -1)]
    content = b""
    for each, colours in tries:
        picture = sheet([(caption, [p[:each] for p in by_class]) for caption, by_class in blocks])
        if colours:
            picture = picture.quantize(colours, dither=Image.Dither.NONE)
        file = io.BytesIO()
        picture.save(file, "PNG", optimize=True)
        content = file.getvalue()
        if len(content) < LARGEST:
            break
    return content


def sheet(blocks: Sequence[tuple[str, Sequence[Pixels]]]) -> Image.Image:
    """Blocks beside and below each other, each with its caption."""
    tiles = [(caption, _tile(by_class)) for caption, by_class in blocks]
    font = ImageFont.load_default(size=14)
    width = max(max(tile.shape[1], int(font.getlength(caption)) + 1) for caption, tile in tiles) + GAP
    height = max(tile.shape[0] for _, tile in tiles) + CAPTION + GAP
    across = max(1, min(len(tiles), WIDEST // width))
    picture = Image.new("RGB", (across * width, -(-len(tiles) // across) * height), "white")
    draw = ImageDraw.Draw(picture)
    for k, (caption, tile) in enumerate(tiles):
        left, top = k % across * width, k // across * height
        draw.text((left, top), caption, fill="black", font=font)
        picture.paste(Image.fromarray(tile), (left, top + CAPTION))
    grey = np.asarray(picture)
    return picture.convert("L") if (grey == grey[..., :1]).all() else picture


def _tile(by_class: Sequence[Pixels]) -> np.ndarray:
    """One row for each class."""
    columns = max(len(pixels) for pixels in by_class)
    blank = [np.full((columns - len(p), *p.shape[1:]), 255, np.uint8) for p in by_class]
    rows = [np.concatenate(pair) for pair in zip(by_class, blank, strict=True)]
    scale = max(1, round(SIDE / by_class[0].shape[-1]))
    return image_grid(np.concatenate(rows), columns, scale)


def _read(path: Path) -> list[Pixels]:
    with np.load(path) as file:
        pixels, labels = file["pixels"], file["labels"]
        return [pixels[labels == label] for label in range(len(file["class_names"]))]
