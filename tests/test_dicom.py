"""DICOM: written files read back, conform and name no patient; foreign files read as a viewer shows them."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from synthaug.augment.dicom import read_dicom, write_dicom
from synthaug.augment.dicom_writer import pseudonym
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import PROVENANCE, LabeledImages, concatenate
from synthaug.augment.stream import ImageStream

CLASSES = ("normal", "a/b \\ Lungenentzündung")
GENERATOR = "0123456789abcdef" * 4
PATIENTS = ("MRN-4711-Smith", "MRN-4712-Jones")
PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"


def images(n: int, *, channels: int = 1, dtype: type = np.uint8, synthetic: bool = False) -> LabeledImages:
    draw = np.random.default_rng(n + channels)
    pixels = draw.integers(0, np.iinfo(dtype).max, (n, channels, 9, 7), dtype=dtype)  # odd: needs padding
    labels = np.arange(n) % 2
    if not synthetic:
        return LabeledImages(pixels, labels, CLASSES, groups=np.array([PATIENTS[k % 2] for k in range(n)]))
    origins = np.array([(GENERATOR.encode(), 7, k // 2) for k in range(n)], PROVENANCE)
    return LabeledImages(pixels, labels, CLASSES, synthetic=np.ones(n, dtype=bool), provenance=origins)


def blend(**kind: object) -> LabeledImages:
    real, made = images(5, **kind), images(4, synthetic=True, **kind)  # type: ignore[arg-type]
    return concatenate([real, made]).take([8, 0, 1, 5, 2, 6, 3, 7, 4])


def export(what: LabeledImages, folder: Path) -> list[Path]:
    write_dicom(ImageStream.of(what), folder)
    return sorted(folder.rglob("*.dcm"))


def foreign(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    """A file as another program might write it."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


# dicom3tools before 2023 does not know Synthetic Data, which the standard has since; any other error counts.
NEWER = (
    "Error - Attribute with an even group number is not a recognized standard attribute - (0x0008,0x001c)  ? "
)

KINDS = [{}, {"dtype": np.uint16}, {"channels": 3}]
kinds = pytest.mark.parametrize("kind", KINDS, ids=["grey 8", "grey 16", "rgb 8"])


class TestOurOwnFiles:
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

    def test_have_no_groups_where_all_are_synthetic(self, tmp_path):
        export(images(2, synthetic=True), tmp_path / "out")
        assert read_dicom(tmp_path / "out").groups is None

    def test_keep_their_depth_when_resized(self, tmp_path):
        sent = images(2, dtype=np.uint16)
        export(sent, tmp_path / "out")
        back = read_dicom(tmp_path / "out", size=7)
        assert (back.pixels == sent.pixels[:, :, 1:8, :]).all()  # the centre square of 9 × 7
        assert read_dicom(tmp_path / "out", size=4).pixels.dtype == np.uint16

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

    @kinds
    @pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
    def test_pass_the_validator_without_an_error(self, tmp_path, kind):
        unknown = LabeledImages(images(1, **kind).pixels, np.zeros(1, np.int64), CLASSES)
        for number, part in enumerate([blend(**kind), unknown]):
            for path in export(part, tmp_path / str(number)):
                said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
                lines = (said.stdout + said.stderr).splitlines()
                assert "SCImage" in lines
                assert [line for line in lines if line.startswith("Error") and line != NEWER] == []

    def test_hold_facts_about_the_whole_set_beside_them(self, tmp_path):
        write_dicom(ImageStream.of(images(1), licence="CC0"), tmp_path / "out")
        assert '"licence": "CC0"' in (tmp_path / "out" / "dataset.json").read_text()
        assert len(read_dicom(tmp_path / "out")) == 1

    def test_may_lie_beside_foreign_files_of_the_same_classes(self, tmp_path):
        made = images(2, synthetic=True)
        export(LabeledImages(made.pixels, made.labels, ("normal", "ill"), made.synthetic), tmp_path / "out")
        foreign(tmp_path / "out" / "ill" / "x.dcm", made.pixels[0, 0], PatientID="P1")
        mixed = read_dicom(tmp_path / "out")
        assert mixed.counts() == {"normal": 1, "ill": 2}
        assert sorted(mixed.groups.tolist()) == [pseudonym("P1"), "synthetic", "synthetic"]

    def test_of_different_classes_are_not_mixed(self, tmp_path):
        export(images(1), tmp_path / "in" / "one")
        export(LabeledImages(images(1).pixels, np.zeros(1, np.int64), ("x", "y")), tmp_path / "in" / "two")
        with pytest.raises(DataError, match="read them one by one"):
            read_dicom(tmp_path / "in")


