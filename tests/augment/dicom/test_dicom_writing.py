"""DICOM that synthaug writes: it reads back and names no patient."""

from dataclasses import replace

import numpy as np
import pytest
from dicom_exports import CLASSES, DESCRIBED, GENERATOR, KINDS, PATIENTS, blend, export, images
from pydicom import dcmread

from synthaug.augment.dicom import read_dicom, write_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


class TestOurOwnFiles:
    def test_are_synthetic_where_their_generator_is_noted_whatever_became_of_the_flag(self, tmp_path):
        export(images(2, synthetic=True), tmp_path / "out")
        for path in (tmp_path / "out").rglob("*.dcm"):
            dataset = dcmread(path)
            del dataset.SyntheticData
            dataset.save_as(path)
        assert read_dicom(tmp_path / "out").synthetic.all()

    @kinds
    @pytest.mark.parametrize("make", [blend, lambda **kind: images(6, synthetic=True, **kind)])
    def test_give_back_what_was_written(self, tmp_path, kind, make):
        sent = make(**kind)
        export(sent, tmp_path / "out")
        back = read_dicom(tmp_path / "out")
        assert back.digest() == sent.digest()
        assert back.pixels.dtype == sent.pixels.dtype
        assert back.synthetic.tolist() == sent.synthetic.tolist()
        assert back.provenance is not None
        assert back.provenance.tolist() == sent.provenance.tolist()

    def test_keep_who_belongs_together_but_not_who_it_is(self, tmp_path):
        files = export(blend(), tmp_path / "out")
        for path in files:
            for identifier in (*PATIENTS, "MRN", "Smith", "Jones"):
                assert identifier.encode() not in path.read_bytes()
        expected = ["synthetic" if name == "synthetic" else pseudonym(name) for name in blend().groups]
        assert read_dicom(tmp_path / "out").groups.tolist() == expected

    def test_keep_patients_apart_through_a_second_export(self, tmp_path):
        export(images(4), tmp_path / "one")
        first = read_dicom(tmp_path / "one")
        export(first, tmp_path / "two")
        assert read_dicom(tmp_path / "two").groups.tolist() == first.groups.tolist()

    def test_keep_which_split_each_image_is_of(self, tmp_path):
        split = np.array(["train", "test", "val", "train", "test", "val", "train", "test", "val"])
        export(replace(blend(), split=split), tmp_path / "out")
        assert read_dicom(tmp_path / "out").split.tolist() == split.tolist()

    def test_have_no_groups_where_all_are_synthetic(self, tmp_path):
        export(images(2, synthetic=True), tmp_path / "out")
        assert read_dicom(tmp_path / "out").groups is None

    def test_keep_their_depth_when_resized(self, tmp_path):
        sent = images(2, dtype=np.uint16)
        export(sent, tmp_path / "out")
        back = read_dicom(tmp_path / "out", ReadOptions(size=7))
        assert (back.pixels == sent.pixels[:, :, 1:8, :]).all()  # the centre square of 9 × 7
        assert read_dicom(tmp_path / "out", ReadOptions(size=4)).pixels.dtype == np.uint16

    def test_remember_a_class_without_images(self, tmp_path):
        export(images(4).of_class(1), tmp_path / "out")
        assert read_dicom(tmp_path / "out").counts() == {CLASSES[0]: 0, CLASSES[1]: 2}

    def test_say_that_they_are_synthetic_and_who_made_them(self, tmp_path):
        dataset = dcmread(export(images(1, synthetic=True), tmp_path / "out")[0])
        assert (dataset.SyntheticData, dataset.ConversionType) == ("YES", "SYN")
        assert list(dataset.ImageType) == ["DERIVED", "SECONDARY"]
        assert dataset.PatientID == "SYNTHETIC-0123456789ab"
        assert dataset.SeriesDescription == "normal"
        maker = dataset.ContributingEquipmentSequence[0]
        assert maker.DeviceSerialNumber == GENERATOR
        purpose = maker.PurposeOfReferenceCodeSequence[0]
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109100", "DCM")

    def test_say_that_real_images_are_real(self, tmp_path):
        dataset = dcmread(export(images(1), tmp_path / "out")[0])
        assert (dataset.SyntheticData, dataset.ConversionType) == ("NO", "WSD")
        assert "Synthesizing Equipment" not in str(dataset.ContributingEquipmentSequence)

    def test_are_the_same_bytes_twice_under_source_date_epoch(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        one, two = export(blend(), tmp_path / "one"), export(blend(), tmp_path / "two")
        assert [path.name for path in one] == [path.name for path in two]
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
        assert dcmread(one[0]).InstanceCreationDate == "20231114"

    def test_have_unique_uids_even_where_an_image_occurs_twice(self, tmp_path):
        files = export(concatenate([blend(), images(5)]), tmp_path / "out")
        assert len({dcmread(path).SOPInstanceUID for path in files}) == len(files) == 14

    def test_have_one_patient_in_a_study_and_one_class_in_a_series(self, tmp_path):
        found = [dcmread(path) for path in export(blend(), tmp_path / "out")]
        assert len({(file.StudyInstanceUID, file.PatientID) for file in found}) == 3
        assert len({file.StudyInstanceUID for file in found}) == 3
        classes = {(file.SeriesInstanceUID, file.SeriesDescription) for file in found}
        assert len(classes) == len({file.SeriesInstanceUID for file in found})

    def test_have_synthetic_uids_that_do_not_depend_on_what_else_is_exported(self, tmp_path):
        alone = dcmread(export(blend().take([0]), tmp_path / "one")[0])
        among = {dcmread(path).SOPInstanceUID for path in export(blend(), tmp_path / "two")}
        assert alone.SOPInstanceUID in among

    def test_have_other_uids_in_another_set_and_under_another_class(self, tmp_path):
        one, other = images(4), images(4)
        pixels = other.pixels[[1, 1, 2, 3]]  # the first differs, so that it is another set
        sets = {
            "one": one,
            "other": replace(other, pixels=pixels),
            "names": replace(one, class_names=("well", "ill")),
            "patients": replace(one, groups=np.array(["P", "P", "Q", "Q"])),
        }
        uids = [dcmread(path).SOPInstanceUID for k in sets for path in export(sets[k], tmp_path / k)]
        assert len(set(uids)) == 16

    @pytest.mark.parametrize("make", [images, lambda n: images(n, synthetic=True)], ids=["real", "made"])
    def test_have_other_uids_where_anything_is_said_otherwise(self, tmp_path, make):
        sent = make(4)
        darker = replace(sent, pixels=sent.pixels // 2)
        divided = replace(sent, split=np.full(4, "train"))
        found = []
        for k, (what, writing) in enumerate(
            [(sent, WriteOptions()), (darker, WriteOptions()), (divided, WriteOptions()), (sent, DESCRIBED)]
        ):
            files = [dcmread(path) for path in export(what, tmp_path / f"{k}", writing)]
            found.append({file.SOPInstanceUID for file in files})
            again = export(what, tmp_path / f"{k}-again", replace(writing, jobs=1))
            assert {dcmread(path).SOPInstanceUID for path in again} == found[-1]
            series = {file.SeriesInstanceUID for file in files}
        assert len(set.union(*found)) == 16
        assert not series & {dcmread(path).SeriesInstanceUID for path in (tmp_path / "0").rglob("*.dcm")}

    def test_have_other_uids_where_the_gate_found_something_else(self, tmp_path):
        for found in ("passed", "not checked"):
            made = ImageStream.of(images(1, synthetic=True), memorization_gate=found)
            write_dicom(made, tmp_path / found)
        uids = {dcmread(path).SOPInstanceUID for path in tmp_path.rglob("*.dcm")}
        assert len(uids) == 2

    def test_hold_facts_about_the_whole_set_beside_them(self, tmp_path):
        write_dicom(ImageStream.of(images(1), licence="CC0"), tmp_path / "out")
        assert '"licence": "CC0"' in (tmp_path / "out" / "dataset.json").read_text()
        assert len(read_dicom(tmp_path / "out")) == 1

    def test_of_different_classes_are_not_mixed(self, tmp_path):
        export(images(1), tmp_path / "in" / "one")
        export(LabeledImages(images(1).pixels, np.zeros(1, np.int64), ("x", "y")), tmp_path / "in" / "two")
        with pytest.raises(DataError, match="read them one by one"):
            read_dicom(tmp_path / "in")


class TestMistakes:
    @pytest.mark.parametrize(
        ("wrong", "what_to_do"),
        [
            ({"modality": "XRAY"}, "--modality XRAY: expected a term of DICOM, such as CR"),
            ({"body_part": "CHESTT"}, "--body-part CHESTT: expected a term .* such as CHEST"),
            ({"body_part": "thorax"}, "--body-part thorax: expected a term .* such as THORAX"),
            ({"laterality": "left"}, "--laterality left: expected R .right., L .left. or B"),
            ({"view": "p.a."}, "--view p.a.: expected up to 16 capitals"),
        ],
    )
    def test_a_term_that_dicom_does_not_know_is_refused(self, tmp_path, wrong, what_to_do):
        with pytest.raises(UsageError, match=what_to_do):
            export(images(1), tmp_path / "out", WriteOptions(**wrong))
        assert not (tmp_path / "out").exists()

    def test_colour_of_16_bits_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(UsageError, match="16 bits"):
            export(images(1, channels=3, dtype=np.uint16), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_class_names_too_long_for_the_note_are_refused(self, tmp_path):
        sent = LabeledImages(images(1).pixels, np.zeros(1, np.int64), ("x" * 6000,))
        with pytest.raises(UsageError, match="too long for DICOM"):
            export(sent, tmp_path / "out")

    def test_nothing_to_write_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="no image to write"):
            export(images(2).of_class(2), tmp_path / "out")

    @pytest.mark.parametrize("epoch", ["yesterday", "99999999999999", "9" * 30])
    def test_a_source_date_epoch_that_is_no_date_is_named(self, tmp_path, monkeypatch, epoch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        with pytest.raises(UsageError, match=epoch):
            export(images(1), tmp_path / "out")

    @pytest.mark.parametrize("keep", [0, 100, 200, 600, -10])
    def test_a_truncated_file_is_named_in_one_line(self, tmp_path, keep):
        path = export(images(2), tmp_path / "out")[-1]
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(DataError, match="expected a whole DICOM image") as error:
            read_dicom(tmp_path / "out")
        assert path.name in str(error.value)
        assert "\n" not in str(error.value)

    def test_an_altered_label_is_found(self, tmp_path):
        path = export(images(1), tmp_path / "out")[0]
        path.write_bytes(path.read_bytes().replace(b'"label": 0', b'"label": 9'))
        with pytest.raises(DataError, match="label 9 among 2 classes"):
            read_dicom(tmp_path / "out")
