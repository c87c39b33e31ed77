"""One PNG per table and data set: real images, then those of every recipe, a row of images for each class."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cells import Choice, Place
from matplotlib.figure import Figure
from tables import Table

from synthaug.augment.files.atomic import replacing
from synthaug.augment.pictures import image_grid

ACROSS = 3  # recipes beside each other
SIDE = 84  # px that small images are enlarged to, by whole numbers


def write_pictures(tables: Mapping[str, Table], place: Place, choice: Choice, out: Path) -> None:
    """Of seed 0 of whatever is there."""
    for name, table in tables.items():
        for data in {block.data for block in table.blocks}:
            files = {"real images, not seen in training": place.work / f"real-{data}.npz"}
            for block in (block for block in table.blocks if block.data == data):
                for arm in block.arms:
                    few = "" if arm.share == 1 else f", {arm.share:.0%} of the data"
                    files[arm.label + few] = place.folder(choice.cell_of(block, arm, 0)) / "examples.npz"
            files = {title: file for title, file in files.items() if file.exists()}
            if len(files) > 1:
                with replacing(out / "images" / "gans" / f"{name}-{data}.png") as fresh:
                    drawn(files).savefig(fresh, dpi=80, format="png", bbox_inches="tight")


def drawn(files: Mapping[str, Path]) -> Figure:
    down = -(-len(files) // ACROSS)
    figure = Figure(figsize=(5 * ACROSS, 4 * down), layout="constrained")
    axes = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for plot in axes:
        plot.axis("off")
    for plot, (title, file) in zip(axes, files.items(), strict=False):
        with np.load(file) as kept:
            pixels, columns = kept["pixels"], int(np.bincount(kept["labels"]).min())
            rows = [pixels[kept["labels"] == label][:columns] for label in np.unique(kept["labels"])]
        grid = image_grid(np.concatenate(rows), columns, max(1, round(SIDE / pixels.shape[-1])))
        plot.imshow(grid, cmap="gray", vmin=0, vmax=255)
        plot.set_title(title, fontsize=9)
    return figure
