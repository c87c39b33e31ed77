"""`export --splits`: the three parts of a data set, each in a set of its own."""

from pathlib import Path

import pytest
from cli_runner import synthaug

import synthaug as sa
from synthaug.augment.formats.registry import read_images

DATA = "phantom:n=80,abnormal=0.4"


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("more", "name"),
    [((), "train.h5"), (("--format", "npz"), "train.npz"), (("--format", "folder"), "train")],
)
def test_writes_the_split_that_is_loaded(more, name):
    run = synthaug("export", DATA, "--splits", "parts", "--size", 16, "--split-seed", 3, *more, "--json")
    assert run.status == 0, run.err
    splits = sa.load(DATA, size=16, split_seed=3)
    assert read_images(Path("parts") / name).digest() == splits.train.digest()
    assert run.json["splits"]["test"] == splits.test.counts()
    again = synthaug("export", DATA, "--splits", "parts", "--size", 16)
    assert again.status == 2
    assert synthaug("export", DATA, "--splits", "parts", "--size", 16, "--overwrite").status == 0


def test_a_folder_of_splits_is_read_back_as_the_splits():
    assert synthaug("export", DATA, "--splits", "parts", "--size", 16, "--format", "folder").status == 0
    assert sa.load("parts").test.counts() == sa.load(DATA, size=16).test.counts()


def test_takes_nothing_that_would_blend_or_send():
    run = synthaug("export", DATA, "--splits", "parts", "--balance")
    assert run.status == 2
    assert "--splits with --balance" in run.err
