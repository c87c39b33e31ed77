"""Other people's validators find no error in what is written, and show the class."""

import json
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pydicom
import pytest
from debian import debian_package
from dicom3tools_programs import dicom3tools_program
from dicom_exports import CLASSES, DESCRIBED, KINDS, export, images

from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions


def exported(n: int, folder: Path) -> list[Path]:
    """At least `n` files: grey and RGB from 8 and 16 bits, real and synthetic, described and not."""
    kinds = KINDS | {"rgb 16": {"channels": 3, "dtype": np.uint16}}  # which is written with 8, and a warning
    for name, kind in kinds.items():
        for writing in (WriteOptions(), DESCRIBED):
            for synthetic in (True, False):
                made = ImageStream.of(images(-(-n // 16), synthetic=synthetic, **kind))
                place = folder / name / writing.modality / str(synthetic)
                write_images(made, place, format="dicom", writing=writing)
    return sorted(folder.rglob("*.dcm"))


def errors_of(path: Path) -> list[str]:
    command = [dicom3tools_program("dciodvfy"), path]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert "SCImage" in lines  # it looked
    return [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize("n", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_file_has_an_error(tmp_path, n):
    files = exported(n, tmp_path)
    assert len(files) >= n
    assert {path: errors for path in files if (errors := errors_of(path))} == {}


@pytest.mark.slow
def test_dcmtk_reads_every_file(tmp_path):
    debian_package("dcmtk")
    files = exported(40, tmp_path)
    tested = subprocess.run(["dcmftest", *files], capture_output=True, text=True, check=False)
    assert tested.returncode == 0
    assert [line.split(":")[0] for line in tested.stdout.splitlines()] == ["yes"] * len(files)
    dumped = subprocess.run(["dcmdump", "-q", *files], capture_output=True, text=True, check=False)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert dumped.stdout.count("# Dicom-Data-Set") == len(files)


EXTENDED = ("acquisition-context", "cr-series")  # class and view: a Standard Extended SOP Class (PS3.2)


def tables_of_the_standard() -> dict[str, set[str]]:
    """Attributes of a Secondary Capture Image (PS3.3) and EXTENDED, by the sequences they stand in."""
    folder = files("highdicom") / "_standard"
    of_image, of_module = (
        json.loads((folder / f"{name}_map.json").read_text()) for name in ("iod_module", "module_attribute")
    )
    known: dict[str, set[str]] = {}
    for module in [*(module["key"] for module in of_image["secondary-capture-image"]), *EXTENDED]:
        for attribute in of_module[module]:
            known.setdefault("/".join(attribute["path"]), set()).add(attribute["keyword"])
    return known


def attributes(dataset: pydicom.Dataset, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every attribute with the sequences it stands in."""
    for element in dataset:
        yield "/".join(path), element.keyword
        for item in element.value if element.VR == "SQ" else ():
            yield from attributes(item, (*path, element.keyword))


def test_every_attribute_is_in_the_standards_tables_synthetic_data_among_them(tmp_path):
    known = tables_of_the_standard()
    for path in exported(12, tmp_path):
        found = set(attributes(pydicom.dcmread(path)))
        assert ("", "SyntheticData") in found
        assert {(where, name) for where, name in found if name not in known.get(where, ())} == set()


@pytest.mark.parametrize("part", ["CHEST", "KNEE", "HEAD", "HAND"])
def test_a_body_part_of_unknown_side_is_no_error(tmp_path, part):
    for path in export(images(2, synthetic=True), tmp_path / part, WriteOptions(body_part=part)):
        assert errors_of(path) == []


def test_images_without_a_patient_or_a_generator_have_no_error(tmp_path):
    for synthetic in (False, True):
        made = LabeledImages(images(2).pixels, np.arange(2), CLASSES, np.full(2, synthetic))
        for path in export(made, tmp_path / str(synthetic)):
            assert errors_of(path) == []


def test_patients_studies_and_series_agree_in_all_files_of_an_export(tmp_path):
    for synthetic in (False, True):
        files = export(images(12, synthetic=synthetic), tmp_path / str(synthetic), DESCRIBED)
        command = [dicom3tools_program("dcentvfy"), *files]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.slow
def test_other_readers_show_the_class(tmp_path):
    debian_package("dcmtk")
    (path,) = export(images(1), tmp_path / "out")
    shown = subprocess.run(["dcmdump", "-q", path], capture_output=True, text=True, check=True).stdout
    assert "(0040,a160) UT [normal]" in shown
    assert "SH [17621005]" in shown
