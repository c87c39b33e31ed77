"""Sending exported DICOM to an archive: what `synthaug export --to-dicomweb` and `--to-pacs` add."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions
from synthaug.cli.gate import gate_of_export
from synthaug.cli.output import Output

if TYPE_CHECKING:
    from synthaug.augment.archive.instances import Archive, Instance
    from synthaug.augment.stream import ImageStream

# Parameters of `export` that change nothing in what TARGET holds.
NOT_OF_TARGET = {
    *("target", "to_dicomweb", "to_pacs", "resume", "training_images", "allow_near_copies"),
    *("device", "jobs", "overwrite", "config_file", "as_json"),
}
PANEL = "Sending to an archive"
ToDicomWeb = Annotated[
    str | None,
    typer.Option(
        help="URL of a DICOMweb service to send the DICOM files to; credentials from the environment: "
        "SYNTHAUG_DICOMWEB_USER and _PASSWORD, or _TOKEN.",
        rich_help_panel=PANEL,
    ),
]
ToPacs = Annotated[
    str | None, typer.Option(help="AE@host:port to send the DICOM files to.", rich_help_panel=PANEL)
]
PATHS = {"source", "synthetic", "generator", "root"}
_command: ContextVar[typer.Context] = ContextVar("the command with all that it was given")


def _remember(context: typer.Context, resume: bool) -> bool:
    """Typer shows the whole command to callbacks only; by the time it is needed, it is parsed."""
    _command.set(context)
    return resume


Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on sending where it was broken off.",
        rich_help_panel=PANEL,
        callback=_remember,
    ),
]


def archive_at(dicomweb: str | None, pacs: str | None, resume: bool) -> "Archive | None":
    """The archive that is asked for, not connected yet.

    Raises:
        UsageError: two are, its address is none, its library is missing, or there is nothing to resume.
    """
    if dicomweb is not None and pacs is not None:
        raise UsageError("--to-dicomweb and --to-pacs: expected one archive, send to the other afterwards")
    if dicomweb is not None:
        from synthaug.augment.archive.dicomweb import DicomWeb

        return DicomWeb(dicomweb)
    if pacs is not None:
        from synthaug.augment.archive.pacs import Pacs

        return Pacs(pacs)
    if resume:
        raise UsageError("--resume: goes on sending, expected --to-dicomweb or --to-pacs with it")
    return None


def folder_as_it_is(source: str, reading: ReadOptions, writing: WriteOptions, said: Sequence[str]) -> Path:
    """SRC where no TARGET is given: a DICOM folder whose files are sent as they are.

    Args:
        said: other options that were given; they would change the files.

    Raises:
        UsageError: it is no DICOM folder, or files that are sent as they are leave no room for an option.
    """
    from synthaug.augment.formats.registry import format_of

    folder = Path(source)
    if not folder.is_dir() or format_of(folder) != "dicom":
        raise UsageError(
            f"{source}: no DICOM folder, expected one that synthaug exported, or a TARGET to write it to"
        )
    what = f"{source}, sent as it is,"
    refuse_unheeded(reading, ("root", "split_seed"), what)
    refuse_unheeded(writing, (), what)
    if said:
        raise UsageError(f"{', '.join(said)}: {what} has no such thing, leave it out or give a TARGET")
    return folder


def folder_to_resume(target: Path, source: str, overwrite: bool) -> Path:
    """TARGET where it was written already, and sending was broken off.

    Raises:
        UsageError: it holds other images, was made with other options, or is to be replaced and gone on with.
    """
    from synthaug.augment.archive.sending import noted
    from synthaug.augment.formats.registry import read_attributes

    if overwrite:
        raise UsageError("--resume and --overwrite: expected one, going on or starting again")
    made_of = read_attributes(target).get("source")
    if made_of != Path(source).name:
        raise UsageError(
            f"--resume: {target} was made of {made_of or 'something else'}, not of {source}: "
            "name another TARGET, or leave --resume out"
        )
    asked = next((made for state in target.glob("sent-*") if (made := noted(state, "asked")[1])), None)
    if asked is None:
        raise UsageError(
            f"--resume: found no note in {target} of how it was made: send it as it is, "
            f"synthaug export {target} without another TARGET"
        )
    now = _asked()
    if other := [name for name in now if asked.get(name, now[name]) != now[name]]:
        raise UsageError(
            f"--resume: {target} was made with other {', '.join(other)}: expected the same, "
            "name another TARGET, or leave --resume out"
        )
    return target


def noting(archive: "Archive") -> "Callable[[ImageStream, Path, WriteOptions], None]":
    """Writes DICOM as `write_images` wants it, with a note of what it is made of, for `folder_to_resume`."""
    from synthaug.augment.archive.sending import begin
    from synthaug.augment.dicom import write_dicom

    def write(stream: "ImageStream", folder: Path, writing: WriteOptions) -> None:
        write_dicom(stream, folder, writing)
        begin(folder, archive, {"asked": _asked()})

    return write


def _asked() -> dict[str, str]:
    """What decides about TARGET, flag by flag; {} without a TARGET.

    Hashes, not values: TARGET is passed on, and the names of folders here are nobody's business there.
    """
    command, given = _command.get().command, _command.get().params
    flags = {parameter.name: parameter.opts[0] for parameter in command.params}
    if given.get("target") is None:
        return {}
    asked = {}
    for name in given.keys() - NOT_OF_TARGET:
        value = str(given[name])
        if name in PATHS and Path(value).exists():  # the same file however it is written
            value = str(Path(value).resolve())
        asked["SOURCE" if name == "source" else flags[name]] = sha256(value.encode()).hexdigest()[:16]
    return dict(sorted(asked.items()))


def send_as_it_is(
    folder: Path,
    archive: "Archive",
    out: Output,
    *,
    resume: bool,
    training_images: str | None,
    reading: ReadOptions,
    allow_near_copies: bool,
) -> None:
    """Send an exported folder's files, once its images have passed the memorization gate.

    Raises:
        GateError: near copies of training images are among them; nothing was sent.
        UsageError: synthaug did not export the folder, or nothing in it can be compared.
        DataError: not everything is in the archive.
    """
    from synthaug.augment.archive.instances import exported_instances
    from synthaug.augment.archive.sending import digest, noted, refuse_begun, state_of
    from synthaug.augment.formats.registry import read_attributes, read_images
    from synthaug.augment.stream import ImageStream
    from synthaug.evaluation.memorization.gate import ATTRIBUTE

    files = exported_instances(folder)
    if not resume:
        refuse_begun(files, folder, archive)
    # What passed before it was broken off need not be read again; but only that, and for the same question.
    judged, said = noted(state_of(folder, archive), "gate")
    if not (resume and training_images is None and judged == digest(files)):
        said = str(read_attributes(folder).get(ATTRIBUTE, ""))
        images = read_images(folder)
        if images.synthetic.any():
            data = [training_images] if training_images else []
            gate = gate_of_export(images, data, reading)
            stream = gate.guard(ImageStream.of(images), allow=allow_near_copies, before=said)
            for _ in stream.batches:  # it raises at the end
                pass
            said = str(stream.attributes[ATTRIBUTE])
        elif training_images:
            raise UsageError(
                f"--training-images: no image of {folder} is marked synthetic, nothing to compare"
            )
    if said:
        out.say(f"memorization gate: {said}")
    send_files(files, folder, archive, out, {"out": folder, "memorization_gate": said}, resume=resume)


def send_files(
    files: "Sequence[Instance]",
    folder: Path,
    archive: "Archive",
    out: Output,
    facts: dict[str, Any],
    *,
    resume: bool = False,
) -> None:
    """Send files of `folder` and say what became of them.

    Args:
        facts: the rest of the command's result under --json.

    Raises:
        DataError: not everything is in the archive; the result says how much is.
    """
    from synthaug.augment.archive.sending import send
    from synthaug.augment.progress import progress_bar

    gate = str(facts.get("memorization_gate", ""))
    notes: dict[str, object] = {"gate": gate} if gate.startswith("passed") else {}  # not if by an override
    if asked := _asked():
        notes["asked"] = asked
    with progress_bar(f"send to {archive.address}", len(files)) as advance:
        done = send(files, folder, archive, resume=resume, facts=notes, advance=advance)
    counts = {"sent": done.sent, "already_there": done.already_there, "failed": done.failed}
    out.result({**facts, "archive": archive.address, "instances": done.total, **counts, "found": done.found})
    if done.trouble:
        raise DataError(done.trouble)
    found = "not searched" if done.found is None else f"{done.found:,} found there"
    out.say(f"{done.sent:,} sent to {archive.address}, {done.already_there:,} were there before, {found}")
