"""The index of a folder of DICOM files is one that other programs can follow."""

import gc
import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from debian import debian_package
from dicom3tools_programs import dicom3tools_program
from dicom_exports import CLASSES, blend, export, images
from pydicom import dcmread
from pydicom.fileset import FileSet

from synthaug.augment.dicom import read_dicom
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.writing import WriteOptions

INDEXED = WriteOptions(dicomdir=True, modality="CR")


KEYS = (
    *("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID", "Modality"),
    *("SeriesNumber", "SOPInstanceUID", "InstanceNumber"),
)


def listed(folder: Path) -> list[tuple[str, dict[str, str]]]:
    """(path, keys) of every image that pydicom finds in the index."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # a FileSet leaves its scratch folder to the collector
        index = FileSet(folder / "DICOMDIR")
        found = [(str(one.path), {key: str(one[key].value) for key in KEYS}) for one in index]
        del index
        gc.collect()
    return found


def test_lists_every_file_under_its_patient_study_and_series(tmp_path):
    files = export(blend(), tmp_path / "out", INDEXED)
    found = listed(tmp_path / "out")
    assert sorted(path for path, _ in found) == [str(path) for path in files if path.name != "DICOMDIR"]
    for path, keys in found:
        dataset = dcmread(path)
        assert keys == {key: str(dataset[key].value) for key in KEYS}
    assert len({keys["PatientID"] for _, keys in found}) == 3
    assert len({keys["StudyInstanceUID"] for _, keys in found}) == 3


def test_names_its_files_as_media_need_it(tmp_path):
    names = ("DICOMDIR", "dicomdir", "Lungenentzündung rechts", "Lungenentzündung links", "!")
    five = LabeledImages(images(5).pixels, np.arange(5), names)
    files = export(five, tmp_path / "out", INDEXED)
    parts = [path.relative_to(tmp_path / "out").parts for path in files]
    assert all(re.fullmatch("[A-Z0-9_]{1,8}", part) for file in parts for part in file)
    assert len({file[0] for file in parts}) == 6  # five classes and the index itself
    back = read_dicom(tmp_path / "out")
    assert (back.digest(), back.class_names) == (five.digest(), names)


def test_lists_an_image_that_occurs_twice_once(tmp_path):
    once = images(2, synthetic=True)
    export(concatenate([once, once]), tmp_path / "out", INDEXED)
    assert len(listed(tmp_path / "out")) == 2


def test_gives_patients_without_an_id_one(tmp_path):
    unknown = LabeledImages(images(2).pixels, np.arange(2), CLASSES)
    export(unknown, tmp_path / "out", INDEXED)
    assert [keys["PatientID"] for _, keys in listed(tmp_path / "out")] == ["UNKNOWN"] * 2


def test_is_the_same_bytes_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, two = (export(blend(), tmp_path / name, INDEXED) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_is_only_there_when_asked_for(tmp_path):
    export(blend(), tmp_path / "out")
    assert not (tmp_path / "out" / "DICOMDIR").exists()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["dciodvfy"], id="dciodvfy"),
        pytest.param(["dcmftest"], id="dcmftest", marks=pytest.mark.slow),
        pytest.param(["dcmdump", "-q"], id="dcmdump", marks=pytest.mark.slow),
    ],
)
def test_passes_the_validators(tmp_path, command):
    if command == ["dciodvfy"]:
        command = [dicom3tools_program("dciodvfy")]
    else:
        debian_package("dcmtk")
    export(blend(), tmp_path / "out", INDEXED)
    done = subprocess.run(
        [*command, tmp_path / "out" / "DICOMDIR"], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0
    assert not [line for line in lines if line.startswith(("Error", "E:", "no:", "Warning"))]
    assert dcmread(tmp_path / "out" / "DICOMDIR").file_meta.MediaStorageSOPClassUID.name.startswith("Media")
