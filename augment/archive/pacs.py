"""An archive that speaks DIMSE (PS3.7): C-STORE to store, C-FIND to search."""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from synthaug.augment.archive.instances import Answer, ArchiveError, Instance, judge
from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

CALLING_AE = "SYNTHAUG"
FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")  # Study Root Query/Retrieve Information Model - FIND
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
CONNECT, ANSWER = 10, 60  # seconds
PENDING = (0xFF00, 0xFF01)


class Pacs:
    """An application entity on the network, called by us as SYNTHAUG.

    Args:
        address: AE@host:port, the AE title of 1 to 16 characters (PS3.5 6.2).

    Raises:
        UsageError: no such address, or pynetdicom is missing.
    """

    per_request = 1

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"([ -\[\]-~]{1,16})@(\[[0-9a-fA-F:]+\]|[^@:\s]+):(\d{1,5})", address)
        if not found or not found[1].strip() or not 0 < int(found[3]) < 2**16:
            raise UsageError(f"--to-pacs {address}: expected AE@host:port, such as ORTHANC@127.0.0.1:4242")
        try:
            import pynetdicom  # noqa: F401
        except ImportError:
            raise UsageError("--to-pacs needs pynetdicom, not found: pip install 'synthaug[pacs]'") from None
        self.address = address
        self.title, self.host, self.port = found[1], found[2].strip("[]"), int(found[3])

    @contextmanager
    def connected(self, instances: Sequence[Instance]) -> Iterator["_Associated"]:
        """One association for searching and storing; released at the end."""
        kinds = {(file.sop_class, file.transfer_syntax) for file in instances}
        with ExitStack() as sockets:
            association = self._associated(_contexts(kinds), sockets)
            if not association.is_established:
                raise ArchiveError(self._why_not(association))
            with _undisturbed(association):
                try:
                    yield _Associated(association, _can_search(association, kinds))
                    if association.is_established:
                        association.release()
                finally:
                    if association.is_established:  # something went wrong: wait for nobody
                        association.abort()

    def _associated(self, contexts: list["PresentationContext"], sockets: ExitStack) -> "Association":
        from pynetdicom import evt

        def opened(event: "Event") -> None:
            _without_delay(event)
            if event.assoc.dul.socket is not None and event.assoc.dul.socket.socket is not None:
                # pynetdicom does not close a socket whose other end is gone already.
                sockets.callback(event.assoc.dul.socket.socket.close)

        try:
            return _entity().associate(
                self.host,
                self.port,
                contexts=contexts,
                ae_title=self.title,
                evt_handlers=[(evt.EVT_CONN_OPEN, opened), (evt.EVT_DATA_SENT, _without_delay)],
            )
        except OSError as error:  # no such host
            raise ArchiveError(f"no connection ({error.strerror or error}), check host and port") from error

    def _why_not(self, association: "Association") -> str:
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            return (
                f"association rejected ({answer.reason_str}), check the AE titles: called {self.title}, "
                f"calling {CALLING_AE}"
            )
        try:
            socket.create_connection((self.host, self.port), CONNECT).close()
        except OSError as error:
            return f"no connection ({error.strerror or error}), check host and port"
        return "no association: the other end gave no answer or broke it off, check that it is a DICOM port"


