"""What a DICOMweb server may answer: a small one here, with credentials and TLS, and odd ones."""

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_runner import Run, synthaug
from tiny_images import tiny_images

from synthaug.augment.archive.instances import exported_instances
from synthaug.augment.formats.registry import write_images
from synthaug.augment.stream import ImageStream

pytest.importorskip("dicomweb_client")

UID, REFERENCED, DONE = (
    "00080018",
    "00081155",
    "00081199",
)  # SOP Instance UID, of those stored, their sequence
Answer = tuple[int, dict[str, str], object]


class Service(BaseHTTPRequestHandler):
    """Takes all that it is sent and finds it again."""

    uids: tuple[str, ...] = ()
    stored: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()  # Authorization of each request

    def search(self) -> Answer:
        first = "offset=0" in self.path
        return 200, {}, [{UID: {"vr": "UI", "Value": [uid]}} for uid in self.stored if first]

    def store(self) -> Answer:
        type(self).stored = self.uids
        done = [{REFERENCED: {"vr": "UI", "Value": [uid]}} for uid in self.uids]
        return 200, {}, {DONE: {"vr": "SQ", "Value": done}}

    def do_GET(self) -> None:
        self._say(*self.search())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(*self.store())

    def _say(self, status: int, headers: dict[str, str], answer: object) -> None:
        type(self).seen += (self.headers.get("Authorization", ""),)
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/dicom+json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Redirecting(Service):
    def store(self) -> Answer:
        return 302, {"Location": "/elsewhere?a=secret"}, {}


class Silent(Service):
    def store(self) -> Answer:
        return 200, {}, {}


class AnsweringAList(Service):
    def store(self) -> Answer:
        return 200, {}, []


class Nameless(Service):
    def search(self) -> Answer:
        return 200, {}, [{"00080016": {"vr": "UI", "Value": ["1.2"]}}]


@contextmanager
def serving(service: type[Service], certificate: Path | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), service)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def send(tmp_path: Path) -> Callable[..., Run]:
    """Four images to a service, which is asked for them again."""
    folder = tmp_path / "a-dicom"
    write_images(ImageStream.of(tiny_images((2, 2))), folder)

    def to(service: type[Service], certificate: Path | None = None, *more: object) -> Run:
        service.uids = tuple(file.uid for file in exported_instances(folder))
        service.stored = service.seen = ()
        with serving(service, certificate) as address:
            return synthaug("export", folder, "--to-dicomweb", address, "--json", *more)

    return to


def test_a_bearer_token_goes_with_every_request_and_the_line_end_of_its_file_does_not(send, monkeypatch):
    monkeypatch.setenv("SYNTHAUG_DICOMWEB_TOKEN", "abc.DEF-123\n")
    run = send(Service)
    assert (run.status, run.json["sent"], run.json["found"]) == (0, 4, 4), run.err
    assert set(Service.seen) == {"Bearer abc.DEF-123"}


@pytest.mark.parametrize("token", ["not one\nbut two", "schlüssel", "a\tb"])
def test_a_token_that_is_none_is_refused_and_not_shown(send, monkeypatch, token):
    monkeypatch.setenv("SYNTHAUG_DICOMWEB_TOKEN", token)
    run = send(Service)
    assert run.status == 2
    assert "SYNTHAUG_DICOMWEB_TOKEN: " in run.err
    assert token[:5] not in run.err + run.out
    assert Service.seen == ()


def test_a_server_whose_certificate_is_trusted_is_sent_to(send, tmp_path, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, not found")
    certificate = tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    made += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        certificate,
        "-out",
        tmp_path / "public.pem",
    ]
    subprocess.run(made, check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((tmp_path / "public.pem").read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "public.pem"))
    run = send(Service, certificate)
    assert (run.status, run.json["sent"], run.json["found"]) == (0, 4, 4), run.err
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    run = send(Service, certificate, "--resume")
    assert run.status == 2
    assert "nowhere.pem not found" in run.err
    assert len(run.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (Redirecting, "it redirects what is to be stored to /elsewhere, use the URL of its service"),
        (Silent, "refused 4 of 4 instances"),
        (AnsweringAList, "no answer of STOW-RS as PS3.18 has it"),
        (Nameless, "no answer of QIDO-RS as PS3.18 has it"),
    ],
)
def test_an_odd_answer_is_one_line_and_nothing_counts_as_stored(send, service, said):
    run = send(service)
    assert (run.status, run.json["sent"]) == (4, 0)
    line = run.err.strip().splitlines()[-1]
    assert said in line
    assert " 0 " in line
    assert "secret" not in line
    assert "Traceback" not in run.err
