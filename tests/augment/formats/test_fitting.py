"""What a format cannot hold is made to fit, and said in one line."""

import numpy as np
import pytest
from cli_runner import synthaug
from tiny_images import tiny_images

from synthaug.augment.errors import UsageError
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.stream import ImageStream


@pytest.mark.parametrize("target", ["out", "out-dicom"])
def test_colour_of_16_bits_keeps_its_upper_8(tmp_path, target):
    sent = tiny_images((1, 1), channels=3, dtype=np.uint16)
    write_images(ImageStream.of(sent), tmp_path / "in.h5")
    run = synthaug("export", tmp_path / "in.h5", tmp_path / target, "--json")
    assert run.status == 0
    assert "holds colour of 8 bits, written with the upper 8 of 16" in " ".join(run.err.split())
    back = read_images(tmp_path / target)
    assert (back.pixels[np.argsort(back.labels)] == sent.pixels >> 8).all()
    assert "RGB, 8 bits" in (tmp_path / target / "README.md").read_text(encoding="utf-8")


def test_names_that_a_folder_would_change_are_changed_before(tmp_path, caplog):
    sent = tiny_images((1, 1, 1), class_names=("", "_", " a b"))
    write_images(ImageStream.of(sent), tmp_path / "out")
    assert read_images(tmp_path / "out").counts() == {"_": 1, "__1": 1, "a b": 1}
    assert "3 of 3 renamed, such as '' to '_'" in caplog.text


def test_names_that_are_too_long_for_dicom_are_cut_and_stay_different(tmp_path, caplog):
    sent = tiny_images((1, 1, 1), class_names=("x" * 5000, "x" * 5001, "normal"))
    write_images(ImageStream.of(sent), tmp_path / "out-dicom")
    assert read_images(tmp_path / "out-dicom").counts() == {"x" * 64: 1, "x" * 64 + "_1": 1, "normal": 1}
    assert "2 of 3 renamed" in caplog.text
    many = tiny_images((1,), class_names=tuple(f"class {k}" for k in range(1000)))
    with pytest.raises(UsageError, match="1000 class names: too long for DICOM"):
        write_images(ImageStream.of(many), tmp_path / "many-dicom")
    assert not (tmp_path / "many-dicom").exists()
