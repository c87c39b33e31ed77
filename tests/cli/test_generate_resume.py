"""`synthaug generate` into HDF5 shards, killed and gone on with: the same bytes, and the same verdict."""

import json
import shutil
from pathlib import Path

import pytest
from cli_runner import synthaug
from killed_runs import kill_runs
from PIL import Image

from synthaug.augment.formats.registry import read_images
from synthaug.generators.sampling import Synthesizer

N, SHARD = 150, 20
COPIES = 24


@pytest.fixture(scope="module")
def training_images(tmp_path_factory) -> Path:
    """A data set of the generator's own first images: a generator that copies its training images."""
    synthesizer = Synthesizer("pneumonia")
    folder: Path = tmp_path_factory.mktemp("data") / "real"
    for label, name in enumerate(synthesizer.card.class_names):
        other = synthesizer.images(label, 200, 250, seed=5).pixels
        train = synthesizer.images(label, 0, COPIES).pixels if label else other[:20]
        for part, pixels in (("train", train), ("val", other[20:35]), ("test", other[35:])):
            (folder / part / name).mkdir(parents=True)
            for k, image in enumerate(pixels):
                Image.fromarray(image[0]).save(folder / part / name / f"{k:02}.png")
    return folder


def options(out: Path, *more: object) -> list[object]:
    asked = ["generate", "--generator", "pneumonia", "--class", "pneumonia", "--class", "normal", "--n", N]
    return [*asked, "--data-root", out.parent / "none", "--shard-size", SHARD, "--out", out, *more]


def content(out: Path) -> dict[str, bytes]:
    """The index and its shards."""
    return {path.name: path.read_bytes() for path in (out, *out.with_name("out-shards").iterdir())}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unbroken") / "out.h5"
    run = synthaug(*options(out))
    assert run.status == 0, run.err
    return content(out)


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory, training_images) -> dict[str, Path]:
    """What runs left that were killed: one of no fault, one of copies, one that rejects them."""
    folder: Path = tmp_path_factory.mktemp("killed")
    compared = ("--training-images", training_images)
    plans = {
        "plain": (9, ()),  # in the second class
        "copying": (4, compared),  # all copies are in the first two
        "rejecting": (3, (*compared, "--reject-near-copies")),
    }
    outs = {name: folder / name / "out.h5" for name in plans}
    kill_runs([(outs[name], shards, options(outs[name], *more)) for name, (shards, more) in plans.items()])
    return {name: out.with_name("out.h5.partial") for name, out in outs.items()}


@pytest.fixture(scope="module")
def interrupted(killed_runs) -> Path:
    return killed_runs["plain"]


@pytest.fixture
def out(interrupted, tmp_path) -> Path:
    """Where an interrupted run was to put its set."""
    shutil.copytree(interrupted, tmp_path / "out.h5.partial")
    return tmp_path / "out.h5"


def test_a_run_that_could_not_begin_leaves_nothing(tmp_path):
    assert synthaug(*options(tmp_path / "out.h5", "--compression", "lzma")).status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [("--out", "x.npz"), ()])
