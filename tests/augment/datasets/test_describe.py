"""How a data set is understood can be looked at before anything is trained on it."""

import numpy as np
import pytest
from picture_folders import put
from PIL import Image

from synthaug.augment.datasets.describe import COLUMNS, TILE, describe


@pytest.mark.parametrize("wide", [False, True])
def test_a_folder_is_shown_as_training_would_have_it(tmp_path, tiny, wide):
    put(tiny((20, 20, 20), class_names=("a", "b", "c"), side=16), tmp_path / "x")
    (tmp_path / "x" / "a" / "note.svg").write_text("x")
    if wide:
        Image.fromarray(np.zeros((8, 30), np.uint8)).save(tmp_path / "x" / "a" / "wide.png")
    found = describe(str(tmp_path / "x"))
    facts = found.as_dict()
    assert facts["format"] == "folder"
    assert [sum(counts.values()) for counts in facts["classes"].values()] == [20 + wide, 20, 20]
    assert facts["images"] == 60 + wide
    assert (facts["split"], facts["patients"], facts["bits"]) == ("drawn here", None, 8)
    assert facts["passed_over"] == {"no picture (.svg)": 1}
    found.write_contact_sheet(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (COLUMNS * TILE, 3 * TILE)


def test_a_named_data_set_is_shown_too():
    facts = describe("phantom:n=60").as_dict()
    assert (facts["format"], list(facts["classes"])) == ("named", ["normal", "abnormal"])
