"""Every data set that is written has a README for people and a Croissant description for programs."""

import hashlib
import json
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest

from synthaug.augment.errors import UsageError
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import concatenate
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions

TARGETS = {"hdf5": "out.h5", "npz": "out.npz", "folder": "out", "dicom": "out-dicom"}
formats = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
theirs_warn = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
FACTS = {
    "source": "/home/anna/data/xrays.h5",
    "licence": "CC BY 4.0",
    "generator": "ab" * 32,
    "generator_data": "chest-xray, 1,424 images",
    "memorization_gate": "passed, no near copy: compared with 48 images of /home/anna/data/xrays",
}


@pytest.fixture
def blended(tiny):
    names = ("no finding", "Ödem|links")
    real = replace(tiny((4, 2), patients=1, class_names=names), groups=np.full(6, "Meier, Anna"))
    made = tiny((2, 3), synthetic=True, seed=7, class_names=names)
    both = concatenate([real, made])
    return replace(both, split=np.array(["train", "val", "test"] * 2 + ["train"] * 5))


def described(folder, target):
    """The README and the Croissant description of an export."""
    if target in ("out", "out-dicom"):
        return folder / target / "README.md", folder / target / "croissant.json"
    return folder / f"{target}.README.md", folder / f"{target}.croissant.json"


