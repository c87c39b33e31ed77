"""DICOM that others wrote: it reads as a viewer shows it, and what cannot be read is named."""

import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from synthaug.augment.dicom import read_dicom, write_dicom
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.pseudonym import pseudonym
from synthaug.augment.reading import Reading
from synthaug.augment.stream import ImageStream

PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"


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
        centre = read_dicom(tmp_path, Reading(size=8)).pixels[0, 0, 2:-2, 2:-2]
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
        back = read_dicom(tmp_path, Reading(size=32))
        assert back.pixels.shape == (1, channels, 32, 32)
        assert back.pixels.dtype == np.uint8
        assert back.pixels.std() > 20

    def test_from_real_radiographs_look_like_radiographs(self, tmp_path):
        source = Path(os.environ.get("SYNTHAUG_DATA", "/nowhere")) / "dicom"
        if not source.is_dir():
            pytest.skip("SYNTHAUG_DATA has no folder named dicom")
        shutil.copytree(source, tmp_path / "in" / "chest")
        back = read_dicom(tmp_path / "in", Reading(size=64))
        assert back.pixels.shape == (2, 1, 64, 64)
        assert len(set(back.groups.tolist())) == 2
        for image in back.pixels[:, 0]:
            spine, lung = image[20:40, 30:34].mean(), image[20:36, 14:22].mean()
            assert spine > lung + 30  # bone is white, air is black

    def test_may_lie_beside_our_own_of_the_same_classes(self, tmp_path):
        pixels = np.stack([self.ramp, self.ramp.T])[:, None]
        made = LabeledImages(pixels, np.array([0, 1]), ("normal", "ill"), np.ones(2, dtype=bool))
        write_dicom(ImageStream.of(made), tmp_path / "out")
        foreign(tmp_path / "out" / "ill" / "x.dcm", self.ramp, PatientID="P1")
        mixed = read_dicom(tmp_path / "out")
        assert mixed.counts() == {"normal": 1, "ill": 2}
        assert sorted(mixed.groups.tolist()) == [pseudonym("P1"), "synthetic", "synthetic"]


class TestMistakes:
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

    def test_an_empty_or_missing_folder_is_named(self, tmp_path):
        for folder in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError, match="no DICOM file found") as error:
                read_dicom(folder)
            assert str(folder) in str(error.value)
