"""Decoding files of all sizes and modes."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from synthaug.augment.errors import DataError
from synthaug.augment.files.decode import decode_files, decode_images
from synthaug.augment.reading import ReadOptions


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def decoded(*paths, size=None, channels=None):
    return decode_images(
        [str(p) for p in paths], lambda name: io.BytesIO(Path(name).read_bytes()), size, channels
    )


def flat(value, size=(8, 8), mode="L"):
    return Image.new(mode, size, value)


GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


class TestDecoding:
    @pytest.mark.parametrize(
        ("mode", "value", "expected"),
        [
            ("L", 100, (100, 100, 100)),
            ("RGB", (10, 100, 200), (10, 100, 200)),
            ("RGBA", (10, 100, 200, 128), (10, 100, 200)),
            ("LA", (100, 128), (100, 100, 100)),
            ("1", 1, (255, 255, 255)),
            ("I;16", 65535, (255, 255, 255)),
            ("I;16", 32768, (128, 128, 128)),  # the upper eight bits
            ("I;16", 90, (90, 90, 90)),  # of 8 bits in use
            ("I;16", 4095, (255, 255, 255)),  # of 12
            ("I;16", 1023, (255, 255, 255)),
            ("I;16", 8192, (128, 128, 128)),  # of 14
            ("F", 0.5, (127, 127, 127)),
            ("F", 200.0, (200, 200, 200)),
        ],
    )
    def test_every_mode_becomes_8_bits(self, tmp_path, mode, value, expected):
        path = saved(flat(value, mode=mode), tmp_path / ("x.tif" if mode == "F" else "x.png"))
        assert decoded(path, channels=3)[0, :, 3, 3].tolist() == list(expected)

    def test_a_palette_is_looked_up(self, tmp_path):
        image = flat((10, 100, 200), mode="RGB").quantize(4)
        assert decoded(saved(image, tmp_path / "x.png"))[0, :, 3, 3].tolist() == [10, 100, 200]

    def test_images_of_one_square_size_keep_it_and_their_pixels(self, tmp_path):
        paths = [saved(Image.fromarray(GREY + k), tmp_path / f"{k}.png") for k in (0, 1)]
        assert (decoded(*paths)[:, 0] == np.stack([GREY, GREY + 1])).all()

    def test_images_of_mixed_sizes_become_64_pixels(self, tmp_path):
        paths = [saved(flat(k, (9 + k, 9)), tmp_path / f"{k}.png") for k in (0, 40)]
        assert decoded(*paths).shape == (2, 1, 64, 64)

    def test_a_long_image_is_cropped_to_its_central_square(self, tmp_path):
        image = flat(0, (30, 10))
        image.paste(200, (10, 0, 20, 10))
        assert (decoded(saved(image, tmp_path / "x.png"), size=10) == 200).all()

    def test_grey_stored_as_colour_is_grey_and_one_coloured_image_makes_all_colour(self, tmp_path):
        grey = saved(flat((90, 94, 88), mode="RGB"), tmp_path / "grey.png")
        assert decoded(grey)[0, :, 0, 0].tolist() == [92]
        colour = saved(flat((90, 120, 88), mode="RGB"), tmp_path / "colour.png")
        assert decoded(grey, colour)[:, :, 0, 0].tolist() == [[90, 94, 88], [90, 120, 88]]

    def test_channels_are_as_asked_for(self, tmp_path):
        path = saved(flat((90, 120, 88), mode="RGB"), tmp_path / "x.png")
        assert decoded(path, channels=1)[0, :, 0, 0].tolist() == [107]
        assert decoded(saved(flat(7), tmp_path / "y.png"), channels=3)[0, :, 0, 0].tolist() == [7, 7, 7]

    def test_a_photograph_taken_sideways_is_turned_upright(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90° clockwise to see it
        path = saved(Image.fromarray(GREY), tmp_path / "x.png", exif=exif)
        assert (decoded(path)[0, 0] == np.rot90(GREY, -1)).all()

    def test_a_broken_file_is_named(self, tmp_path):
        good, bad = (saved(Image.fromarray(GREY), tmp_path / f"{k}.jpg") for k in "ab")
        bad.write_bytes(bad.read_bytes()[:-200])
        with pytest.raises(
            DataError, match=r"b\.jpg: expected a whole image, found .*: replace or remove it"
        ):
            decoded(good, bad, size=8)


DEEP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000 + 3


def png_of_16_bits(colour_type, channels, value):
    """A PNG that Pillow cannot write (PNG specification, 11.2.1: RGB is colour type 2, RGBA 6)."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = (b"\0" + struct.pack(">H", value) * channels * 8) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def read(*paths, **asked):
    return decode_files([str(p) for p in paths], lambda name: Path(name).open("rb"), ReadOptions(**asked))