@formats
class TestTheCard:
    def test_says_what_is_there_and_what_it_is_not_good_for(self, tmp_path, blended, target):
        write_images(ImageStream.of(blended, **FACTS), tmp_path / target)
        said = described(tmp_path, target)[0].read_text(encoding="utf-8")
        assert said.startswith(f"# {target}\n")
        assert "11 labelled medical images (6 real, 5 synthetic) from xrays.h5" in said
        assert "| no finding | train | 1 | 2 |" in said
        assert "| Ödem\\|links | val | 1 | 0 |" in said
        for words in (
            "8 × 8 pixels (width × height), grey, 8 bits",
            "0123456789abcdef" * 4,
            "Trained on: chest-xray, 1,424 images",
            "Seed: 7",
            "CC BY 4.0",
            "Not for diagnosis",
            "never validate or test on synthetic ones",
            "passed, no near copy",
            "synthaug 0.",
        ):
            assert words in said

    def test_holds_no_path_and_no_patient(self, tmp_path, blended, target):
        write_images(ImageStream.of(blended, **FACTS), tmp_path / target)
        for path in described(tmp_path, target):
            said = path.read_text(encoding="utf-8")
            assert "anna" not in said.lower()
            assert "anon-" not in said
            assert str(tmp_path) not in said

    def test_of_real_images_says_nothing_of_generators(self, tmp_path, tiny, target):
        write_images(ImageStream.of(tiny((2, 2))), tmp_path / target)
        said = described(tmp_path, target)[0].read_text(encoding="utf-8")
        assert "| normal | 2 | 0 |" in said
        assert "enerator" not in said
        assert "Not stated. The licence of the images" in said

    def test_shows_lines_that_load_the_set(self, tmp_path, blended, target, monkeypatch):
        write_images(ImageStream.of(blended), tmp_path / target)
        said = described(tmp_path, target)[0].read_text(encoding="utf-8")
        lines = said.split("```python\n")[1].split("\n```")[0]
        assert len(lines.splitlines()) == 3
        monkeypatch.chdir(tmp_path)
        loaded = {}
        exec(lines, loaded)
        assert len(loaded["images"]) > 0

    def test_shows_lines_that_load_16_bits_as_they_are(self, tmp_path, tiny, target, monkeypatch, caplog):
        sent = tiny((2, 2), dtype=np.uint16)
        write_images(ImageStream.of(sent), tmp_path / target)
        assert ("white in torchvision's ImageFolder" in caplog.text) == (target == "out")
        lines = described(tmp_path, target)[0].read_text(encoding="utf-8").split("```python\n")[1]
        monkeypatch.chdir(tmp_path)
        loaded = {}
        exec(lines.split("\n```")[0], loaded)
        first = loaded["images"][0]
        if target == "out":
            first = first[0]
        pixels = first.pixel_array if target == "out-dicom" else np.asarray(first)
        assert any((pixels.squeeze() == image[0]).all() for image in sent.pixels)

    def test_is_replaced_and_only_with_leave(self, tmp_path, blended, tiny, target):
        card, listed = described(tmp_path, target)
        write_images(ImageStream.of(blended), tmp_path / target)
        before = card.read_bytes(), listed.read_bytes()
        with pytest.raises(UsageError, match=f"{target} exists already"):
            write_images(ImageStream.of(tiny((1, 1))), tmp_path / target)
        assert (card.read_bytes(), listed.read_bytes()) == before
        write_images(ImageStream.of(tiny((1, 1))), tmp_path / target, overwrite=True)
        assert "2 labelled medical images (2 real, 0 synthetic)" in card.read_text(encoding="utf-8")

    def test_is_the_same_to_the_byte_when_the_day_is_fixed(self, tmp_path, blended, target, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        for again in ("one", "two"):
            write_images(ImageStream.of(blended, **FACTS), tmp_path / again / target)
        for one, two in zip(*(described(tmp_path / again, target) for again in ("one", "two")), strict=True):
            assert one.read_bytes() == two.read_bytes()
        assert '"datePublished": "2023-11-14"' in one.read_text(encoding="utf-8")


def test_a_card_that_somebody_else_wrote_is_not_replaced_without_leave(tmp_path, tiny):
    (tmp_path / "out.h5.README.md").write_text("my notes")
    with pytest.raises(UsageError, match=r"out\.h5\.README\.md exists already"):
        write_images(ImageStream.of(tiny((1, 1))), tmp_path / "out.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5.README.md"]


@formats
class TestCroissant:
    @theirs_warn
    def test_is_valid_and_counts_each_class(self, tmp_path, blended, target):
        mlcroissant = pytest.importorskip("mlcroissant", reason="pip install 'synthaug[dev]'")
        write_images(ImageStream.of(blended, **FACTS), tmp_path / target)
        theirs = mlcroissant.Dataset(jsonld=str(described(tmp_path, target)[1]))
        assert not theirs.metadata.ctx.issues.errors
        assert not theirs.metadata.ctx.issues.warnings
        assert theirs.metadata.license == ["CC BY 4.0"]
        rows = [tuple(row.values()) for row in theirs.records("classes")]
        assert rows == [(0, "no finding", 4, 2), (1, "Ödem|links", 2, 3)]

    def test_names_each_file_with_its_checksum(self, tmp_path, blended, target):
        write_images(ImageStream.of(blended), tmp_path / target)
        listed = described(tmp_path, target)[1]
        files = {
            part["contentUrl"]: part["sha256"]
            for part in json.loads(listed.read_text(encoding="utf-8"))["distribution"]
            if part["@type"] == "cr:FileObject"
        }
        assert files
        for name, digest in files.items():
            assert hashlib.sha256((listed.parent / name).read_bytes()).hexdigest() == digest


@theirs_warn
def test_croissant_gives_the_pictures_of_a_folder_with_their_labels(tmp_path, blended):
    mlcroissant = pytest.importorskip("mlcroissant", reason="pip install 'synthaug[dev]'")
    write_images(ImageStream.of(blended), tmp_path / "out")
    records = list(mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json")).records("images"))
    assert len(records) == 11
    for record in records:
        number = int(record["images/path"].decode().split("/")[-1].removesuffix(".png"))
        assert (np.asarray(record["images/image"].convert("L")) == blended.pixels[number, 0]).all()
        assert record["images/label"].decode() == blended.class_names[blended.labels[number]]
        assert record["images/split"].decode() == blended.split[number]
        assert record["images/synthetic"] == blended.synthetic[number]


@theirs_warn
@pytest.mark.parametrize("target", ["50% of it, ä.h5", "a b-dicom"])
def test_croissant_is_valid_where_a_name_has_spaces(tmp_path, blended, target):
    mlcroissant = pytest.importorskip("mlcroissant", reason="pip install 'synthaug[dev]'")
    write_images(ImageStream.of(blended), tmp_path / target)
    listed = next(tmp_path.rglob("*croissant.json"))
    theirs = mlcroissant.Dataset(jsonld=str(listed))
    assert not theirs.metadata.ctx.issues.errors
    assert len(list(theirs.records("classes"))) == 2
    part = json.loads(listed.read_text(encoding="utf-8"))["distribution"][0]
    assert (listed.parent / unquote(part["contentUrl"])).is_file()


@theirs_warn
def test_croissant_describes_the_images_that_a_dicomdir_lists(tmp_path, blended):
    mlcroissant = pytest.importorskip("mlcroissant", reason="pip install 'synthaug[dev]'")
    write_images(ImageStream.of(blended), tmp_path / "out-dicom", writing=WriteOptions(dicomdir=True))
    listed = tmp_path / "out-dicom" / "croissant.json"
    assert not mlcroissant.Dataset(jsonld=str(listed)).metadata.ctx.issues.errors
    (pictures,) = [
        part
        for part in json.loads(listed.read_text(encoding="utf-8"))["distribution"]
        if part["@type"] == "cr:FileSet"
    ]
    assert pictures["encodingFormat"] == "application/dicom"
    assert len(list(listed.parent.glob(pictures["includes"]))) == 11


def test_croissant_names_every_shard(tmp_path, blended):
    write_images(ImageStream.of(blended), tmp_path / "out.h5", writing=WriteOptions(shard_size=4))
    listed = json.loads((tmp_path / "out.h5.croissant.json").read_text(encoding="utf-8"))
    names = [part["contentUrl"] for part in listed["distribution"]]
    assert len(names) == 4
    assert all((tmp_path / name).exists() for name in names)


def test_a_day_that_there_is_not_is_refused_in_one_line(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "99999999999999")
    with pytest.raises(UsageError, match="expected seconds since 1970"):
        write_images(ImageStream.of(tiny((1, 1))), tmp_path / "out.h5")
    assert not list(tmp_path.iterdir())
