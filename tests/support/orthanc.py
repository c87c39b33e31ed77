"""A real archive: Orthanc with DICOMweb, on free ports of this machine, its files in a temporary folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from debian import debian_package

requests = pytest.importorskip("requests")  # comes with dicomweb-client

USER, PASSWORD = "synthaug", "a secret"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


class Orthanc:
    """One archive; it keeps its ports and files from one `start` to the next.

    OverwriteInstances is set, so that an instance that is sent twice shows: it is received anew.
    """

    def __init__(self, folder: Path, **configuration: Any):
        debian_package("orthanc", "orthanc-dicomweb")
        self.folder = folder
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            self.http, self.dicom = (_free_port(stack) for _ in range(2))
        self.aet = "ARCHIVE"
        settings = {
            "StorageDirectory": str(folder / "files"),
            "IndexDirectory": str(folder / "files"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": self.aet,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": True,
            "OverwriteInstances": True,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "Plugins": [PLUGIN],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **configuration,
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def url(self) -> str:
        return f"{self.root}/dicom-web"

    @property
    def address(self) -> str:
        return f"{self.aet}@127.0.0.1:{self.dicom}"

    def start(self) -> "Orthanc":
        binary = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [binary, str(self.folder / "orthanc.json")], stdout=log, stderr=log, cwd=self.folder
            )
        for _ in range(400):
            if self.process.poll() is not None:
                break
            try:
                requests.get(f"{self.root}/system", auth=(USER, PASSWORD), timeout=5)
                return self
            except requests.ConnectionError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            os.kill(self.process.pid, how)
            self.process.wait()
            self.process = None

    def rest(self, path: str) -> Any:
        """What Orthanc's own interface says."""
        return self.raw(path).json()

    def raw(self, path: str) -> Any:
        answer = requests.get(f"{self.root}{path}", auth=(USER, PASSWORD), timeout=30)
        answer.raise_for_status()
        return answer

    def delete(self, path: str) -> None:
        requests.delete(f"{self.root}{path}", auth=(USER, PASSWORD), timeout=30).raise_for_status()

    def empty(self) -> None:
        for patient in self.rest("/patients"):
            self.delete(f"/patients/{patient}")

    def files(self) -> dict[str, bytes]:
        """Every file as it is stored, by SOP Instance UID."""
        rows = self.rest("/instances?expand")
        return {
            row["MainDicomTags"]["SOPInstanceUID"]: self.raw(f"/instances/{row['ID']}/file").content
            for row in rows
        }

    def receptions(self) -> dict[str, int]:
        """The number in Orthanc's history at which it received each instance that it holds."""
        seen: dict[str, int] = {}
        since, done = 0, False
        while not done:
            page = self.rest(f"/changes?limit=1000&since={since}")
            since, done = page["Last"], page["Done"]
            seen |= {row["ID"]: row["Seq"] for row in page["Changes"] if row["ChangeType"] == "NewInstance"}
        return {ID: seen[ID] for ID in self.rest("/instances")}


@contextmanager
def archive(folder: Path, **configuration: Any) -> Iterator[Orthanc]:
    made = Orthanc(folder, **configuration)
    try:
        yield made.start()
    finally:
        made.kill()


def credentials(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("SYNTHAUG_DICOMWEB_USER", USER)
    patch.setenv("SYNTHAUG_DICOMWEB_PASSWORD", PASSWORD)


def _free_port(stack: ExitStack) -> int:
    """Free now, and kept until `stack` ends, so that the next call finds another."""
    holder = stack.enter_context(socket.socket())
    holder.bind(("127.0.0.1", 0))
    return int(holder.getsockname()[1])
