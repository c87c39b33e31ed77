"""Sending an exported DICOM folder to an archive, so that it can be broken off and goes on.

What the archive acknowledges is noted in a small file in the folder, request by request. Going on sends what
is not noted there; what the archive acknowledged to nobody, since one of the two died, it is asked for.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from synthaug.augment.archive.instances import Answer, Archive, ArchiveError, Connection, Instance
from synthaug.augment.errors import DataError, UsageError

log = logging.getLogger("synthaug")

REQUEST_BYTES = 16 * 2**20  # of files in one request: what both ends must hold in memory


@dataclass(frozen=True)
class Delivery:
    """What became of a folder's instances.

    Attributes:
        total: different instances in the folder.
        sent: acknowledged now.
        already_there: acknowledged before, or found in the archive.
        failed: refused by the archive.
        found: how many of them the archive finds at the end; None where it was not or could not be asked.
        trouble: what went wrong, in one line; empty where every instance is in the archive.
    """

    total: int
    sent: int
    already_there: int
    failed: int
    found: int | None
    trouble: str


def send(
    files: Sequence[Instance],
    folder: Path,
    archive: Archive,
    *,
    resume: bool = False,
    facts: Mapping[str, object] = MappingProxyType({}),
    advance: Callable[[int], None] = lambda n: None,
) -> Delivery:
    """Send every instance that the archive does not have, then count what it finds.

    Args:
        files: what `exported_instances` found in `folder`.
        folder: the file of acknowledgements is kept in it.
        archive: where to.
        resume: go on where an earlier call was broken off.
        facts: to be noted of exactly these files, for `noted`.
        advance: told of each number of instances that is done with.

    Raises:
        UsageError: some are acknowledged already, and `resume` is not set.
        DataError: the folder cannot be written to.
    """
    if not resume:
        refuse_begun(files, folder, archive)
    state = state_of(folder, archive)
    known = acknowledged(state) & {file.uid for file in files}
    advance(len(known))
    answer, found, trouble = Answer(known=sorted(known)), None, ""
    try:
        with (
            _notes(state, {"archive": archive.address, "of": digest(files), **facts}) as note,
            archive.connected(files) as connection,
        ):
            waiting = [file for file in files if file.uid not in known]
            there = _found(connection, waiting)
            if there is None:
                log.warning("%s cannot be searched: not checked what is there", archive.address)
            there = there or set()
            answer.known += note(sorted(there))
            advance(len(there))
            waiting = [file for file in waiting if file.uid not in there]
            for batch in _requests(waiting, archive.per_request):
                part = connection.store(batch)
                answer.stored += note(part.stored)
                answer.known += note(part.known)
                answer.refused |= part.refused
                advance(len(batch))
                if part.full:
                    raise ArchiveError(f"the archive is out of resources ({part.full}), make room there")
            in_archive = _found(connection, files)
            found = None if in_archive is None else len(in_archive)
            trouble = _refusal(answer, archive) or _lack(files, in_archive, archive, state)
    except ArchiveError as error:
        stored = len(answer.stored) + len(answer.known)
        trouble = (
            f"{archive.address}: {error}: {stored} of {len(files)} instances are stored there, "
            "the same command with --resume goes on"
        )
    sent, already = len(answer.stored), len(answer.known)
    return Delivery(len(files), sent, already, len(answer.refused), found, trouble)


def begin(folder: Path, archive: Archive, facts: Mapping[str, object]) -> None:
    """Note facts in a folder that is to be sent, before it is put in its place: no kill parts the two."""
    with _notes(state_of(folder, archive), {"archive": archive.address, **facts}):
        pass


def refuse_begun(files: Sequence[Instance], folder: Path, archive: Archive) -> None:
    """Stop where the folder was sent to this archive before, wholly or in part.

    Raises:
        UsageError: it was.
    """
    known = acknowledged(state_of(folder, archive)) & {file.uid for file in files}
    if known:
        raise UsageError(
            f"{folder}: {len(known)} of {len(files)} instances are in {archive.address} already: "
            "add --resume to go on"
        )


def state_of(folder: Path, archive: Archive) -> Path:
    """The file in `folder` that keeps what this archive acknowledged."""
    return folder / f"sent-{hashlib.sha256(archive.address.encode()).hexdigest()[:16]}.jsonl"


def acknowledged(state: Path) -> set[str]:
    """UIDs in a file of acknowledgements."""
    return {uid for line in _lines(state) for uid in line.get("there", ())}


def noted(state: Path, fact: str) -> tuple[str, Any]:
    """(digest of the files, value) of the last note that says this fact; ("", None) where none does."""
    found: tuple[str, Any] = ("", None)
    for line in _lines(state):
        if fact in line:
            found = (str(line.get("of", "")), line[fact])
    return found


def digest(files: Iterable[Instance]) -> str:
    """Of which instances these are: their UIDs and sizes."""
    listed = sorted((file.uid, file.bytes) for file in files)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _lines(state: Path) -> Iterator[dict[str, Any]]:
    """Of a file of acknowledgements, without a last line that was broken off."""
    for line in state.read_text(encoding="utf-8").splitlines() if state.exists() else []:
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError):  # the process died while it wrote: the archive will be asked
            continue


@contextmanager
def _notes(state: Path, facts: Mapping[str, object]) -> Iterator[Callable[[list[str]], list[str]]]:
    """Gives a function that puts UIDs on disk before anything else happens, and hands them back."""
    try:
        stream = state.open("a+", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{state}: cannot be written ({error.strerror}): what is sent is noted there, make it writable"
        ) from error

    def note(uids: list[str]) -> list[str]:
        if uids:
            _write(stream, {"there": uids})
        return uids

    with stream:
        if stream.tell() > 0:
            stream.write("\n")  # a line that was broken off ends here
        _write(stream, facts)
        yield note


def _write(stream: TextIO, line: Mapping[str, object]) -> None:
    stream.write(json.dumps(dict(line)) + "\n")
    stream.flush()
    os.fsync(stream.fileno())


def _requests(files: Sequence[Instance], most: int) -> Iterator[list[Instance]]:
    """Cut into requests of `most` instances and REQUEST_BYTES."""
    batch: list[Instance] = []
    size = 0
    for file in files:
        if batch and (len(batch) == most or size + file.bytes > REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.bytes
    if batch:
        yield batch


def _found(connection: Connection, files: Iterable[Instance]) -> set[str] | None:
    """Which of these the archive holds; None where it cannot be searched."""
    ours = {file.uid for file in files}
    there: set[str] = set()
    for study, series in dict.fromkeys((file.study, file.series) for file in files):
        found = connection.instances_of(study, series)
        if found is None:
            return None
        there |= found & ours  # a series may hold images of an earlier, larger export
    return there


def _refusal(answer: Answer, archive: Archive) -> str:
    if not answer.refused:
        return ""
    uid, reason = next(iter(answer.refused.items()))
    stored = len(answer.stored) + len(answer.known)
    return (
        f"{archive.address} refused {len(answer.refused)} of {stored + len(answer.refused)} instances "
        f"(the first: {uid}, {reason}), {stored} are stored there: the same command with --resume tries again"
    )


def _lack(files: Collection[Instance], there: set[str] | None, archive: Archive, state: Path) -> str:
    """The final check, series by series: what was acknowledged must be found."""
    if there is None or len(there) == len(files):
        return ""
    series = next(file.series for file in files if file.uid not in there)
    of_series = [file for file in files if file.series == series]
    here = sum(file.uid in there for file in of_series)
    return (
        f"{archive.address} acknowledged {len(files)} instances and finds {len(there)} (series {series}: "
        f"{here} of {len(of_series)}): remove {state.name} there and send "
        f"the folder as it is (synthaug export {state.parent}), which sends the rest"
    )
