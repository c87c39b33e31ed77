"""The cache: what was decoded or measured once is not done again, and never half."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from synthaug.augment.errors import DataError
from synthaug.augment.files.cache import cached_arrays, kept

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHAUG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def counting(arrays):
    def decode():
        decode.calls += 1
        return arrays

    decode.calls = 0
    return decode


@pytest.mark.usefixtures("own_cache")
class TestCache:
    def test_decodes_once_and_maps_the_array_from_then_on(self, tmp_path):
        (tmp_path / "x").write_text("content")
        decode = counting({"pixels": GREY, "names": np.array(["a", "bcd"])})
        for _ in range(3):
            arrays = cached_arrays([tmp_path / "x"], "parameters", decode)
            assert (arrays["pixels"] == GREY).all()
            assert arrays["names"].tolist() == ["a", "bcd"]
            assert isinstance(arrays["pixels"], np.memmap)
        assert decode.calls == 1

    def test_knows_content_that_was_touched_copied_or_moved(self, tmp_path):
        decode = counting({"pixels": GREY})
        (tmp_path / "x").write_text("content")
        cached_arrays([tmp_path / "x"], None, decode)
        os.utime(tmp_path / "x", (1, 1))
        cached_arrays([tmp_path / "x"], None, decode)
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "x").rename(tmp_path / "elsewhere" / "x")
        cached_arrays([tmp_path / "elsewhere" / "x"], None, decode)
        assert decode.calls == 1

    def test_decodes_again_where_content_names_or_parameters_changed(self, tmp_path):
        decode = counting({"pixels": GREY})
        path = tmp_path / "x"
        path.write_text("content")
        cached_arrays([path], None, decode)
        path.write_text("CONTENT")
        os.utime(path, (1, 1))
        cached_arrays([path], None, decode)
        cached_arrays([path], 64, decode)
        cached_arrays([path.rename(tmp_path / "y")], None, decode)
        assert decode.calls == 4

    def test_keeps_nothing_of_a_decoding_that_failed(self, tmp_path, own_cache):
        (tmp_path / "x").write_text("content")

        def broken():
            raise DataError("x: broken")

        with pytest.raises(DataError):
            cached_arrays([tmp_path / "x"], None, broken)
        left = [path for path in own_cache.rglob("*") if path.is_file() or path.name.startswith(".")]
        assert {path.parent.name for path in left} <= {"locks"}
        assert not any(path.stat().st_size for path in left)
        assert (cached_arrays([tmp_path / "x"], None, lambda: {"a": GREY})["a"] == GREY).all()

    def test_is_filled_once_by_those_who_want_it_at_the_same_time(self):
        calls = []

        def fill(folder):
            calls.append(folder)
            time.sleep(0.2)  # the others are here by now
            (folder / "x").write_text("filled")

        with ThreadPoolExecutor(4) as pool:
            folders = list(pool.map(lambda _: kept("things", "key", fill), range(4)))
        assert len(calls) == 1
        assert {(folder / "x").read_text() for folder in folders} == {"filled"}

    def test_decodes_again_when_its_folder_was_emptied(self, tmp_path, own_cache):
        (tmp_path / "x").write_text("content")
        decode = counting({"pixels": GREY})
        folder = Path(cached_arrays([tmp_path / "x"], None, decode)["pixels"].filename).parent
        folder.rename(tmp_path / "gone")
        cached_arrays([tmp_path / "x"], None, decode)
        assert decode.calls == 2