class _Associated:
    """An established association."""

    def __init__(self, association: "Association", can_search: bool) -> None:
        self._association = association
        self._can_search = can_search

    def instances_of(self, study: str, series: str) -> set[str] | None:
        """C-FIND at IMAGE level (PS3.4 C.6.2.1)."""
        if not self._can_search:
            return None
        self._must_stand()
        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE"
        asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.SOPInstanceUID = study, series, ""
        found: set[str] = set()
        for status, row in self._association.send_c_find(asked, FIND):
            if "Status" not in status:
                raise ArchiveError("the association broke off during C-FIND")
            if status.Status in PENDING and row is not None:
                found.add(str(row.SOPInstanceUID))
            elif status.Status:
                self._can_search = False
                return None
        return found

    def store(self, batch: Sequence[Instance]) -> Answer:
        """C-STORE, one after the other (PS3.7 9.1.1)."""
        from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS as WORDS

        answer = Answer()
        for file in batch:
            self._must_stand()
            status = self._association.send_c_store(dcmread(file.path))
            if "Status" not in status:
                raise ArchiveError("the association broke off, or no answer in time")
            code = int(status.Status)
            if code == 0 or 0xB000 <= code < 0xC000:  # a warning is stored (PS3.4 B.2.3)
                answer.stored.append(file.uid)
            else:
                words = str(status.get("ErrorComment") or "") or WORDS.get(code, ("", ""))[1]
                judge(file.uid, code, words, answer)
        return answer

    def _must_stand(self) -> None:
        if not self._association.is_established:
            raise ArchiveError("the association broke off")


@contextmanager
def _undisturbed(association: "Association") -> Iterator[None]:
    """Keep the association's own thread paused from the first request to the last.

    pynetdicom pauses and wakes it around every request; on a busy machine it wakes late, takes the answer to
    the next request for itself, and that request waits until it times out (pynetdicom issue 875).
    """
    awake = association._reactor_checkpoint
    awake.clear()
    time.sleep(0.01)  # where the thread was waking at this moment
    while association.is_alive() and not association._is_paused:
        time.sleep(0.001)
    awake.set = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del awake.set
        awake.set()


def _can_search(association: "Association", kinds: set[tuple[str, str]]) -> bool:
    """Whether C-FIND was accepted; raises ArchiveError where the files were not."""
    taken = {
        (str(context.abstract_syntax), str(syntax))
        for context in association.accepted_contexts
        for syntax in context.transfer_syntax
    }
    for sop_class, syntax in sorted(kinds):
        if not taken & {(sop_class, each) for each in _syntaxes(syntax)}:
            raise ArchiveError(
                f"takes no {UID(sop_class).name} as {UID(syntax).name}, set the archive to take it"
            )
    return any(str(FIND) == accepted for accepted, _ in taken)


def _entity() -> "AE":
    from pynetdicom import AE

    entity = AE(ae_title=CALLING_AE)
    entity.connection_timeout, entity.acse_timeout = CONNECT, ANSWER
    entity.dimse_timeout = entity.network_timeout = ANSWER
    return entity


def _without_delay(event: "Event") -> None:
    """Requests and answers are two small packets each: the second waits for the first to be acknowledged.

    By default that takes 40 ms on either side, ten times as long as storing an image. Ours is not held back;
    nor is the archive's if its first is acknowledged at once, which Linux must be told after each send.
    """
    transport = event.assoc.dul.socket
    if transport is None or transport.socket is None:
        return
    for option in ("TCP_NODELAY", "TCP_QUICKACK"):
        if number := getattr(socket, option, None):
            transport.socket.setsockopt(socket.IPPROTO_TCP, number, 1)


def _contexts(kinds: set[tuple[str, str]]) -> list["PresentationContext"]:
    """One per SOP class and transfer syntax, so that files can go as they are, and one to search with."""
    from pynetdicom import build_context

    wanted = sorted({(sop_class, each) for sop_class, syntax in kinds for each in _syntaxes(syntax)})
    if len(wanted) >= MOST_CONTEXTS:
        raise ArchiveError(
            f"{len(wanted)} kinds of files, expected fewer than {MOST_CONTEXTS}, send them apart"
        )
    return [*(build_context(*kind) for kind in wanted), build_context(FIND)]


def _syntaxes(syntax: str) -> tuple[str, ...]:
    """The file's own, and for plain pixels the one that every archive must take (PS3.5 10.1)."""
    if syntax == ExplicitVRLittleEndian:
        return syntax, str(ImplicitVRLittleEndian)
    return (syntax,)