def test_resuming_needs_shards(tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    run = synthaug("generate", "--class", "pneumonia", "--n", 3, "--resume", *more)
    assert run.status == 2
    assert "add --shard-size and --out FILE.h5" in " ".join(run.err.split())


@pytest.mark.slow
class TestAnInterruptedRun:
    def test_goes_on_to_the_bytes_of_an_unbroken_one_and_keeps_what_is_whole(self, out, unbroken):
        folder = out.with_name("out.h5.partial")
        kept = [shard["file"] for shard in json.loads((folder / "plan.json").read_text())["shards"]]
        assert len(kept) >= 8
        before = {name: (folder / name).stat().st_mtime_ns for name in kept}
        run = synthaug(*options(out, "--resume"))
        assert run.status == 0, run.err
        assert content(out) == unbroken
        assert not folder.exists()
        assert {name: (out.with_name("out-shards") / name).stat().st_mtime_ns for name in kept} == before
        assert read_images(out).counts() == {"normal": N, "pneumonia": N}

    def test_makes_a_damaged_shard_again(self, out, unbroken):
        victim = sorted(out.with_name("out.h5.partial").glob("*-*.h5"))[2]
        victim.write_bytes(victim.read_bytes()[:-7] + b"changed")
        run = synthaug(*options(out, "--resume"))
        assert run.status == 0, run.err
        assert "damaged or gone, made again" in " ".join(run.err.split())
        assert content(out) == unbroken

    def test_is_neither_gone_on_with_nor_thrown_away_unasked(self, out):
        run = synthaug(*options(out, "--overwrite"))
        assert run.status == 2
        said = " ".join(run.err.split())
        assert "images of an interrupted run: go on with --resume, or remove it to start anew" in said
        assert out.with_name("out.h5.partial").exists()

    @pytest.mark.parametrize(
        ("other", "says"),
        [
            (("--seed", 4), "was begun with seed 0, not seed 4"),
            (("--shard-size", 30), "was begun with shard_size 20, not shard_size 30"),
            (("--compression", "none"), "was begun with compression gzip, not compression none"),
            (("--allow-near-copies",), "was begun with memorization_gate passed"),
            (("--reject-near-copies",), "was begun with reject_near_copies False"),
        ],
    )
    def test_is_not_gone_on_with_by_another_plan(self, out, other, says):
        run = synthaug(*options(out, "--resume", *other))
        assert run.status == 2
        assert says in " ".join(run.err.split())
        assert "give the same options, or remove it to start anew" in " ".join(run.err.split())

    def test_that_put_its_set_in_place_and_no_more_is_ended(self, out, unbroken, monkeypatch):
        monkeypatch.setattr("synthaug.augment.hdf5.partial.PartialSet.remove", lambda work: None)
        assert synthaug(*options(out, "--resume")).status == 0
        monkeypatch.undo()
        for name in ("out.h5.README.md", "out.h5.croissant.json"):
            out.with_name(name).unlink()
        assert synthaug(*options(out)).status == 2  # it exists
        run = synthaug(*options(out, "--resume"))
        assert run.status == 0, run.err
        assert content(out) == unbroken
        expected = ["out-shards", "out.h5", "out.h5.README.md", "out.h5.croissant.json"]
        assert sorted(path.name for path in out.parent.iterdir()) == expected
        assert synthaug(*options(out, "--resume")).status == 2  # another set of the same name

    def test_that_never_was_is_begun(self, tmp_path, unbroken):
        assert synthaug(*options(tmp_path / "out.h5", "--resume")).status == 0
        assert content(tmp_path / "out.h5") == unbroken

    def test_can_replace_an_older_set(self, out, unbroken):
        aside = out.with_name("out.h5.partial").rename(out.with_name("aside"))
        assert synthaug(*options(out, "--seed", 9)).status == 0
        aside.rename(out.with_name("out.h5.partial"))
        assert synthaug(*options(out, "--resume")).status == 2
        assert synthaug(*options(out, "--resume", "--overwrite")).status == 0
        assert content(out) == unbroken


@pytest.mark.slow
class TestTheGate:
    """Its verdict is on the whole set, whichever process made the images."""

    def test_counts_near_copies_in_shards_that_were_kept(self, killed_runs, tmp_path, training_images):
        out = tmp_path / "out.h5"
        shutil.copytree(killed_runs["copying"], tmp_path / "out.h5.partial")
        run = synthaug(*options(out, "--training-images", training_images, "--resume"))
        assert run.status == 3
        said = " ".join(run.err.split())
        assert (
            f"{COPIES} of {2 * N} synthetic images are near copies of training images (pneumonia 0," in said
        )
        assert list(tmp_path.iterdir()) == []

    def test_is_not_fooled_by_other_training_images_under_the_same_name(
        self, killed_runs, tmp_path, training_images
    ):
        shutil.copytree(killed_runs["copying"], tmp_path / "out.h5.partial")
        shutil.copytree(training_images, tmp_path / "real")
        real = tmp_path / "real"
        Image.new("L", (28, 28), 99).save(real / "train" / "pneumonia" / "00.png")
        run = synthaug(*options(tmp_path / "out.h5", "--training-images", real, "--resume"))
        assert run.status == 2
        assert "was begun with training_images" in " ".join(run.err.split())

    def test_goes_on_rejecting_where_it_was(self, killed_runs, tmp_path, training_images):
        rejecting = ("--training-images", training_images, "--reject-near-copies")
        (tmp_path / "other").mkdir()
        shutil.copytree(killed_runs["rejecting"], tmp_path / "one" / "out.h5.partial")
        one, other = tmp_path / "one" / "out.h5", tmp_path / "other" / "out.h5"
        for out, more in ((one, ["--resume"]), (other, [])):
            run = synthaug(*options(out, *rejecting, *more))
            assert run.status == 0, run.err
        assert content(one) == content(other)
        index = read_images(one).of_class(1).provenance["index"]
        assert index.tolist() == list(range(COPIES, COPIES + N))
