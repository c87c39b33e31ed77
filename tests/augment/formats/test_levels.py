"""Levels in use against levels declared: the same picture looks the same, however many bits it is kept in."""

import h5py
import numpy as np
import pytest
import tifffile
from foreign_dicom import foreign, item, shown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from synthaug.augment.dicom import read_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.levels import bits_in_use
from synthaug.augment.reading import ReadOptions

SOURCES = ["png", "little", "big", "white is zero", "deflate", "npz", "hdf5"]


def ramp(bits):
    """(8, 8) from black to white of so many bits."""
    return np.rint(np.linspace(0, 2**bits - 1, 64)).astype(np.uint16).reshape(8, 8)


def kept(folder, source, pixels, bits):
    """A file or folder of one picture of uint16."""
    (folder / "a").mkdir(parents=True, exist_ok=True)
    if source == "png":
        Image.fromarray(pixels).save(folder / "a" / "0.png")
    elif source == "npz":
        parts = {f"{part}_images": pixels[None][: int(part == "train")] for part in ("train", "val", "test")}
        labels = {
            f"{part}_labels": np.zeros((int(part == "train"), 1), int) for part in ("train", "val", "test")
        }
        np.savez(folder / "x.npz", **parts, **labels)
        return folder / "x.npz"
    elif source == "hdf5":
        with h5py.File(folder / "x.h5", "w") as file:
            file.update({"images": pixels[None], "labels": [0]})
        return folder / "x.h5"
    else:
        white = 2**bits - 1 - pixels if source == "white is zero" else pixels
        tifffile.imwrite(
            folder / "a" / "0.tif",
            white.astype(np.uint16),
            byteorder=">" if source == "big" else "<",
            photometric="miniswhite" if source == "white is zero" else "minisblack",
            compression="deflate" if source == "deflate" else None,
        )
    return folder


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("source", SOURCES)
class TestARamp:
    def test_is_from_black_to_white(self, tmp_path, source, bits):
        path = kept(tmp_path, source, ramp(bits), bits)
        expected = np.rint(ramp(bits) * (65535 / (2**bits - 1)))
        deep = read_images(path).pixels[0, 0]
        assert deep.dtype == np.uint16
        assert np.abs(deep - expected).max() <= 1
        shallow = read_images(path, ReadOptions(bits=8)).pixels[0, 0]
        assert np.abs(shallow.astype(float) - np.floor(expected / 256)).max() <= 1
        assert (shallow[0, 0], shallow[-1, -1]) == (0, 255)

    def test_is_as_declared_where_that_is_asked_for(self, tmp_path, source, bits):
        path = kept(tmp_path, source, ramp(bits), 16 if source == "white is zero" else bits)
        assert (read_images(path, ReadOptions(levels=16)).pixels[0, 0] == ramp(bits)).all()


@given(bits=st.sampled_from([8, 10, 12, 14, 16]), source=st.sampled_from(SOURCES), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_levels_are_in_proportion(tmp_path_factory, bits, source, seed):
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (8, 8)).astype(np.uint16)
    pixels[0, :2] = 0, 2**bits - 1
    path = kept(tmp_path_factory.mktemp("x"), source, pixels, bits)
    found = read_images(path).pixels[0, 0]
    assert np.abs(found - pixels * (65535 / (2**bits - 1))).max() <= 1


@pytest.mark.parametrize(
    ("highest", "bits"),
    [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16), (65535, 16)],
)
def test_levels_in_use_are_of_the_next_depth(highest, bits):
    assert bits_in_use(highest) == bits


def test_one_scale_holds_for_a_whole_data_set(tmp_path, caplog):
    for k, level in enumerate((100, 1000, 4000)):
        kept(tmp_path / str(k), "png", np.full((8, 8), level, np.uint16), 12)
    images = read_images(tmp_path, ReadOptions(trust_layout=True))
    assert images.pixels[:, 0, 0, 0].tolist() == [round(level * 65535 / 4095) for level in (100, 1000, 4000)]
    assert "found grey levels up to 4095 in 16 bits, read as 12 bits" in caplog.text


