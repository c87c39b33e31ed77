"""What every test may ask for: tiny images, the real data's folder, and a cache of the tests' own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_images import tiny_images

from synthaug.augment.images import LabeledImages


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
