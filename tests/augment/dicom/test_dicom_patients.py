"""DICOM that others wrote: who its images are of is kept together, kept quiet, and not taken for a class."""

import numpy as np
import pytest
from foreign_dicom import foreign
from pydicom.datadict import dictionary_VR, keyword_for_tag

from synthaug.augment.dicom import read_dicom
from synthaug.augment.dicom.keywords import BINARY, check_keywords
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.reading import ReadOptions

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


class TestGroups:
    def test_are_files_where_nobody_is_known_and_files_have_several_frames(self, tmp_path):
        foreign(tmp_path / "a" / "0.dcm", np.stack([RAMP, RAMP.T]))
        foreign(tmp_path / "b" / "0.dcm", RAMP)
        first, second, third = read_dicom(tmp_path).groups
        assert first == second != third

    def test_are_those_asked_for_whatever_labels_csv_says(self, tmp_path):
        for name, laterality in (("a", "L"), ("b", "R"), ("c", None)):
            foreign(tmp_path / name, RAMP, Laterality=laterality, PatientID="P", StudyInstanceUID="2.25.9")
        (tmp_path / "labels.csv").write_text("file,label,patient_id\na,x,Q\nb,x,Q\nc,x,Q\n")
        assert read_dicom(tmp_path).groups.tolist() == ["Q", "Q", "Q"]
        asked = read_dicom(tmp_path, ReadOptions(group_from="Laterality"))
        assert asked.groups.tolist() == ["L", "R", "unknown"]

    def test_cannot_be_of_an_attribute_that_no_file_has(self, tmp_path):
        foreign(tmp_path / "c" / "a", RAMP, PatientID="P")
        with pytest.raises(DataError, match="--group-from StationName: no file has it"):
            read_dicom(tmp_path, ReadOptions(group_from="StationName"))


class TestAClassNamedAsAPatient:
    @pytest.mark.parametrize(
        ("folder", "attributes"),
        [
            ("MRN-4711", {"PatientID": "mrn 4711"}),
            ("ann_smith", {"PatientName": "Smith^Ann"}),
            ("SmithAnn", {"PatientName": "Smith^Ann"}),
        ],
    )
    def test_is_refused_without_naming_anybody(self, tmp_path, folder, attributes):
        foreign(tmp_path / folder / "a.dcm", RAMP, Modality="CT", **attributes)
        with pytest.raises(DataError, match=r"named as its patient .* --label-from KEYWORD") as error:
            read_dicom(tmp_path, ReadOptions(skip_bad=True))
        assert "\n" not in str(error.value)
        assert folder not in str(error.value)
        assert read_dicom(tmp_path, ReadOptions(label_from="Modality")).class_names == ("CT",)
        (tmp_path / "labels.csv").write_text(f"file,label\n{folder}/a.dcm,well\n")
        assert read_dicom(tmp_path).class_names == ("well",)

    def test_is_no_number_that_happens_to_be_a_patients(self, tmp_path):
        foreign(tmp_path / "1" / "a.dcm", RAMP, PatientID="1")
        assert read_dicom(tmp_path).class_names == ("1",)


class TestLabelFrom:
    @pytest.mark.parametrize(
        "keyword",
        [
            *("PatientComments", "MedicalRecordLocator", "OtherPatientIDs", "PatientAddress", "AdmissionID"),
            *("ReferringPhysicianName", "RequestingService", "InstitutionName", "StationName", "StudyDate"),
            *("IssuerOfPatientID", "StudyInstanceUID", "ClinicalTrialSubjectID", "ImageComments"),
        ],
    )
    def test_is_nothing_that_tells_persons_apart(self, keyword):
        with pytest.raises(UsageError, match=f"--label-from {keyword}: tells one person from another"):
            check_keywords(ReadOptions(label_from=keyword))

    @pytest.mark.parametrize(
        "keyword", ["PatientSex", "PatientAge", "BodyPartExamined", "Modality", "ViewPosition", "KVP"]
    )
    def test_may_be_what_many_share(self, keyword):
        check_keywords(ReadOptions(label_from=keyword))

    def test_allows_of_what_the_confidentiality_profile_removes_descriptions_only(self):
        """PS3.15 Table E.1-1, in groups 0008 to 0040, which describe images and their patients."""
        profile = pytest.importorskip("dicomanonymizer").initialize_actions()
        allowed = set()
        for group, element in (tag[:2] for tag in profile):
            keyword = keyword_for_tag((group, element))
            if not keyword or group > 0x40 or BINARY & set(dictionary_VR((group, element)).split(" or ")):
                continue
            try:
                check_keywords(ReadOptions(label_from=keyword))
                allowed.add(keyword)
            except UsageError:
                pass
        assert allowed == DESCRIPTIONS


DESCRIPTIONS = {
    *("PatientSex", "PatientSexNeutered", "PatientAge", "PatientSize", "PatientWeight"),
    *("EthnicGroup", "PregnancyStatus", "SmokingStatus"),
    *("StudyDescription", "SeriesDescription", "RequestedSeriesDescription", "ModifiedImageDescription"),
    *("AdmittingDiagnosesDescription", "ProtocolName", "ContrastBolusAgent", "LensSpecification"),
    *("AcquisitionFieldOfViewLabel", "AcquisitionDeviceProcessingDescription"),
    *("PyramidDescription", "PyramidLabel", "TimezoneOffsetFromUTC"),
}


class TestTextInPixels:
    def test_is_warned_of_once(self, tmp_path, caplog):
        for k in range(12):
            foreign(tmp_path / "c" / f"{k:02}.dcm", RAMP + np.uint8(k), BurnedInAnnotation="YES")
        foreign(tmp_path / "c" / "clean.dcm", RAMP, BurnedInAnnotation="NO")
        read_dicom(tmp_path)
        (record,) = caplog.records
        for part in ("12 of 13 files", "c/00.dcm, ", "c/09.dcm and 2 more", "text in pixels is not removed"):
            assert part in record.getMessage()


def test_a_window_for_colour_alone_is_refused(tmp_path):
    grey = np.repeat(RAMP, 3).reshape(8, 24)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    foreign(tmp_path / "c" / "a.dcm", grey, Columns=8, **colour)
    with pytest.raises(UsageError, match=r"--window: no image of .* is grey"):
        read_dicom(tmp_path, ReadOptions(window=(40, 400)))
    foreign(tmp_path / "c" / "b.dcm", RAMP)
    assert len(read_dicom(tmp_path, ReadOptions(window=(40, 400)))) == 2


def test_images_made_smaller_by_others_are_warned_of_once(tmp_path, caplog):
    foreign(tmp_path / "c" / "a.dcm", RAMP)
    foreign(tmp_path / "c" / "b.dcm", RAMP[:4, :6])
    assert read_dicom(tmp_path).image_shape == (1, 4, 4)
    (record,) = caplog.records
    assert "1 of 2 files made smaller, to 4×4" in record.getMessage()
    caplog.clear()
    read_dicom(tmp_path, ReadOptions(size=4))
    assert not caplog.records