class TestClassesThatDiffer:
    def test_in_their_levels_are_named(self, tmp_path, caplog):
        for name, top in (("normal", 4095), ("abnormal", 65535)):
            (tmp_path / name).mkdir()
            for k in range(3):
                picture = np.full((8, 8), top - k, np.uint16)
                Image.fromarray(picture).save(tmp_path / name / f"{k}.png")
        read_images(tmp_path)
        assert "classes differ in their grey levels (abnormal up to 65535, normal up to 4095)" in caplog.text

    def test_in_their_depth_are_named(self, tmp_path, caplog):
        for name, kind in (("normal", np.uint8), ("abnormal", np.uint16)):
            (tmp_path / name).mkdir()
            for k in range(3):
                Image.fromarray(np.full((8, 8), 250 + k, kind)).save(tmp_path / name / f"{k}.png")
        images = read_images(tmp_path)
        assert "16 bits alone tell classes apart: abnormal 3 of 3, normal 0 of 3" in caplog.text
        assert images.pixels[:, 0, 0, 0].tolist() == [250, 251, 252] * 2  # not black against white


@pytest.mark.parametrize("levels", [0, 7, 9, 32])
def test_levels_asked_for_are_of_a_known_depth(levels):
    with pytest.raises(UsageError, match=f"--levels {levels}: expected 8, 10, 12, 14 or 16"):
        ReadOptions(levels=levels)


class TestDicom:
    @pytest.mark.parametrize("used", [8, 10, 12, 16])
    def test_through_a_table_uses_the_levels_of_its_entries(self, tmp_path, used):
        entries = ramp(used).ravel()
        lut = item(LUTDescriptor=[64, 0, 16], LUTData=entries.tobytes())
        lut["LUTData"].VR = "OW"
        stored = np.arange(64, dtype=np.uint16).reshape(8, 8)
        found = shown(tmp_path, stored, VOILUTSequence=[lut])
        assert np.abs(found - entries.reshape(8, 8) * (255 / (2**used - 1))).max() <= 0.51

    @pytest.mark.parametrize("used", [8, 12, 16])
    def test_of_a_palette_uses_the_levels_of_its_entries(self, tmp_path, used):
        entries, extra = ramp(used).ravel(), {}
        for colour in ("Red", "Green", "Blue"):
            extra[f"{colour}PaletteColorLookupTableDescriptor"] = [64, 0, 16]
            extra[f"{colour}PaletteColorLookupTableData"] = entries.tobytes()
        stored = np.arange(64, dtype=np.uint8).reshape(8, 8)
        found = shown(tmp_path, stored, PhotometricInterpretation="PALETTE COLOR", **extra)
        assert np.abs(found - entries.reshape(8, 8) * (255 / (2**used - 1))).max() <= 0.51

    @pytest.mark.parametrize(("stored", "high"), [(12, 15), (12, 12), (10, 15), (8, 15)])
    def test_whose_bits_lie_elsewhere_is_refused(self, tmp_path, stored, high):
        pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
        foreign(tmp_path / "c" / "a.dcm", pixels, BitsStored=stored, HighBit=high)
        with pytest.raises(DataError, match=f"found HighBit {high} with BitsStored {stored}, expected one"):
            read_dicom(tmp_path)

    @pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
    @pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16])
    @pytest.mark.parametrize("window", [{}, {"WindowCenter": 100, "WindowWidth": 150}])
    def test_padding_is_black(self, tmp_path, photometric, kind, window):
        pixels = np.arange(40, 104, dtype=kind).reshape(8, 8)
        pixels[0] = 200 if np.dtype(kind).kind == "u" else -2000
        value = int(pixels[0, 0])
        options = {"PhotometricInterpretation": photometric, "PixelPaddingValue": value, **window}
        found = shown(tmp_path, pixels, **options)
        assert (found[0] == 0).all()
        assert found[1:].max() > 0
