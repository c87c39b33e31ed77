"""`synthaug generate --from-provenance`: any synthetic image can be made again."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from cli_runner import synthaug

from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.images import concatenate
from synthaug.augment.stream import ImageStream
from synthaug.generators.architectures.resnet import ResidualGenerator
from synthaug.generators.checkpoint import GeneratorCard, save_generator
from synthaug.generators.sampling import Synthesizer

TARGETS = {"hdf5": "set.h5", "npz": "set.npz", "folder": "set", "dicom": "set-dicom"}


@pytest.fixture(scope="module")
def images():
    """Of both classes and two seeds, in no order of the sequence."""
    shipped = Synthesizer("pneumonia")
    made = concatenate([shipped.images(1, 60, 68), shipped.images(0, 3, 7, seed=2), shipped.images(1, 0, 3)])
    return made.take(np.random.default_rng(0).permutation(len(made)))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A generator of nobody else's, in a run folder."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    size = {"num_classes": 2, "image_size": 28, "channels": 1, "latent_dim": 8, "width": 4}
    torch.manual_seed(0)
    seen = Synthesizer("pneumonia").card.training_images
    card = GeneratorCard(("normal", "pneumonia"), size, "noise", "CC0", {})
    save_generator(folder / "generator.safetensors", ResidualGenerator(**size), seen, card)
    return folder


@pytest.fixture
def again(tmp_path):
    def run(spec, *options):
        root = ("--data-root", tmp_path / "none")
        return synthaug(
            "generate", "--from-provenance", spec, "--out", tmp_path / "again.h5", *root, *options
        )

    return run


def said(run):
    return " ".join(run.err.split())


class TestFromProvenance:
    @pytest.mark.parametrize("kind", ["hdf5", "npz", "folder", pytest.param("dicom", marks=pytest.mark.slow)])
    def test_makes_the_images_of_every_format_again(self, images, again, tmp_path, kind):
        write_images(ImageStream.of(images), tmp_path / TARGETS[kind])
        run = again(tmp_path / TARGETS[kind], "--json")
        assert run.status == 0, run.err
        assert (run.json["identical"], run.json["of"], run.json["changed"]) == (15, 15, "")
        assert "identical: 15 of 15" in said(run)
        stored, made = read_images(tmp_path / TARGETS[kind]), read_images(tmp_path / "again.h5")
        assert made.digest() == stored.digest()
        assert made.provenance.tolist() == stored.provenance.tolist()

    def test_makes_one_image_again(self, images, again, tmp_path):
        write_images(ImageStream.of(images), tmp_path / "set.h5")
        assert again(f"{tmp_path / 'set.h5'}#4").status == 0
        made = read_images(tmp_path / "again.h5")
        assert np.array_equal(made.pixels, images.pixels[4:5])
        assert made.labels.tolist() == images.labels[4:5].tolist()

    def test_leaves_real_images_out(self, images, again, tmp_path, tiny):
        real = replace(tiny((2, 3), side=28), class_names=images.class_names)
        write_images(ImageStream.of(concatenate([real, images])), tmp_path / "set.h5")
        run = again(tmp_path / "set.h5")
        assert run.status == 0
        assert "5 real images" in " ".join(run.out.split())
        assert len(read_images(tmp_path / "again.h5")) == 15
        run = again(f"{tmp_path / 'set.h5'}#2", "--overwrite")
        assert run.status == 2
        assert "#2 is a real image: expected one that a generator made" in said(run)

    def test_compares_images_that_were_resized_at_their_size(self, images, again, tmp_path):
        write_images(ImageStream.of(images), tmp_path / "set.h5")
        more = ("--size", 20, "--bits", 16, "--data-root", tmp_path / "none")
        assert synthaug("export", tmp_path / "set.h5", tmp_path / "small.h5", *more).status == 0
        run = again(tmp_path / "small.h5", "--json")
        assert run.status == 0, run.err
        assert run.json["identical"] == 15
        assert "made at 28×28 with 1 channels and 8 bits, changed to 20×20" in said(run)

    def test_says_how_many_are_not_the_same_and_writes_nothing(self, images, again, tmp_path):
        pixels = images.pixels.copy()
        pixels[[3, 9], 0, 5, 5] ^= 1
        write_images(ImageStream.of(replace(images, pixels=pixels)), tmp_path / "set.h5")
        run = again(tmp_path / "set.h5")
        assert run.status == 3
        assert "identical: 13 of 15, the first that is not is number 3 of them" in said(run)
        assert not (tmp_path / "again.h5").exists()

    def test_stops_at_near_copies(self, images, again, tmp_path):
        write_images(ImageStream.of(images), tmp_path / "set.h5")
        real = replace(images, synthetic=np.zeros(len(images), bool), provenance=None)
        for k, part in enumerate(("train", "val", "test")):
            write_images(ImageStream.of(real.take(np.arange(k, 15, 3))), tmp_path / part)
            for name in real.class_names:
                shutil.copytree(tmp_path / part / name, tmp_path / "real" / part / name)
        run = again(tmp_path / "set.h5", "--training-images", tmp_path / "real")
        assert run.status == 3
        assert "5 of 15 synthetic images are near copies" in said(run)
        assert not (tmp_path / "again.h5").exists()


class TestGenerators:
    def test_are_found_by_what_is_in_them(self, images, own, again, tmp_path):
        both = concatenate([images, Synthesizer(own).images(0, 5, 9)])
        write_images(ImageStream.of(both), tmp_path / "set.h5")
        for place in (own.parent, own / "generator.safetensors"):
            run = again(tmp_path / "set.h5", "--generator", place, "--overwrite", "--json")
            assert run.status == 0, run.err
            assert run.json["identical"] == 19
            assert len(run.json["generators"]) == 2

    def test_that_are_missing_are_named(self, images, own, again, tmp_path):
        made = Synthesizer(own)
        write_images(ImageStream.of(concatenate([images, made.images(0, 5, 9)])), tmp_path / "set.h5")
        run = again(tmp_path / "set.h5")
        assert run.status == 4
        assert f"generator {made.card.sha256}: found none of that SHA-256" in said(run)
        assert "name its file by --generator" in said(run)


class TestUsage:
    @pytest.mark.parametrize(
        "more",
        [
            ("--class", "normal"),
            ("--n", 3),
            ("--per-class", 3),
            ("--balance-with", "phantom"),
            ("--seed", 1),
            ("--resume",),
            ("--reject-near-copies",),
        ],
    )
    def test_the_file_says_which_images(self, again, tmp_path, more):
        run = again(tmp_path / "set.h5", *more)
        assert run.status == 2
        assert f"{more[0]} with --from-provenance: the file says which images, leave it out" in said(run)

    @pytest.mark.parametrize(
        ("row", "says"), [("99", "holds 15 images, expected 0..14"), ("x", "FILE#INDEX")]
    )
    def test_a_row_must_be_there(self, images, again, tmp_path, row, says):
        write_images(ImageStream.of(images), tmp_path / "set.h5")
        run = again(f"{tmp_path / 'set.h5'}#{row}")
        assert run.status == 2
        assert says in said(run)

    def test_a_target_is_needed(self, tmp_path):
        assert synthaug("generate", "--from-provenance", tmp_path / "set.h5").status == 2

    def test_images_without_provenance_are_refused(self, again, tmp_path, tiny):
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / "set.h5")
        run = again(tmp_path / "set.h5")
        assert run.status == 4
        assert "found 0 images with provenance" in said(run)
