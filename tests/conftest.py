"""What every test may ask for: tiny images, the real data's folder, and a cache of the tests' own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from synthaug.augment.images import PROVENANCE, LabeledImages

GENERATOR = "0123456789abcdef" * 4


def tiny_images(
    per_class: tuple[int, ...] = (3, 3),
    *,
    side: int = 8,
    channels: int = 1,
    dtype: type = np.uint8,
    class_names: tuple[str, ...] | None = None,
    synthetic: bool = False,
    patients: int = 0,
    seed: int = 0,
) -> LabeledImages:
    """Random pixels, all different; classes take turns. `patients`: images of one class per patient."""
    draw = np.random.default_rng([seed, side, channels, synthetic])
    n = sum(per_class)
    turns = [(k, label) for label, count in enumerate(per_class) for k in range(count)]
    turns.sort()
    labels = np.array([label for _, label in turns], np.int64)
    origins = np.array([(GENERATOR.encode(), seed, k) for k in range(n)], PROVENANCE) if synthetic else None
    names = np.array([f"P{label}-{k // patients}" for k, label in turns]) if patients else None
    return LabeledImages(
        pixels=draw.integers(0, np.iinfo(dtype).max, (n, channels, side, side), dtype, endpoint=True),
        labels=labels,
        class_names=class_names or ("normal", "abnormal", "other")[: len(per_class)],
        synthetic=np.full(n, synthetic),
        groups=names,
        provenance=origins,
    )


@pytest.fixture(scope="session")
def tiny() -> Callable[..., LabeledImages]:
    return tiny_images


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One for all processes of a run: a classifier that several tests look with is trained once."""
    ours = tmp_path_factory.getbasetemp()
    run = ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHAUG_CACHE", str(run / "cache"))
        patch.setenv("SYNTHAUG_SALT", "tests")  # else one is made in the user's own folders
        yield


@pytest.fixture(scope="session")
def data_root() -> Path:
    if not os.environ.get("SYNTHAUG_DATA"):
        pytest.skip("SYNTHAUG_DATA is not set: no real data")
    return Path(os.environ["SYNTHAUG_DATA"])
