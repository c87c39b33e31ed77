"""A running archive, a folder to send to it, and the command that sends."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Run, synthaug
from orthanc import Orthanc, archive, credentials
from tiny_images import tiny_images

from synthaug.augment.formats.registry import write_images
from synthaug.augment.stream import ImageStream

pytest.importorskip("dicomweb_client")
pytest.importorskip("pynetdicom")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with archive(tmp_path_factory.mktemp("archive") / "orthanc", DicomAlwaysAllowGet=True) as made:
        yield made


@pytest.fixture
def orthanc(running: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """Empty, and ours to send to."""
    credentials(monkeypatch)
    running.empty()
    return running


@pytest.fixture
def garbage() -> Iterator[None]:
    yield
    gc.collect()


def leaves_a_socket(test: Any) -> Any:
    """pynetdicom leaves a socket that was never connected to the garbage collector."""
    quiet = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    return pytest.mark.usefixtures("garbage")(quiet(test))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "set-dicom"
    write_images(ImageStream.of(tiny_images((10, 10))), folder)
    return folder


@pytest.fixture
def exported(original: Path, tmp_path: Path) -> Path:
    """20 real images of nobody in two series."""
    return Path(shutil.copytree(original, tmp_path / "set-dicom"))


def send(folder: Path, way: str, orthanc: Orthanc, *more: object) -> Run:
    return synthaug("export", folder, way, place(way, orthanc), "--json", *more)


def place(way: str, orthanc: Orthanc) -> str:
    return orthanc.url if way == "--to-dicomweb" else orthanc.address
