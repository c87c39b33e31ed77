"""Which classes are rare, by the recipient's labelled training images: test images have no say."""

from collections.abc import Iterable

import numpy as np

from synthaug.evaluation.experiment.results import TrainingResult

SHARE = 0.5  # of an even share


def rare_classes(cells: Iterable[TrainingResult]) -> tuple[int, ...]:
    """Numbers of the rare classes: fewer labelled images than half of an even share, over all subsets.

    Below an even share (one over the number of classes) a class is a minority class (Ortigosa-Hernández et
    al. 2017, Pattern Recognition Letters 98:32). Half of it, so that neither every class but the largest is
    one, nor those that a draw by whole patients happened to leave a few images short: class-balanced sampling
    shows such a class more than twice as often as it comes.

    Returns:
        None of two classes, whose one AUROC is that of either, and none where labels are drawn evenly.
    """
    counts = [list(cell.counts.get("real", {}).values()) for cell in cells if cell.arm.role == "classical"]
    total = np.sum([of_one for of_one in counts if of_one], axis=0)
    if np.ndim(total) == 0 or len(total) < 3:
        return ()
    return tuple(np.flatnonzero(total < SHARE * total.mean()).tolist())
