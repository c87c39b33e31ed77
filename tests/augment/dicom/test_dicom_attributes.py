"""What stands in a DICOM file that synthaug writes: the class, the description, and nobody's identity."""

import copy
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_exports import CLASSES, DESCRIBED, KINDS, PATIENTS, blend, export, images
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from synthaug.augment.dicom import read_dicom
from synthaug.augment.dicom.codes import FINDINGS
from synthaug.augment.dicom.image import Export, Source, sha256
from synthaug.augment.images import LabeledImages
from synthaug.augment.writing import WriteOptions

IDENTIFIED = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"


def one_of(class_name: str, folder: Path, writing: WriteOptions = WriteOptions()) -> Dataset:
    """A written image of a class."""
    only = LabeledImages(images(1).pixels, np.zeros(1, np.int64), (class_name, "other"))
    return dcmread(export(only, folder, writing)[0])


class TestTheClass:
    @pytest.mark.parametrize(
        ("name", "code", "meaning"),
        [
            ("normal", "17621005", "Normal"),
            ("Abnormal", "263654008", "Abnormal"),
            ("PNEUMONIA", "233604007", "Pneumonia"),
            ("Pleural_Effusion", "60046008", "Pleural effusion"),
        ],
    )
    def test_has_its_snomed_code_and_its_own_word(self, tmp_path, name, code, meaning):
        dataset = one_of(name, tmp_path / "out")
        coded, text = dataset.AcquisitionContextSequence
        assert {item.ConceptNameCodeSequence[0].CodeMeaning for item in (coded, text)} == {"Finding"}
        assert (coded.ValueType, text.ValueType, text.TextValue) == ("CODE", "TEXT", name)
        for item in (coded.ConceptCodeSequence[0], dataset.SeriesDescriptionCodeSequence[0]):
            assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == (code, "SCT", meaning)
        assert dataset.SeriesDescription == name
        assert "CodingSchemeIdentificationSequence" not in dataset

    def test_without_one_has_a_private_code_whose_scheme_is_explained(self, tmp_path):
        dataset = one_of(CLASSES[1], tmp_path / "out")
        coded, text = dataset.AcquisitionContextSequence
        assert coded.ConceptCodeSequence[0].CodingSchemeDesignator == "99SYNTHAUG"
        assert coded.ConceptCodeSequence[0].CodeMeaning == "a/b   Lungenentzündung"  # LO has no backslash
        assert text.TextValue == CLASSES[1]
        (scheme,) = dataset.CodingSchemeIdentificationSequence
        assert scheme.CodingSchemeDesignator == "99SYNTHAUG"

    def test_codes_are_those_of_the_standard_where_it_has_the_concept(self):
        own = {Code("233604007", "SCT", "Pneumonia")}  # SNOMED CT has it, no context group of DICOM does
        known = {getattr(codes.SCT, name) for name in codes.SCT.dir()}
        assert {concept for concept in FINDINGS.values() if concept not in known} == own


