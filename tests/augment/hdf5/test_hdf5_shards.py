"""Large HDF5 sets: an index that shows shards as one file, and is never half there."""

import signal
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from debian import debian_package

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_attributes, read_images, write_images
from synthaug.augment.hdf5 import count_hdf5
from synthaug.augment.images import concatenate
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

KILLED = """
import os, pathlib, signal, sys
from pathlib import Path
import numpy as np
from synthaug.augment.hdf5 import write_hdf5
from synthaug.augment.hdf5.shards import replacing_set
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

target, moment = Path(sys.argv[1]), sys.argv[2]
pixels = np.full((20, 1, 8, 8), 9, np.uint8)
images = LabeledImages(pixels, np.zeros(20, np.int64), ("normal", "abnormal"))
rename = Path.replace


def killed(path, to):  # one rename more, or none
    if to == target and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = rename(path, to)
    if to == target:
        os.kill(os.getpid(), signal.SIGKILL)
    return done


Path.replace = killed
with replacing_set(target) as fresh:
    write_hdf5(ImageStream.of(images), fresh, WriteOptions(shard_size=6))
"""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


@pytest.fixture
def images(tiny):
    mixed = concatenate([tiny((9, 4), patients=2), tiny((5, 6), synthetic=True, seed=3)])
    return replace(mixed, split=np.repeat(["train", "val", "train"], [8, 5, 11]))


def in_shards(images, out, size=7, **options):
    write_images(ImageStream.of(images, licence="CC0"), out, writing=WriteOptions(shard_size=size), **options)
    return sorted(out.with_name("out-shards").iterdir())


class TestShards:
    def test_are_read_as_one_set(self, images, out):
        shards = in_shards(images, out)
        whole = out.with_name("whole.h5")
        write_images(ImageStream.of(images, licence="CC0"), whole)
        one, other = read_images(out), read_images(whole)
        assert one.digest() == other.digest() == images.digest()
        for column in ("synthetic", "groups", "provenance", "split"):
            assert getattr(one, column).tolist() == getattr(other, column).tolist()
        assert read_attributes(out) == read_attributes(whole)
        assert count_hdf5(out) == images.counts()
        assert [len(read_images(shard)) for shard in shards] == [7, 7, 7, 3]

    def test_are_read_by_plain_h5py_wherever_they_are_moved_together(
        self, images, out, tmp_path, monkeypatch
    ):
        in_shards(images, out)
        (tmp_path / "there").mkdir()
        for name in ("out.h5", "out-shards"):
            (tmp_path / name).rename(tmp_path / "there" / name)
        monkeypatch.chdir("/")
        with h5py.File(tmp_path / "there" / "out.h5") as file:
            assert np.array_equal(file["images"][:].transpose(0, 3, 1, 2), images.pixels)
            assert file["labels"][:].tolist() == images.labels.tolist()
            assert file["split"][12:14].tolist() == [b"val", b"train"]
            assert file["provenance/seed"][:].tolist() == [0] * 13 + [3] * 11

    def test_stand_under_a_name_with_a_percent_sign(self, images, tmp_path):
        path = tmp_path / "50%b of it.h5"
        write_images(ImageStream.of(images), path, writing=WriteOptions(shard_size=7))
        assert read_images(path).digest() == images.digest()

    @pytest.mark.slow
    def test_are_read_by_h5dump(self, images, out):
        debian_package("hdf5-tools")
        in_shards(images, out)
        dump = ["h5dump", "-d", "/labels", "-s", "12", "-c", "3", out]
        labels = ", ".join(map(str, images.labels[12:15]))
        assert f"(12): {labels}\n" in subprocess.run(dump, capture_output=True, text=True, check=True).stdout

    def test_that_are_missing_or_damaged_are_named(self, images, out):
        shards = in_shards(images, out)
        content = shards[2].read_bytes()
        shards[2].write_bytes(content[: len(content) // 2])
        for read in (read_images, count_hdf5):
            with pytest.raises(DataError, match="expected a whole shard") as error:
                read(out)
            assert str(shards[2]) in str(error.value)
        shards[2].unlink()
        for read in (read_images, count_hdf5):
            with pytest.raises(DataError, match="is missing, expected it there: move both together") as error:
                read(out)
            assert str(shards[2]) in str(error.value)

    def test_give_the_same_bytes_however_the_stream_is_cut(self, images, out, tmp_path):
        in_shards(images, out)
        again = tmp_path / "again" / "out.h5"
        stream = replace(ImageStream.of(images, licence="CC0"), batches=images.batches(5))
        write_images(stream, again, writing=WriteOptions(shard_size=7))
        files = [p.relative_to(tmp_path) for p in (out, *out.with_name("out-shards").iterdir())]
        assert all((tmp_path / f).read_bytes() == (tmp_path / "again" / f).read_bytes() for f in files)

    def test_of_a_stream_that_is_longer_than_it_says_are_refused(self, images, out):
        stream = replace(ImageStream.of(images), total=14)
        with pytest.raises(DataError, match="more images than 14"):
            write_images(stream, out, writing=WriteOptions(shard_size=7))
        assert not list(out.parent.iterdir())

    def test_are_no_matter_of_other_formats(self, images, tmp_path):
        with pytest.raises(UsageError, match="--shard-size"):
            write_images(ImageStream.of(images), tmp_path / "out.npz", writing=WriteOptions(shard_size=7))


class TestReplacing:
    def test_leaves_no_shard_of_the_old_set(self, images, out):
        old = in_shards(images, out)
        new = in_shards(images.take(np.arange(10)), out, overwrite=True)
        assert len(new) == 2
        assert old[0] in new  # of the same content
        assert len(read_images(out)) == 10
        write_images(ImageStream.of(images), out, overwrite=True)
        assert not out.with_name("out-shards").exists()

    def test_spares_what_others_put_beside_the_shards(self, images, out):
        in_shards(images, out)
        notes = out.with_name("out-shards") / "notes.txt"
        notes.write_text("mine")
        write_images(ImageStream.of(images), out, overwrite=True)
        assert notes.read_text() == "mine"
        assert list(notes.parent.iterdir()) == [notes]

    def test_that_fails_midway_leaves_the_old_set(self, images, out):
        shards = in_shards(images, out)

        def breaking():
            yield from images.batches(5)
            raise DataError("midway")

        stream = replace(ImageStream.of(images), batches=breaking())
        with pytest.raises(DataError, match="midway"):
            write_images(stream, out, writing=WriteOptions(shard_size=4), overwrite=True)
        assert sorted(out.with_name("out-shards").iterdir()) == shards
        assert read_images(out).digest() == images.digest()

    @pytest.mark.parametrize(("moment", "n"), [("before", 24), ("after", 20)])
    def test_that_is_killed_at_its_end_leaves_the_old_set_or_the_new_one(self, images, out, moment, n):
        in_shards(images, out)
        done = subprocess.run([sys.executable, "-c", KILLED, str(out), moment])
        assert done.returncode == -signal.SIGKILL
        assert len(read_images(out)) == n
        if moment == "before":
            assert read_images(out).digest() == images.digest()
        shards = in_shards(images, out, overwrite=True)  # clears up
        assert len(shards) == 4
        assert read_images(out).digest() == images.digest()
