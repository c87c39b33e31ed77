"""What an archive turns away, what is never sent to one, and what is no archive: one line each."""
# ruff: noqa: F811 (fixtures are imported)

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from archive_fixtures import exported, garbage, leaves_a_socket, original, orthanc, running, send  # noqa: F401
from cli_runner import synthaug
from dicom_exports import DESCRIBED, KINDS, blend
from pydicom import dcmread
from pydicom.data import get_testdata_file
from tiny_images import tiny_images

from synthaug.augment.archive.instances import exported_instances
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import LabeledImages
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions


class TestAnArchiveThatRefuses:
    @pytest.fixture
    def refusal(self, exported: Path) -> Callable[..., str]:
        def said(way: str, address: str) -> str:
            run = synthaug("export", exported, way, address)
            assert run.status == 4
            line = run.err.strip().splitlines()[-1]
            assert line.startswith("synthaug: ")
            assert "0 of 20 instances are stored there" in line
            assert "Traceback" not in run.err
            return line

        return said

    @pytest.mark.slow
    def test_another_ae_title(self, orthanc, refusal):
        said = refusal("--to-pacs", f"NOBODY@127.0.0.1:{orthanc.dicom}")
        assert "association rejected (Called AE title not recognised)" in said
        assert "called NOBODY, calling SYNTHAUG" in said

    @leaves_a_socket
    def test_a_closed_port(self, refusal):
        assert "no connection (Connection refused)" in refusal("--to-pacs", "ARCHIVE@127.0.0.1:1")
        assert "no connection (Connection refused)" in refusal(
            "--to-dicomweb", "http://127.0.0.1:1/dicom-web"
        )

    @pytest.mark.slow
    def test_another_kind_of_port(self, orthanc, refusal):
        assert "check that it is a DICOM port" in refusal("--to-pacs", f"ARCHIVE@127.0.0.1:{orthanc.http}")
        assert "no connection" in refusal("--to-dicomweb", f"http://127.0.0.1:{orthanc.dicom}")
        assert "TLS failed" in refusal("--to-dicomweb", f"https://127.0.0.1:{orthanc.http}")

    @pytest.mark.slow
    def test_another_path(self, orthanc, refusal):
        assert "404 Not Found (Unknown resource)" in refusal("--to-dicomweb", f"{orthanc.root}/elsewhere")

    @pytest.mark.slow
    def test_no_credentials_or_wrong_ones(self, orthanc, refusal, monkeypatch):
        monkeypatch.setenv("SYNTHAUG_DICOMWEB_PASSWORD", "a guess")
        assert "401 Unauthorized, set SYNTHAUG_DICOMWEB_USER" in refusal("--to-dicomweb", orthanc.url)
        monkeypatch.delenv("SYNTHAUG_DICOMWEB_USER")
        monkeypatch.delenv("SYNTHAUG_DICOMWEB_PASSWORD")
        assert "401 Unauthorized" in refusal("--to-dicomweb", orthanc.url)
        assert orthanc.rest("/instances") == []


