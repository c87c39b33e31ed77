"""What `export` passes on of a set, and says of its surroundings."""

from pathlib import Path

import pytest
from cli_runner import synthaug

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.formats.registry import read_attributes, write_images
from synthaug.augment.stream import ImageStream


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_blend_of_files_keeps_the_licences_of_both() -> None:
    write_images(ImageStream.of(phantom([20, 10], size=28), licence="CC BY 4.0"), Path("real.h5"))
    made = synthaug("generate", "--per-class", "20", "--seed", "3", "--out", "made.h5")
    assert made.status == 0, made.err
    said = str(read_attributes(Path("made.h5"))["licence"])
    command = ("export", "real.h5", "blend.h5", "--synthetic-ratio", "0.3", "--synthetic", "made.h5")
    run = synthaug(*command)
    assert run.status == 0, run.err
    assert read_attributes(Path("blend.h5"))["licence"] == f"CC BY 4.0; {said}"


def test_a_source_date_epoch_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "abc")
    run = synthaug("doctor")
    assert run.status == 2
    assert run.err.startswith("synthaug: SOURCE_DATE_EPOCH is 'abc': expected seconds since 1970")
    assert len(run.err.splitlines()) == 1
