"""What lies below a folder of images: links, hidden folders, and files that are none."""

import os

import numpy as np
import pytest
from foreign_dicom import foreign
from picture_folders import put
from PIL import Image

from synthaug.augment.dicom import read_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.reading import ReadOptions

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_a_linked_class_folder_is_read_and_a_loop_ends(tmp_path, tiny):
    put(tiny((3, 2)), tmp_path / "x")
    (tmp_path / "x" / "normal").rename(tmp_path / "elsewhere")
    (tmp_path / "x" / "normal").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "x" / "abnormal" / "up").symlink_to(tmp_path / "x")
    assert read_images(tmp_path / "x").counts() == {"normal": 3, "abnormal": 2}


def test_hidden_folders_are_passed_over_in_dicom_too(tmp_path):
    foreign(tmp_path / "c" / "a.dcm", RAMP)
    foreign(tmp_path / ".Trash" / "a.dcm", RAMP)
    assert read_dicom(tmp_path).class_names == ("c",)


@pytest.mark.parametrize("name", ["IM0", "IM0.DCM"])
def test_a_picture_does_not_hide_the_dicom_beside_it(tmp_path, name):
    foreign(tmp_path / "c" / name, RAMP)
    Image.fromarray(RAMP).save(tmp_path / "c" / "preview.png")
    with pytest.raises(UsageError, match="found pictures and DICOM in it, expected one kind"):
        read_images(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".dcm"])
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_called_an_image_but_is_no_file_is_named_and_skipped_only_where_asked(
    tmp_path, tiny, caplog, suffix, kind
):
    if suffix == ".png":
        put(tiny((2, 2)), tmp_path)
    else:
        for k in range(4):
            foreign(tmp_path / "normal" / f"{k}.dcm", RAMP + np.uint8(k))
    odd = tmp_path / "normal" / f"odd{suffix}"
    if kind == "link":
        odd.symlink_to("/nowhere")
    elif suffix == ".png":
        odd.mkdir()
    else:
        pytest.skip("a folder of DICOM may be called so")
    with pytest.raises(
        DataError, match=rf"odd\{suffix}: expected a whole .*found (no such|No such|a folder)"
    ):
        read_images(tmp_path)
    assert len(read_images(tmp_path, ReadOptions(skip_bad=True))) == 4
    assert f"left 1 of 5 files out as bad: {'' if suffix == '.png' else tmp_path}" in caplog.text
    assert f"odd{suffix} (" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path, tiny):
    put(tiny((2, 2)), tmp_path)
    (tmp_path / "normal" / "000.png").chmod(0)
    with pytest.raises(
        DataError, match=r"000\.png: expected a whole image, found a file that may not be read"
    ):
        read_images(tmp_path)


def test_a_single_dicom_file_is_told_to_be_one(tmp_path):
    path = foreign(tmp_path / "c" / "a.dcm", RAMP)
    with pytest.raises(DataError, match="a single file, expected the folder"):
        read_images(path)