class TestTheDescription:
    def test_is_unknown_where_nothing_is_said(self, tmp_path):
        dataset = one_of("normal", tmp_path / "out")
        assert (dataset.Modality, dataset.Laterality) == ("OT", "")
        for keyword in ("BodyPartExamined", "AnatomicRegionSequence", "ImageLaterality", "ViewPosition"):
            assert keyword not in dataset

    def test_is_what_was_said(self, tmp_path):
        dataset = one_of("normal", tmp_path / "out", DESCRIBED)
        assert (dataset.Modality, dataset.BodyPartExamined) == ("DX", "CHEST")
        assert (dataset.ImageLaterality, dataset.ViewPosition) == ("B", "PA")
        assert dataset.AnatomicRegionSequence[0].CodeMeaning == "Chest"
        assert "Laterality" not in dataset  # not beside ImageLaterality (PS3.3 C.7.3.1)

    @pytest.mark.parametrize(("part", "stands"), [("CHEST", False), ("KNEE", True)])
    def test_leaves_a_side_open_only_where_the_part_has_one(self, tmp_path, part, stands):
        assert ("Laterality" in one_of("normal", tmp_path / "out", WriteOptions(body_part=part))) == stands


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("writing", [WriteOptions(), DESCRIBED], ids=["plain", "described"])
def test_every_file_is_the_one_that_highdicom_makes_alone(tmp_path, monkeypatch, kind, writing):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    sent = blend(**kind)
    files = sorted(export(sent, tmp_path / "out", writing), key=lambda path: path.name)
    fingerprint = sha256(np.moveaxis(sent.pixels[0], 0, -1))
    alone = Export(sent.class_names, datetime.fromtimestamp(1700000000, UTC), fingerprint, "", writing)
    for row, path in enumerate(files):
        source = Source.of(sent, row)
        captured = alone.capture(int(sent.labels[row]), source, alone.changing(sent, row, source, row))
        buffer = BytesIO()
        captured.save_as(buffer, enforce_file_format=True)
        assert path.read_bytes() == buffer.getvalue()
    assert len(files) == 9


class TestIdentity:
    def test_is_said_to_be_removed_of_real_images_only(self, tmp_path):
        found = [dcmread(path) for path in export(blend(), tmp_path / "out")]
        for dataset in found:
            assert ("PatientIdentityRemoved" in dataset) == (dataset.SyntheticData == "NO")
            if dataset.SyntheticData == "NO":
                assert dataset.PatientIdentityRemoved == "YES"
                (profile,) = dataset.DeidentificationMethodCodeSequence
                assert (profile.CodeValue, profile.CodingSchemeDesignator) == ("113100", "DCM")
        assert {dataset.SyntheticData for dataset in found} == {"YES", "NO"}

    def test_leaves_the_basic_profile_nothing_but_uids_dates_placeholders_and_the_class(self, tmp_path):
        anonymizer = pytest.importorskip("dicomanonymizer")
        real = [p for p in export(blend(), tmp_path / "out", DESCRIBED) if dcmread(p).SyntheticData == "NO"]
        assert len(real) == 5
        for path in real:
            before = dcmread(path)
            after = copy.deepcopy(before)
            anonymizer.anonymize_dataset(after)
            touched = [item for item in before if item.tag not in after or after[item.tag] != item]
            assert {item.keyword for item in touched if item.VR not in ("UI", "DA", "TM")} == {
                *("PatientName", "PatientID", "StudyID", "TimezoneOffsetFromUTC"),  # placeholders
                *("SeriesDescription", "ImageComments", "AcquisitionContextSequence"),  # the class
            }
            assert [before.PatientName, before.StudyID, before.PatientBirthDate] == [
                "Anonymous^Patient",
                "1",
                "",
            ]
            for item in touched:
                assert not [name for name in PATIENTS if name in str(item.value)]

    def test_of_a_file_that_was_read_does_not_reach_the_one_that_is_written(self, tmp_path):
        """What the basic profile would remove from the original is not in the export."""
        anonymizer = pytest.importorskip("dicomanonymizer")
        (tmp_path / "in" / "normal").mkdir(parents=True)
        original = dcmread(IDENTIFIED)
        original.PatientName, original.InstitutionName = "Jones^Indiana", "Marshall College"
        original.save_as(tmp_path / "in" / "normal" / "a.dcm")
        profile = anonymizer.initialize_actions()
        on_progress = {
            part
            for item in original.iterall()
            if (item.tag.group, item.tag.element) in profile and item.VR not in ("SQ", "OB", "OW")
            for part in str(item.value).split("^")
            if len(part) > 3
        }
        assert {"Jones", "Indiana", "Marshall College", str(original.StudyInstanceUID)} < on_progress
        (path,) = export(read_dicom(tmp_path / "in"), tmp_path / "out")
        written = path.read_bytes()
        assert not [text for text in on_progress if text.encode() in written]