class TestSixteenBits:
    @pytest.mark.parametrize("name", ["x.png", "x.tif"])
    def test_stay_where_all_images_have_them(self, tmp_path, name):
        path = saved(Image.fromarray(DEEP), tmp_path / name)
        pixels = read(path).pixels
        assert pixels.dtype == np.uint16
        assert (pixels[0, 0] == DEEP).all()
        assert (read(path, channels=3).pixels[0, 2] == DEEP).all()

    def test_of_the_other_byte_order_are_the_same(self, tmp_path):
        tifffile.imwrite(tmp_path / "x.tif", DEEP, byteorder=">")
        assert (read(tmp_path / "x.tif").pixels[0, 0] == DEEP).all()

    def test_become_8_beside_images_of_8_unless_asked_for(self, tmp_path):
        paths = [saved(Image.fromarray(x), tmp_path / f"{x.dtype}.png") for x in (DEEP, GREY)]
        pixels = read(*paths).pixels
        assert pixels.dtype == np.uint8
        assert (pixels[:, 0] == [DEEP >> 8, GREY]).all()
        assert (read(*paths, bits=16).pixels[:, 0] == [DEEP, GREY.astype(np.uint16) * 257]).all()
        assert (read(paths[0], bits=8).pixels[0, 0] == DEEP >> 8).all()

    def test_are_resized_without_falling_to_8(self, tmp_path):
        path = saved(Image.fromarray(np.full((9, 12), 40_001, np.uint16)), tmp_path / "x.png")
        assert (read(path, size=4).pixels == 40_001).all()

    @pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)], ids=["rgb", "rgba", "la"])
    def test_of_colour_are_refused_but_for_8(self, tmp_path, colour_type, channels):
        (tmp_path / "x.png").write_bytes(png_of_16_bits(colour_type, channels, 51_200))
        for asked in ({}, {"bits": 16}):
            with pytest.raises(DataError, match=r"x\.png: found 16 bits per channel .* ask for --bits 8"):
                read(tmp_path / "x.png", **asked)
        assert (read(tmp_path / "x.png", bits=8, channels=1).pixels == 200).all()

    @pytest.mark.parametrize(("level", "kind"), [(-1000, np.int16), (np.nan, np.float32)])
    def test_that_would_not_fit_are_refused(self, tmp_path, level, kind):
        tifffile.imwrite(tmp_path / "x.tif", np.full((8, 8), level, kind))
        says = f"grey levels from {level:g} to {level:g} where 0 to 65535 can be kept"
        with pytest.raises(DataError, match=says):
            read(tmp_path / "x.tif")

    def test_become_8_by_one_scale_for_all_pictures(self, tmp_path):
        paths = [tmp_path / f"{k}.tif" for k in range(3)]
        for path, level in zip(paths, (200, 4095, 65_535), strict=True):
            saved(Image.fromarray(np.full((8, 8), level, np.uint16)), path)
        assert read(*paths, bits=8).pixels[:, 0, 0, 0].tolist() == [0, 15, 255]

    @pytest.mark.parametrize("kind", [np.int16, np.uint32, np.float32])
    @pytest.mark.parametrize(
        ("levels", "expected"),
        [((200, 0, 4095), [12, 0, 255]), ((200, 0, 255), [200, 0, 255]), ((256, 0, 16_384), [1, 0, 64])],
        ids=["twelve", "eight", "sixteen"],
    )
    def test_of_files_that_do_not_say_their_range_are_told_by_the_highest(
        self, tmp_path, kind, levels, expected
    ):
        paths = [tmp_path / f"{k}.tif" for k in range(3)]
        for path, level in zip(paths, levels, strict=True):
            tifffile.imwrite(path, np.full((8, 8), level, kind))
        tifffile.imwrite(tmp_path / "bad.tif", np.full((8, 8), 70_000, np.uint32))  # has no say
        found = read(*paths, tmp_path / "bad.tif", bits=8, skip_bad=True)
        assert found.pixels[:, 0, 0, 0].tolist() == expected


class TestPadding:
    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_keeps_the_whole_image_between_black_bars(self, tmp_path, kind):
        path = saved(Image.fromarray(np.full((4, 8), 200, kind)), tmp_path / "x.png")
        pixels = read(path, size=8, fit="pad", levels=16).pixels[0, 0]
        assert pixels[:, 0].tolist() == [0, 0, 200, 200, 200, 200, 0, 0]
        assert (read(path, size=8, levels=16).pixels == 200).all()


class TestBadFiles:
    def paths(self, folder, good, bad):
        paths = [saved(flat(90), folder / f"{k:02d}.png") for k in range(good + bad)]
        for path in paths[:bad]:
            path.write_bytes(path.read_bytes()[:45])
        return paths

    @pytest.mark.parametrize("size", [None, 8])
    def test_are_left_out_where_that_is_asked_for(self, tmp_path, size):
        paths = self.paths(tmp_path, 3, 2)
        found = read(*paths, size=size, skip_bad=True)
        assert len(found.pixels) == 3
        assert list(found.bad) == [str(path) for path in paths[:2]]

    @pytest.mark.parametrize("spoilt", [GREY, DEEP[:5, :7]], ids=["depth", "size"])
    def test_do_not_decide_the_size_and_depth_of_the_others(self, tmp_path, spoilt):
        good, bad = saved(Image.fromarray(DEEP), tmp_path / "a.png"), tmp_path / "b.png"
        saved(Image.fromarray(spoilt), bad)
        bad.write_bytes(bad.read_bytes()[:50])  # the header is whole
        found = read(good, bad, skip_bad=True)
        assert list(found.bad) == [str(bad)]
        assert found.pixels.dtype == np.uint16
        assert (found.pixels[:, 0] == DEEP).all()

    def test_are_told_without_their_path(self, tmp_path):
        good, foreign, short = self.paths(tmp_path, 1, 2)[::-1]
        foreign.write_text("no picture")
        short.write_bytes(good.read_bytes()[:-20])
        found = read(good, foreign, short, tmp_path / "gone.png", skip_bad=True)
        assert found.bad[str(foreign)] == "no image"
        assert found.bad[str(tmp_path / "gone.png")] == "No such file or directory"
        assert not any("png" in reason or "tmp" in reason for reason in found.bad.values())

    def test_stop_where_all_are(self, tmp_path):
        with pytest.raises(DataError, match=r"00\.png: expected a whole image.*of 3 files none can be read"):
            read(*self.paths(tmp_path, 0, 3), skip_bad=True)
