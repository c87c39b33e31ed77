"""What lies beside the pictures is counted by reason, and a class is never lost in silence."""

import pytest
from picture_folders import put
from PIL import Image

from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images

SUFFIXES = [
    ".png",
    ".jpg",
    ".jfif",
    ".tif",
    ".webp",
    ".bmp",
    ".gif",
    ".pgm",
    ".ppm",
    ".jp2",
    ".JPEG",
    ".TIFF",
]
FORMATS = {".jfif": "JPEG", ".jp2": "JPEG2000"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_of_every_usual_format_are_read(tmp_path, suffix):
    for name, level in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        mode = "RGB" if suffix == ".ppm" else "L"
        colour = (level,) * 3 if mode == "RGB" else level
        Image.new(mode, (8, 8), colour).save(tmp_path / name / f"0{suffix}", FORMATS.get(suffix.lower()))
    images = read_images(tmp_path)
    assert images.counts() == {"a": 1, "b": 1}
    assert abs(int(images.pixels[1].mean()) - 255) < 3
    assert not images.passed_over


@pytest.mark.parametrize("suffix", [".eps", ".png"])
def test_a_picture_that_would_start_an_interpreter_is_not_opened(tmp_path, tiny, suffix):
    put(tiny((3, 3)), tmp_path)
    picture = tmp_path / "normal" / f"x{suffix}"
    Image.new("RGB", (8, 8)).save(picture, "EPS")
    if suffix == ".eps":
        assert read_images(tmp_path).passed_over == {"no picture (.eps)": 1}
    else:
        with pytest.raises(DataError, match="found no image"):
            read_images(tmp_path)


def test_files_of_other_kinds_are_counted_in_one_line(tmp_path, tiny, caplog):
    put(tiny((3, 3)), tmp_path)
    for name in ("a.svg", "b.svg", "c.xcf", "noname", "notes.txt", "labels.xml"):
        (tmp_path / "normal" / name).write_text("x")
    images = read_images(tmp_path)
    expected = {"document": 2, "no picture (.svg)": 2, "no picture (.xcf)": 1, "no picture (no suffix)": 1}
    assert images.passed_over == expected
    assert images.take([0]).passed_over == expected
    (record,) = caplog.records
    assert "passed over 4 files: 2 no picture (.svg), 1 no picture (.xcf)" in record.getMessage()


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "LICENSE", "about.pdf", "Data_Entry.csv"])
def test_documents_are_no_matter_to_speak_of(tmp_path, tiny, caplog, name):
    put(tiny((3, 3)), tmp_path)
    (tmp_path / name).write_text("x")
    assert read_images(tmp_path).passed_over == {"document": 1}
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".svg", ".raw", ".heic", "", ".mha"])
def test_a_class_that_loses_all_its_files_is_an_error(tmp_path, tiny, suffix):
    put(tiny((3, 3)), tmp_path)
    (tmp_path / "third").mkdir()
    for k in range(4):
        (tmp_path / "third" / f"{k}{suffix}").write_bytes(b"0" * 20)
    with pytest.raises(DataError, match=r"no picture among the 4 files of third \(no picture"):
        read_images(tmp_path)
