"""Nearest neighbours by Euclidean distance, exact, block by block: memory does not grow with the sets."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating]
Distances = npt.NDArray[np.float64]

BLOCK = 1024  # queries whose distances to all points are held at once


def distance_blocks(queries: Vectors, points: Vectors) -> Iterator[tuple[int, Distances]]:
    """(first row, squared distances (rows, P)) of a block of queries to every point, in float64.

    Both sets are moved by the points' mean first: |a - b|² = |a|² + |b|² - 2ab loses digits far from zero.
    """
    centre = points.mean(axis=0, dtype=np.float64)
    there = points - centre
    squares = np.einsum("nd,nd->n", there, there)
    for start in range(0, len(queries), BLOCK):
        here = queries[start : start + BLOCK] - centre
        products = here @ there.T
        products *= -2
        products += squares
        products += np.einsum("nd,nd->n", here, here)[:, None]
        yield start, np.maximum(products, 0, out=products)


def nearest(
    queries: Vectors, points: Vectors, k: int = 1, *, itself: bool = False
) -> tuple[Distances, npt.NDArray[np.int64]]:
    """Distances (N, k) to the k nearest points, ascending, and their rows (N, k).

    Args:
        itself: queries and points are one set: a point is not its own neighbour (an equal one is).
    """
    distances = np.empty((len(queries), k))
    rows = np.empty((len(queries), k), dtype=np.int64)
    for start, block in distance_blocks(queries, points):
        at = np.arange(len(block))
        if itself:
            block[at, start + at] = np.inf
        near = np.argpartition(block, k - 1, axis=1)[:, :k]
        near = near[at[:, None], np.argsort(block[at[:, None], near], axis=1, kind="stable")]
        distances[start : start + len(block)] = np.sqrt(block[at[:, None], near])
        rows[start : start + len(block)] = near
    return distances, rows
