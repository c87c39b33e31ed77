"""`train-generator --unlabelled`: nobody who validates or tests here, by image or by patient."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import synthaug
from tiny_images import tiny_images

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import concatenate
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def left_out(*more: object) -> tuple[int, int]:
    """(images that are used, images that are left out)."""
    command = ("train-generator", "--dataset", "ours.h5", "--unlabelled", "theirs.h5", "--dry-run")
    run = synthaug(*command, "--out", "r", *more)
    assert run.status == 0, run.err
    (line,) = [line for line in run.out.splitlines() if line.startswith("unlabelled: ")]
    used, rest = line.removeprefix("unlabelled: ").split(" images of theirs.h5, ")
    return int(used), int(rest.split()[0])


def test_other_images_of_held_out_patients_and_synthetic_ones_are_left_out():
    ours = tiny_images((60, 60), side=8, patients=2)
    write_images(ImageStream.of(ours), Path("ours.h5"))
    splits = load_dataset("ours.h5", ReadOptions())
    assert splits.test.groups is not None
    held_out = sorted({*splits.test.groups.tolist(), *splits.val.groups.tolist()})
    # new images: one of each held-out patient, six of nobody we know, and some that a generator made
    n = len(held_out) + 6 + 4
    more = tiny_images((n, n), side=8, seed=7).take(np.arange(n))
    labels = np.arange(n) % 2
    strangers = [f"stranger {k}" for k in range(10)]
    theirs = replace(more, labels=labels, groups=np.array([*held_out, *strangers]))
    made = replace(tiny_images((2, 2), side=8, seed=9, synthetic=True), provenance=None)
    split = np.array(["train"] * (n - 4) + ["val", "val", "test", "test"])
    whole = concatenate([replace(theirs, split=split), made])  # synthetic images are of the training split
    write_images(ImageStream.of(whole), Path("theirs.h5"))
    used, rest = left_out()
    assert used == 6
    assert rest == len(held_out) + 4
