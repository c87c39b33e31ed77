"""Patients appear in files under names that give nobody away, another one in each data set's files."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from foreign_dicom import foreign

from synthaug.augment.dicom import read_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import Splits
from synthaug.augment.pseudonym import of_same_patients, pseudonym, salt_of, without_names
from synthaug.augment.splits import draw_splits
from synthaug.augment.stream import ImageStream


@pytest.fixture
def salts(tmp_path, monkeypatch):
    """A user without a salt of his own; where those made for him are kept."""
    monkeypatch.delenv("SYNTHAUG_SALT")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "synthaug" / "salts"


def test_a_pseudonym_stays_as_it_is():
    assert pseudonym(pseudonym("P1", "a"), "b") == pseudonym("P1", "a") != pseudonym("P1", "b")


class TestSalts:
    def test_are_random_kept_and_for_the_users_eyes_only(self, salts):
        assert salt_of("clinic") == salt_of("clinic") != salt_of("other")
        assert len(salt_of("clinic")) == 64
        files = list(salts.iterdir())
        assert len(files) == 2
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}

    def test_are_the_users_own_where_he_sets_one(self, salts, monkeypatch):
        monkeypatch.setenv("SYNTHAUG_SALT", "secret")
        assert salt_of("clinic") == salt_of("other") == "secret"
        assert not salts.exists()

    def test_that_cannot_be_kept_are_an_error_in_one_line(self, salts):
        salts.parent.mkdir(parents=True)
        salts.write_text("a file where the folder should be")
        with pytest.raises(UsageError, match="set SYNTHAUG_SALT"):
            salt_of("clinic")

    def test_are_not_made_where_nobody_is_to_be_hidden(self, salts, tiny):
        without_names(tiny((2, 2), synthetic=True), "x")
        without_names(replace(tiny((1, 1)), groups=np.array(["synthetic", pseudonym("P", "s")])), "x")
        assert not salts.exists()


@pytest.mark.usefixtures("salts")
class TestPatients:
    def test_are_called_the_same_in_every_file_of_a_data_set_and_otherwise_in_another(self, tmp_path, tiny):
        images = tiny((3, 3), patients=1)
        for file, origin in (("a", "clinic"), ("b", "clinic"), ("c", "other")):
            write_images(replace(ImageStream.of(images), origin=origin), tmp_path / f"{file}.h5")
        groups = []
        for file in "abc":
            with h5py.File(tmp_path / f"{file}.h5") as written:
                groups.append(written["groups"].asstr()[:].tolist())
        assert groups[0] == groups[1]
        assert not set(groups[0]) & set(groups[2])
        assert all(name.startswith("anon-") for name in groups[0] + groups[2])

    def test_are_split_alike_whatever_the_salt(self, tmp_path, monkeypatch):
        for k in range(40):
            foreign(tmp_path / "in" / "ab"[k % 2] / f"{k}", np.full((4, 4), k, np.uint8), PatientID=f"P{k}")
        drawn = []
        for salt in ("one", "another"):
            monkeypatch.setenv("SYNTHAUG_SALT", salt)
            drawn.append(draw_splits(read_dicom(tmp_path / "in"), "in").test.pixels[:, 0, 0, 0].tolist())
        assert drawn[0] == drawn[1]

    def test_are_known_again_behind_pseudonyms_that_were_made_here(self):
        raw = np.array(["P1", "P2", "synthetic", "P3"])
        hidden = np.array(
            [pseudonym("P2", salt_of("clinic")), "synthetic", pseudonym("P3", salt_of("other"))]
        )
        assert of_same_patients(raw, hidden).tolist() == [False, True, False, True]
        assert of_same_patients(hidden, raw[:2]).tolist() == [True, False, False]
        assert of_same_patients(raw, raw[2:]).tolist() == [False, False, False, True]
        assert of_same_patients(hidden, hidden[:1]).tolist() == [True, False, False]

    def test_are_not_named_by_the_error_that_finds_them_in_two_splits(self, tiny):
        images = tiny((3, 3), patients=1)
        with pytest.raises(DataError, match="in both train and test, the first is anon-") as error:
            Splits(images.take([0, 1, 2]), images.take([3]), images.take([4, 5, 0]), name="clinic")
        assert "P0-0" not in str(error.value)