class TestWhatIsNotSent:
    @pytest.mark.slow
    def test_is_what_the_memorization_gate_stops(self, orthanc, tmp_path):
        real = tiny_images((20, 20), side=32)
        write_images(ImageStream.of(real), tmp_path / "real.h5")
        copies = tiny_images((2, 2), side=32, synthetic=True)
        copied = LabeledImages(
            real.pixels[:4], copies.labels, copies.class_names, copies.synthetic, None, copies.provenance
        )
        write_images(ImageStream.of(copied, memorization_gate="not checked"), tmp_path / "set-dicom")
        compared = ("--training-images", tmp_path / "real.h5")
        run = send(tmp_path / "set-dicom", "--to-pacs", orthanc, *compared)
        assert run.status == 3, run.err
        assert "near copies of training images" in run.err
        assert orthanc.rest("/instances") == []
        run = send(tmp_path / "set-dicom", "--to-pacs", orthanc, *compared, "--allow-near-copies")
        assert run.status == 0, run.err
        assert len(orthanc.rest("/instances")) == 4

    def test_is_an_original(self, tmp_path):
        (tmp_path / "in").mkdir()
        shutil.copy(get_testdata_file("CT_small.dcm"), tmp_path / "in" / "a.dcm")
        run = synthaug("export", tmp_path / "in", "--to-pacs", "A@127.0.0.1:1")
        assert run.status == 2
        assert "export it first, so that identities are removed" in run.err

    def test_is_an_original_among_exported_files(self, exported):
        shutil.copy(get_testdata_file("CT_small.dcm"), exported / "normal" / "extra")
        run = synthaug("export", exported, "--to-pacs", "A@127.0.0.1:1")
        assert run.status == 2
        assert "normal/extra: not written by synthaug or it names a patient" in run.err

    def test_is_an_exported_file_that_was_given_a_name(self, exported):
        path = next(exported.rglob("*.dcm"))
        dataset = dcmread(path)
        dataset.PatientName = "Doe^Jane"
        dataset.save_as(path)
        run = synthaug("export", exported, "--to-pacs", "A@127.0.0.1:1")
        assert run.status == 2
        assert "Doe" not in run.err

    @pytest.mark.parametrize(
        "keyword", ["InstitutionName", "OtherPatientIDs", "PatientBirthDate", "ReferringPhysicianName"]
    )
    @pytest.mark.parametrize("nested", [False, True])
    def test_is_an_exported_file_to_which_something_was_added(self, exported, keyword, nested):
        path = next(exported.rglob("*.dcm"))
        dataset = dcmread(path)
        setattr(dataset.AcquisitionContextSequence[0] if nested else dataset, keyword, "19700101")
        dataset.save_as(path)
        run = synthaug("export", exported, "--to-pacs", "A@127.0.0.1:1")
        assert run.status == 2
        assert f"or it names a patient ({keyword})" in run.err
        assert "19700101" not in run.err

    def test_is_what_was_added_behind_the_pixels_or_in_private(self, exported):
        first, second = sorted(exported.rglob("*.dcm"))[:2]
        dataset = dcmread(first)
        dataset.add_new(0xFFFCFFFC, "OB", b"Doe^Jane")
        dataset.save_as(first)
        assert "(DataSetTrailingPadding)" in synthaug("export", exported, "--to-pacs", "A@127.0.0.1:1").err
        first.unlink()
        dataset = dcmread(second)
        dataset.add_new(0x00091001, "LO", "Doe^Jane")
        dataset.save_as(second)
        assert "((0009,1001))" in synthaug("export", exported, "--to-pacs", "A@127.0.0.1:1").err

    @pytest.mark.parametrize(
        "writing", [DESCRIBED, WriteOptions(laterality="R", dicomdir=True), WriteOptions()]
    )
    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_is_nothing_that_synthaug_writes(self, tmp_path, kind, writing):
        write_images(ImageStream.of(blend(**kind)), tmp_path / "a-dicom", writing=writing)
        assert len(exported_instances(tmp_path / "a-dicom")) == 9


class TestResuming:
    """Near copies of training images, sent to where nobody listens: the gate's verdict is all that counts."""

    @pytest.fixture
    def command(self, tmp_path: Path) -> tuple[object, ...]:
        real = tiny_images((20, 20), side=32)
        write_images(ImageStream.of(real), tmp_path / "real.h5")
        made = replace(tiny_images((2, 2), side=32, synthetic=True), pixels=real.pixels[:4])
        passed = "passed, no near copy: compared with another"
        write_images(ImageStream.of(made, memorization_gate=passed), tmp_path / "set-dicom")
        return ("export", tmp_path / "set-dicom", *TO_PACS, "--resume")

    def test_asks_the_gate_where_nothing_was_judged_here(self, command, tmp_path):
        assert synthaug(*command, "--training-images", tmp_path / "real.h5").status == 3

    @leaves_a_socket
    def test_asks_the_gate_about_what_changed_or_other_training_images(self, command, tmp_path):
        write_images(ImageStream.of(tiny_images((20, 20), side=32, seed=5)), tmp_path / "other.h5")
        compared = ("--training-images", tmp_path / "other.h5")
        assert synthaug(*command, *compared).status == 4  # passed; nobody listens
        again = synthaug(*command)
        assert (again.status, "passed, no near copy" in again.out) == (4, True)
        assert synthaug(*command, "--training-images", tmp_path / "real.h5").status == 3
        next((tmp_path / "set-dicom").rglob("*.dcm")).unlink()
        again = synthaug(*command)
        assert "not checked" in again.out

    @leaves_a_socket
    def test_is_for_the_options_that_the_target_was_made_with(self, tmp_path):
        write_images(ImageStream.of(tiny_images((4, 4))), tmp_path / "a.h5")
        command = ("export", tmp_path / "a.h5", tmp_path / "b-dicom", *TO_PACS)
        assert synthaug(*command, "--size", 8).status == 4  # written; nobody listens
        for more, said in (
            ((), "other --size"),
            (("--size", 8, "--body-part", "CHEST"), "other --body-part:"),
            (("--size", 8, "--split", "test"), "other --split:"),
        ):
            run = synthaug(*command, "--resume", *more)
            assert run.status == 2
            assert said in run.err
        assert synthaug(*command, "--resume", "--size", 8).status == 4
        assert str(tmp_path) not in next((tmp_path / "b-dicom").glob("sent-*")).read_text()

    @leaves_a_socket
    def test_goes_on_where_the_target_was_written_and_nothing_was_sent(self, tmp_path, monkeypatch):
        write_images(ImageStream.of(tiny_images((4, 4))), tmp_path / "a.h5")
        command = ("export", tmp_path / "a.h5", tmp_path / "b-dicom", *TO_PACS)
        with monkeypatch.context() as patch:
            patch.setattr("synthaug._api.archive.send_files", lambda *_, **__: sys.exit(137))
            assert synthaug(*command).status == 137
        assert "sent-" not in (tmp_path / "b-dicom" / "croissant.json").read_text()
        run = synthaug(*command, "--resume")
        assert run.status == 4
        assert "0 of 8 instances are stored there" in run.err
        assert synthaug(*command, "--resume", "--size", 8).status == 2

    def test_is_refused_where_nobody_noted_them(self, tmp_path):
        write_images(ImageStream.of(tiny_images((4, 4))), tmp_path / "a.h5")
        command = ("export", tmp_path / "a.h5", tmp_path / "b-dicom")
        assert synthaug(*command).status == 0
        run = synthaug(*command, *TO_PACS, "--resume")
        assert run.status == 2
        assert "send it as it is" in run.err


