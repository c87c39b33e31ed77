"""Sending to a real archive: what is exported arrives once, whole, and comes back as it was."""
# ruff: noqa: F811 (fixtures are imported)

import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from archive_fixtures import (  # noqa: F401
    exported,
    garbage,
    leaves_a_socket,
    original,
    orthanc,
    place,
    running,
    send,
)
from cli_runner import synthaug
from orthanc import PASSWORD, USER, Orthanc, archive, credentials
from pydicom import Dataset, dcmread
from tiny_images import tiny_images

from synthaug.augment.archive.instances import exported_instances
from synthaug.augment.archive.sending import acknowledged
from synthaug.augment.formats.registry import write_images
from synthaug.augment.images import LabeledImages, concatenate
from synthaug.augment.stream import ImageStream

pytestmark = pytest.mark.slow  # a server that Debian has
WAYS = pytest.mark.parametrize("way", ["--to-dicomweb", "--to-pacs"])
Pixels = dict[str, npt.NDArray[np.generic]]  # by SOP Instance UID


@pytest.fixture(autouse=True)
def _few_images_per_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few images are several requests."""
    monkeypatch.setattr("synthaug.augment.archive.dicomweb.DicomWeb.per_request", 4)


def blend(synthetic: int, real: int) -> LabeledImages:
    """Two classes; of the real ones, two images per patient and class."""
    made = tiny_images((synthetic // 2, synthetic // 2), synthetic=True)
    return concatenate([made, tiny_images((real // 2, real // 2), patients=2)])


def pixels_in(folder: Path) -> Pixels:
    return {file.uid: dcmread(file.path).pixel_array for file in exported_instances(folder)}


def series_in(folder: Path) -> set[tuple[str, str]]:
    return {(file.study, file.series) for file in exported_instances(folder)}


def fetched(way: str, orthanc: Orthanc, folder: Path) -> Pixels:
    get = by_wado if way == "--to-dicomweb" else by_c_get
    datasets = [dataset for series in sorted(series_in(folder)) for dataset in get(orthanc, *series)]
    assert len({str(dataset.SOPInstanceUID) for dataset in datasets}) == len(datasets)
    return {str(dataset.SOPInstanceUID): dataset.pixel_array for dataset in datasets}


def by_wado(orthanc: Orthanc, study: str, series: str) -> list[Dataset]:
    from dicomweb_client import DICOMwebClient
    from dicomweb_client.session_utils import create_session_from_user_pass

    client = DICOMwebClient(orthanc.url, session=create_session_from_user_pass(USER, PASSWORD))
    found = client.search_for_instances(study, series)
    retrieved: list[Dataset] = client.retrieve_series(study, series)
    assert len(retrieved) == len(found)
    return retrieved


def by_c_get(orthanc: Orthanc, study: str, series: str) -> list[Dataset]:
    """C-FIND says how many there are, C-GET fetches them."""
    from pynetdicom import AE, build_role, evt
    from pynetdicom.sop_class import (  # type: ignore[attr-defined]
        SecondaryCaptureImageStorage,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
    )

    got: list[Dataset] = []

    def keep(event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        got.append(dataset)
        return 0

    entity = AE("TESTS")
    for context in (
        SecondaryCaptureImageStorage,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
    ):
        entity.add_requested_context(context)
    association = entity.associate(
        "127.0.0.1",
        orthanc.dicom,
        ae_title=orthanc.aet,
        ext_neg=[build_role(SecondaryCaptureImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    asked = Dataset()
    asked.QueryRetrieveLevel = "IMAGE"
    asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.SOPInstanceUID = study, series, ""
    find = association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)
    found = [row for _, row in find if row is not None]
    asked.QueryRetrieveLevel = "SERIES"
    del asked.SOPInstanceUID
    statuses = [s for s, _ in association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet)]
    association.release()
    assert statuses[-1].Status == 0
    assert len(got) == len(found)
    return got


def assert_equal(one: Pixels, other: Pixels) -> None:
    assert one.keys() == other.keys()
    for uid, pixels in one.items():
        np.testing.assert_array_equal(pixels, other[uid])


@WAYS
class TestWhatIsSent:
    def test_is_found_and_comes_back_pixel_exact(self, way, orthanc, tmp_path):
        folder = tmp_path / "blend-dicom"
        write_images(ImageStream.of(blend(12, 8)), folder)
        run = send(folder, way, orthanc)
        assert run.status == 0, run.err
        counts = {key: run.json[key] for key in ("instances", "sent", "already_there", "failed", "found")}
        assert counts == {"instances": 20, "sent": 20, "already_there": 0, "failed": 0, "found": 20}
        assert_equal(fetched(way, orthanc, folder), pixels_in(folder))

    def test_is_found_and_comes_back_pixel_exact_500_times(self, way, orthanc, tmp_path):
        folder = tmp_path / "many-dicom"
        write_images(ImageStream.of(blend(400, 100)), folder)
        run = send(folder, way, orthanc)
        assert run.status == 0, run.err
        assert (run.json["sent"], run.json["found"]) == (500, 500)
        assert orthanc.rest("/statistics")["CountInstances"] == 500
        assert_equal(fetched(way, orthanc, folder), pixels_in(folder))

    def test_is_written_to_the_target_first(self, way, orthanc, tmp_path):
        write_images(ImageStream.of(tiny_images((2, 2))), tmp_path / "a.h5")
        run = synthaug("export", tmp_path / "a.h5", tmp_path / "b-dicom", way, place(way, orthanc), "--json")
        assert run.status == 0, run.err
        assert (run.json["real"], run.json["sent"]) == (4, 4)
        assert_equal(fetched(way, orthanc, tmp_path / "b-dicom"), pixels_in(tmp_path / "b-dicom"))

    def test_is_not_sent_twice(self, way, exported, orthanc):
        assert send(exported, way, orthanc).status == 0
        received = orthanc.receptions()
        again = send(exported, way, orthanc)
        assert again.status == 2
        assert "20 of 20 instances are in" in again.err
        assert "--resume" in again.err
        resumed = send(exported, way, orthanc, "--resume")
        assert (resumed.status, resumed.json["sent"], resumed.json["already_there"]) == (0, 0, 20)
        assert orthanc.receptions() == received

    def test_is_not_sent_where_another_export_brought_it(self, way, exported, original, orthanc, tmp_path):
        assert send(exported, way, orthanc).status == 0
        received = orthanc.receptions()
        run = send(Path(shutil.copytree(original, tmp_path / "other-dicom")), way, orthanc)
        assert (run.status, run.json["sent"], run.json["already_there"]) == (0, 0, 20)
        assert orthanc.receptions() == received

    def test_and_lost_there_is_said(self, way, exported, orthanc):
        assert send(exported, way, orthanc).status == 0
        orthanc.delete(f"/instances/{orthanc.rest('/instances')[0]}")
        run = send(exported, way, orthanc, "--resume")
        assert (run.status, run.json["found"]) == (4, 19)
        assert "acknowledged 20 instances and finds 19" in run.err
        next(exported.glob("sent-*.jsonl")).unlink()
        run = send(exported, way, orthanc, "--resume")
        assert (run.status, run.json["sent"], run.json["already_there"]) == (0, 1, 19)

    def test_leaves_no_credentials_behind(self, way, exported, orthanc):
        assert send(exported, way, orthanc).status == 0
        (state,) = exported.glob("sent-*.jsonl")
        assert place(way, orthanc) in state.read_text()
        assert PASSWORD not in state.read_text()


@WAYS
@leaves_a_socket
class TestAnArchiveThatDiesMidway:
    def test_leaves_a_state_from_which_the_rest_is_sent_once(self, way, exported, monkeypatch, tmp_path):
        credentials(monkeypatch)
        with archive(tmp_path / "dying") as dying:
            killer = threading.Thread(target=self.kill_after, args=(4, exported, dying))
            killer.start()
            broken = send(exported, way, dying)
            killer.join()
            (state,) = exported.glob("sent-*.jsonl")
            known = acknowledged(state)
            assert broken.status == 4
            assert f"{len(known)} of 20 instances are stored there" in broken.err
            assert "the same command with --resume goes on" in broken.err
            assert (broken.json["sent"], broken.json["found"]) == (len(known), None)
            assert 4 <= len(known) < 20
            assert send(exported, way, dying, "--resume").status == 4  # it is still dead

            received = dying.start().receptions()
            assert len(received) >= len(known)
            resumed = send(exported, way, dying, "--resume")
            assert resumed.status == 0, resumed.err
            assert resumed.json["sent"] == 20 - len(received)
            assert resumed.json["found"] == 20
            assert dying.rest("/statistics")["CountInstances"] == 20
            assert received.items() <= dying.receptions().items()  # none of these was sent again

    @staticmethod
    def kill_after(n: int, folder: Path, orthanc: Orthanc) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if any(len(acknowledged(state)) >= n for state in folder.glob("sent-*.jsonl")):
                return orthanc.kill(signal.SIGKILL)
            time.sleep(0.001)
        return None

    def test_is_sent_the_target_that_was_written(self, way, monkeypatch, tmp_path):
        credentials(monkeypatch)
        write_images(ImageStream.of(tiny_images((2, 2))), tmp_path / "a.h5")
        with archive(tmp_path / "dead") as dead:
            dead.kill()
            command = ("export", tmp_path / "a.h5", tmp_path / "b-dicom", way, place(way, dead), "--json")
            assert synthaug(*command).status == 4
            dead.start()
            assert synthaug(*command).status == 2  # TARGET exists
            run = synthaug(*command, "--resume")
            assert (run.status, run.json["sent"]) == (0, 4), run.err
