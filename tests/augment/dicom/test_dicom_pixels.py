"""The pixels of DICOM are shown as the standard says, of every kind and compression."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign_dicom import PACKAGED, foreign, item, packaged, shown
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_windowing

from synthaug.augment.dicom import read_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.grey import luma
from synthaug.augment.reading import ReadOptions

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
DEEP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50


def linear(levels, center, width, top=255):
    """PS3.3 C.11.2.1.2.1, word for word."""
    x = levels.astype(float)
    inside = ((x - (center - 0.5)) / (width - 1) + 0.5) * top
    below, above = x <= center - 0.5 - (width - 1) / 2, x > center - 0.5 + (width - 1) / 2
    return np.where(below, 0, np.where(above, top, inside))


def near(found, expected):
    """Rounded to the next level, computed in single precision."""
    return np.abs(found - expected).max() <= (0.5 + 1e-4 if found.dtype == np.uint8 else 0.51)


class TestGrey:
    def test_in_monochrome1_is_inverted(self, tmp_path):
        assert (shown(tmp_path, RAMP, PhotometricInterpretation="MONOCHROME1") == 255 - RAMP).all()

    def test_is_shown_through_its_rescale_and_window(self, tmp_path):
        found = shown(
            tmp_path, DEEP, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400
        )
        assert near(found, linear(DEEP - 1024.0, 40, 400))

    def test_of_negative_values_is_shown_through_its_window(self, tmp_path):
        signed = DEEP.astype(np.int16) - 1000
        found = shown(tmp_path, signed, WindowCenter=[-500, 1], WindowWidth=[300, 1])  # the first of two
        assert near(found, linear(signed, -500, 300))

    def test_is_shown_in_the_window_asked_for_in_the_place_of_its_own(self, tmp_path):
        reading = ReadOptions(window=(500, 200))
        lut = item(LUTDescriptor=[2, 0, 8], LUTData=b"\0\xff")
        found = shown(tmp_path, DEEP, reading, WindowCenter=9, WindowWidth=9, VOILUTSequence=[lut])
        assert near(found, linear(DEEP, 500, 200))

    @pytest.mark.parametrize("window", ["nan,400", "40,inf", "40,nan", "-inf,400", "40,0"])
    def test_is_shown_in_no_window_that_is_none(self, window):
        center, width = map(float, window.split(","))
        with pytest.raises(UsageError, match=f"--window {window}: expected two numbers"):
            ReadOptions(window=(center, width))

    def test_in_a_window_of_width_one_is_black_or_white(self, tmp_path):
        found = shown(tmp_path, DEEP, WindowCenter=500, WindowWidth=1)
        assert (found == np.where(DEEP > 499.5, 255, 0)).all()

    @pytest.mark.parametrize(
        ("function", "expected"),
        [
            ("LINEAR_EXACT", lambda x: np.clip((x - 1000) / 800 + 0.5, 0, 1) * 255),
            ("SIGMOID", lambda x: 255 / (1 + np.exp(-4 * (x - 1000) / 800))),
        ],
    )
    def test_is_shown_through_the_other_functions_of_windows(self, tmp_path, function, expected):
        found = shown(tmp_path, DEEP, WindowCenter=1000, WindowWidth=800, VOILUTFunction=function)
        assert near(found, expected(DEEP.astype(float)))

    def test_goes_through_lookup_tables_and_stays_at_their_ends(self, tmp_path):
        modality = item(LUTDescriptor=[3151, 0, 16], LUTData=(np.arange(3151) * 2).astype("<u2").tobytes())
        modality.ModalityLUTType = "US"
        curve = np.linspace(0, 4095, 1000).astype("<u2")
        voi = item(LUTDescriptor=[1000, 500, 12], LUTData=curve.tobytes())
        found = shown(tmp_path, DEEP, ModalityLUTSequence=[modality], VOILUTSequence=[voi])
        assert near(found, curve[np.clip(DEEP.astype(int) * 2 - 500, 0, 999)] / 4095 * 255)

    def test_of_eight_bits_and_no_window_keeps_the_range_that_can_be_stored(self, tmp_path):
        assert (shown(tmp_path / "a", RAMP // 2) == RAMP // 2).all()
        same = shown(tmp_path / "b", RAMP // 2, RescaleSlope=1, RescaleIntercept=0)
        assert (same == RAMP // 2).all()
        six = shown(tmp_path / "c", RAMP // 8, BitsStored=6, HighBit=5)
        assert near(six, RAMP // 8 / 63 * 255)
        signed = shown(tmp_path / "d", (RAMP // 4).astype(np.int8))
        assert near(signed, RAMP // 4 + 128.0)

    def test_of_more_bits_and_no_window_is_shown_from_minimum_to_maximum(self, tmp_path):
        found = shown(tmp_path, np.linspace(900, 1100, 64).astype(np.uint16).reshape(8, 8))
        assert (found.min(), found.max()) == (0, 255)

    def test_does_not_count_what_only_fills_the_rectangle_up(self, tmp_path):
        signed = np.linspace(900, 1100, 64).astype(np.int16).reshape(8, 8)
        signed[0] = -2000
        found = shown(tmp_path, signed, PixelPaddingValue=-2000)
        assert (found[0] == 0).all()
        assert found[1:].min() == 0
        assert near(found[1:], (signed[1:] - signed[1:].min()) / np.ptp(signed[1:]) * 255)

    def test_all_the_same_is_black(self, tmp_path):
        assert (shown(tmp_path, np.full((8, 8), 700, np.uint16)) == 0).all()


class TestSixteenBits:
    def test_are_finer_steps_of_the_same_range(self, tmp_path):
        found = shown(tmp_path, DEEP, ReadOptions(bits=16), WindowCenter=1500, WindowWidth=2000)
        assert found.dtype == np.uint16
        assert near(found, linear(DEEP, 1500, 2000, 65535))

    def test_of_eight_stored_are_stretched(self, tmp_path):
        assert (shown(tmp_path, RAMP, ReadOptions(bits=16)) == RAMP * np.uint16(257)).all()

    def test_survive_resizing(self, tmp_path):
        wide = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
        found = shown(tmp_path, wide, ReadOptions(bits=16, size=16))
        assert len(np.unique(found)) == 256


class TestSquares:
    wide = np.full((8, 24), 200, np.uint8)

    def test_are_cropped_from_the_centre(self, tmp_path):
        wide = self.wide.copy()
        wide[:, :8] = wide[:, 16:] = 0
        assert (shown(tmp_path, wide, ReadOptions(size=4)) == 200).all()

    @pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
    def test_are_padded_with_black(self, tmp_path, photometric):
        found = shown(
            tmp_path, self.wide, ReadOptions(size=12, fit="pad"), PhotometricInterpretation=photometric
        )
        assert found.shape == (12, 12)
        assert (found[:4] == 0).all()
        assert (found[4:8] == (200 if photometric == "MONOCHROME2" else 55)).all()
        assert (found[8:] == 0).all()

    def test_are_resized_with_antialiasing(self, tmp_path):
        checkerboard = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
        centre = shown(tmp_path, checkerboard, ReadOptions(size=8))[2:-2, 2:-2]
        assert np.abs(centre.astype(int) - 127).max() <= 2

    @pytest.mark.parametrize(("fit", "side"), [("crop", 8), ("pad", 24)])
    def test_of_different_shapes_get_the_shortest_side(self, tmp_path, fit, side):
        foreign(tmp_path / "c" / "a.dcm", self.wide)
        foreign(tmp_path / "c" / "b.dcm", np.full((30, 30), 99, np.uint8))
        back = read_dicom(tmp_path, ReadOptions(fit=fit))
        assert back.image_shape == (1, side, side)
        assert (back.pixels[1] == 99).all()


class TestFrames:
    def test_are_images_of_one_patient_and_class(self, tmp_path):
        frames = np.stack([RAMP, RAMP.T, RAMP[::-1]])
        foreign(tmp_path / "normal" / "a.dcm", frames, PatientID="P1")
        foreign(tmp_path / "ill" / "b.dcm", RAMP, PatientID="P2")
        back = read_dicom(tmp_path)
        assert (back.pixels[1:, 0] == frames).all()
        assert back.labels.tolist() == [1, 0, 0, 0]
        assert back.groups.tolist() == ["P2", "P1", "P1", "P1"]

    def test_have_their_own_rescale_and_window_in_functional_groups(self, tmp_path):
        def groups(**macros):
            return item(**{name: [item(**values)] for name, values in macros.items()})

        windows = [{"WindowCenter": 40, "WindowWidth": 400}, {"WindowCenter": -600, "WindowWidth": 1500}]
        found = shown(
            tmp_path,
            np.stack([DEEP, DEEP]),
            RescaleSlope=7,  # the image's own, which the frames' go before
            SharedFunctionalGroupsSequence=[
                groups(PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": -1024})
            ],
            PerFrameFunctionalGroupsSequence=[groups(FrameVOILUTSequence=window) for window in windows],
        )
        assert near(found[0], linear(DEEP - 1024.0, 40, 400))
        assert near(found[1], linear(DEEP - 1024.0, -600, 1500))


class TestFilesOfPydicom:
    @pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
    def test_are_shown_as_its_own_functions_show_them(self, tmp_path, name):
        dataset = dcmread(PACKAGED / name)
        levels = apply_windowing(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        assert (dataset.BitsStored, dataset.PixelRepresentation) == (16, 1)
        expected = (levels + 2**15) / (2**16 - 1) * 255
        assert near(packaged(name, tmp_path).pixels[0, 0], expected)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("MR_small.dcm", "MR_small_RLE.dcm"),
            ("MR_small.dcm", "MR_small_padded.dcm"),
            ("MR_small.dcm", "MR_small_expb.dcm"),
            ("MR_small.dcm", "MR_small_jp2klossless.dcm"),
            ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm"),
            ("rtdose.dcm", "rtdose_rle.dcm"),  # 15 frames of 32 bits
            ("rtdose.dcm", "rtdose_expb.dcm"),
            ("liver_1frame.dcm", "liver_expb_1frame.dcm"),  # one bit
            ("SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm"),
            ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm"),  # lossless
            ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"),
        ],
    )
    def test_are_the_same_through_every_lossless_transfer_syntax(self, tmp_path, one, other):
        if "jp" in one + other:
            pytest.importorskip("libjpeg")
        first, second = packaged(one, tmp_path / "one"), packaged(other, tmp_path / "other")
        assert (first.pixels == second.pixels).all()
        assert first.pixels.std() > 20

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("693_J2KI.dcm", (1, 1)),
            ("JPEGLSNearLossless_16.dcm", (1, 1)),
            ("JPGExtended.dcm", (1, 1)),  # 12 bits
            ("SC_rgb_jpeg_dcmtk.dcm", (1, 3)),  # YCbCr
            ("SC_ybr_full_422_uncompressed.dcm", (1, 3)),
            ("examples_palette.dcm", (1, 3)),
            ("examples_ybr_color.dcm", (30, 3)),
            ("image_dfl.dcm", (1, 1)),  # deflated
        ],
    )
    def test_of_many_kinds_are_readable(self, tmp_path, name, shape):
        pytest.importorskip("libjpeg")
        back = packaged(name, tmp_path, ReadOptions(size=32))
        assert back.pixels.shape == (*shape, 32, 32)
        assert back.pixels.dtype == np.uint8
        assert back.pixels.std() > 1

    def test_in_colour_become_grey_where_asked(self, tmp_path):
        colour = packaged("SC_rgb_small_odd.dcm", tmp_path / "a").pixels
        grey = packaged("SC_rgb_small_odd.dcm", tmp_path / "b", ReadOptions(channels=1)).pixels
        assert near(grey, luma(colour, 1))

    @pytest.mark.filterwarnings("ignore")  # what pydicom says of them is its own
    def test_each_reads_or_is_refused_in_one_line(self, tmp_path):
        pytest.importorskip("libjpeg")
        real = Path(os.environ.get("SYNTHAUG_DATA", "/nowhere")) / "dicom"
        refused = {}
        for k, path in enumerate([*sorted(PACKAGED.glob("*.dcm")), *sorted(real.glob("*.dcm"))]):
            (tmp_path / str(k) / "c").mkdir(parents=True)
            shutil.copy(path, tmp_path / str(k) / "c")
            try:
                back = read_dicom(tmp_path / str(k), ReadOptions(size=16))
                assert back.pixels.shape[2:] == (16, 16)
                assert back.pixels.max() > 0
            except DataError as error:
                refused[path.name] = str(error)
        for name, said in refused.items():
            assert name in said
            assert "\n" not in said
            assert len(said) < 600
        assert {"MR_truncated.dcm", "rtplan.dcm", "no_meta.dcm", "badVR.dcm"} <= set(refused)
        assert len(refused) <= 22


def test_real_radiographs_look_like_radiographs(tmp_path, data_root):
    shutil.copytree(data_root / "dicom", tmp_path / "in" / "chest")
    back = read_dicom(tmp_path / "in", ReadOptions(size=64))
    assert back.pixels.shape == (2, 1, 64, 64)
    assert len(set(back.groups.tolist())) == 2
    for image in back.pixels[:, 0]:
        spine, lung = image[20:40, 30:34].mean(), image[20:36, 14:22].mean()
        assert spine > lung + 30  # bone is white, air is black