TO_PACS = ("--to-pacs", "A@127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("set-dicom",), "expected TARGET, --splits, --to-dicomweb or --to-pacs"),
        (("set-dicom", *TO_PACS, "--to-dicomweb", "http://127.0.0.1:1"), "expected one archive"),
        (("set-dicom", "b-dicom", "--resume"), "--resume: goes on sending"),
        (("phantom:n=60", *TO_PACS), "phantom:n=60: no DICOM folder"),
        (("phantom:n=60", "b.h5", *TO_PACS), "an archive takes DICOM"),
        (("set-dicom", *TO_PACS, "--bits", "8"), "--bits"),
        (("set-dicom", *TO_PACS, "--size", "16"), "--size"),
        (("set-dicom", *TO_PACS, "--format", "dicom", "--split", "test"), "--format, --split"),
        (("set-dicom", *TO_PACS, "--body-part", "CHEST"), "--body-part"),
        (("phantom:n=60", "set-dicom", *TO_PACS, "--resume"), "was made of something else"),
        (("phantom:n=60", "set-dicom", *TO_PACS, "--resume", "--overwrite"), "--resume and --overwrite"),
        (("set-dicom", "--to-pacs", "127.0.0.1:104"), "expected AE@host:port"),
        (("set-dicom", "--to-pacs", "SEVENTEEN_LETTERS@127.0.0.1:104"), "expected AE@host:port"),
        (("set-dicom", "--to-pacs", "A@127.0.0.1:70000"), "expected AE@host:port"),
        (("set-dicom", "--to-dicomweb", "ftp://127.0.0.1"), "expected http(s)://host:port/path"),
        (("set-dicom", "--to-dicomweb", "http://[::1"), "expected http(s)://host:port/path"),
        (("set-dicom", "--to-dicomweb", "http://me:mine@127.0.0.1"), "credentials in the URL"),
    ],
)
def test_wrong_usage_is_one_line(arguments, word, exported, monkeypatch):
    monkeypatch.chdir(exported.parent)
    run = synthaug("export", *arguments)
    assert run.status == 2
    assert word in run.err
    assert len(run.err.strip().splitlines()) == 1
    assert "mine" not in run.err


@pytest.mark.parametrize(
    ("way", "module"), [("--to-dicomweb", "dicomweb_client"), ("--to-pacs", "pynetdicom")]
)
def test_a_missing_library_names_the_extra(way, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # as where it is not installed
    run = synthaug("export", "a-dicom", way, "http://a" if way == "--to-dicomweb" else "A@b:1")
    assert run.status == 2
    assert "pip install 'synthaug[pacs]'" in run.err
