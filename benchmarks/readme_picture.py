"""The README's picture: images of the shipped generators, the first of each class, none chosen.

python benchmarks/readme_picture.py
"""

from pathlib import Path

import numpy as np

from synthaug.augment.pictures import save_grid
from synthaug.generators.sampling import Synthesizer

COLUMNS = 12
TARGET = Path(__file__).parent.parent / "docs" / "images" / "synthetic.png"


def main() -> None:
    rows = []
    for name, per_class in (("chest-xray", 2 * COLUMNS), ("mednist", COLUMNS)):
        synthesizer = Synthesizer(name)
        for label in range(len(synthesizer.card.class_names)):
            rows.append(synthesizer.images(label, 0, per_class).pixels)
    save_grid(np.concatenate(rows), TARGET, COLUMNS)
    print(TARGET)


if __name__ == "__main__":
    main()