class TestForeignFiles:
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4

    def test_are_labelled_by_their_class_folder_with_normal_first(self, tmp_path):
        foreign(tmp_path / "abnormal" / "patient 1" / "a.dcm", self.ramp)
        foreign(tmp_path / "Normal" / "b", self.ramp)
        (tmp_path / "README.txt").write_text("not an image")
        back = read_dicom(tmp_path)
        assert back.class_names == ("Normal", "abnormal")
        assert sorted(back.labels.tolist()) == [0, 1]
        assert not back.synthetic.any()
        assert back.groups is None

    def test_in_monochrome1_are_inverted(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", self.ramp, PhotometricInterpretation="MONOCHROME1")
        assert (read_dicom(tmp_path).pixels[0, 0] == 255 - self.ramp).all()

    def test_are_shown_through_their_rescale_and_window(self, tmp_path):
        stored = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
        lut = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400}
        foreign(tmp_path / "c" / "a.dcm", stored, **lut)
        expected = np.clip((stored - 1024.0 - 39.5) / 399 + 0.5, 0, 1) * 255
        assert np.abs(read_dicom(tmp_path).pixels[0, 0] - expected).max() <= 0.5 + 1e-6

    def test_without_a_window_are_scaled_from_minimum_to_maximum(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", np.linspace(900, 1100, 64).astype(np.uint16).reshape(8, 8))
        pixels = read_dicom(tmp_path).pixels
        assert (pixels.min(), pixels.max()) == (0, 255)

    def test_of_different_shapes_are_cropped_and_resized_to_the_shortest_side(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", self.ramp)
        foreign(tmp_path / "c" / "b.dcm", np.full((20, 30), 99, np.uint8))
        back = read_dicom(tmp_path)
        assert back.image_shape == (1, 8, 8)
        assert (back.pixels[0, 0] == self.ramp).all()
        assert (back.pixels[1] == 99).all()

    def test_are_resized_with_antialiasing(self, tmp_path):
        checkerboard = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
        foreign(tmp_path / "c" / "a.dcm", checkerboard)
        centre = read_dicom(tmp_path, size=8).pixels[0, 0, 2:-2, 2:-2]
        assert np.abs(centre.astype(int) - 127).max() <= 2

    def test_have_patients_that_are_hashed_with_a_salt(self, tmp_path, monkeypatch):
        for k, patient in enumerate(["P1", "P2", "P1"]):
            foreign(tmp_path / "c" / f"{k}.dcm", self.ramp, PatientID=patient)
        first, second, third = read_dicom(tmp_path).groups
        assert first == third != second
        assert "P1" not in first
        monkeypatch.setenv("SYNTHAUG_SALT", "secret")
        assert read_dicom(tmp_path).groups[0] != first

    def test_without_patient_id_are_grouped_by_study(self, tmp_path):
        for k, study in enumerate(["2.25.8", "2.25.9", "2.25.8"]):
            foreign(tmp_path / "c" / f"{k}.dcm", self.ramp, StudyInstanceUID=study)
        first, second, third = read_dicom(tmp_path).groups
        assert first == third != second

    @pytest.mark.parametrize(
        ("name", "channels"),
        [
            ("CT_small.dcm", 1),  # signed, rescaled
            ("MR_small_RLE.dcm", 1),
            ("SC_rgb_small_odd.dcm", 3),
            ("SC_rgb_jpeg_dcmtk.dcm", 3),  # YCbCr
            ("SC_rgb_rle_16bit.dcm", 3),
            ("examples_palette.dcm", 3),
        ],
    )
    def test_of_many_kinds_are_readable(self, tmp_path, name, channels):
        if not (PACKAGED / name).exists():
            pytest.skip(f"pydicom comes without {name}")
        (tmp_path / "c").mkdir()
        shutil.copy(PACKAGED / name, tmp_path / "c")
        back = read_dicom(tmp_path, size=32)
        assert back.pixels.shape == (1, channels, 32, 32)
        assert back.pixels.dtype == np.uint8
        assert back.pixels.std() > 20

    def test_from_real_radiographs_look_like_radiographs(self, tmp_path):
        source = Path(os.environ.get("SYNTHAUG_DATA", "/nowhere")) / "dicom"
        if not source.is_dir():
            pytest.skip("SYNTHAUG_DATA has no folder named dicom")
        shutil.copytree(source, tmp_path / "in" / "chest")
        back = read_dicom(tmp_path / "in", size=64)
        assert back.pixels.shape == (2, 1, 64, 64)
        assert len(set(back.groups.tolist())) == 2
        for image in back.pixels[:, 0]:
            spine, lung = image[20:40, 30:34].mean(), image[20:36, 14:22].mean()
            assert spine > lung + 30  # bone is white, air is black


class TestMistakes:
    def test_colour_of_16_bits_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(UsageError, match="16 bits"):
            export(images(1, channels=3, dtype=np.uint16), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_nothing_to_write_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="no image to write"):
            export(images(2).of_class(2), tmp_path / "out")

    def test_a_source_date_epoch_that_is_no_number_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
        with pytest.raises(UsageError, match="yesterday"):
            export(images(1), tmp_path / "out")

    @pytest.mark.parametrize("keep", [0, 100, 200, 600, -10])
    def test_a_truncated_file_is_named_in_one_line(self, tmp_path, keep):
        path = export(images(2), tmp_path / "out")[-1]
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(DataError, match="expected a whole DICOM image") as error:
            read_dicom(tmp_path / "out")
        assert path.name in str(error.value)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("name", ["rtplan.dcm", "MR_truncated.dcm", "no_meta.dcm"])
    def test_a_file_without_a_whole_image_is_named(self, tmp_path, name):
        (tmp_path / "c").mkdir()
        shutil.copy(PACKAGED / name, tmp_path / "c")
        with pytest.raises(DataError, match=name):
            read_dicom(tmp_path)

    def test_several_frames_in_a_file_are_refused(self, tmp_path):
        (tmp_path / "c").mkdir()
        shutil.copy(PACKAGED / "SC_rgb_rle_2frame.dcm", tmp_path / "c")
        with pytest.raises(DataError, match="split the file"):
            read_dicom(tmp_path)

    def test_a_foreign_file_outside_a_class_folder_is_named(self, tmp_path):
        foreign(tmp_path / "a.dcm", TestForeignFiles.ramp)
        with pytest.raises(DataError, match=r"a\.dcm: not in a class folder"):
            read_dicom(tmp_path)

    def test_an_altered_label_is_found(self, tmp_path):
        path = export(images(1), tmp_path / "out")[0]
        path.write_bytes(path.read_bytes().replace(b'"label": 0', b'"label": 9'))
        with pytest.raises(DataError, match="label 9 among 2 classes"):
            read_dicom(tmp_path / "out")

    def test_an_empty_or_missing_folder_is_named(self, tmp_path):
        for folder in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError, match="no DICOM file found") as error:
                read_dicom(folder)
            assert str(folder) in str(error.value)
