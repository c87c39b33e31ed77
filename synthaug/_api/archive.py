"""Sending exported DICOM to an archive by DICOMweb or C-STORE."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthaug._api.gate import gate_of_export
from synthaug._api.generator import known_generators
from synthaug.augment.archive.instances import Archive, Instance, exported_instances
from synthaug.augment.archive.sending import begin, digest, noted, refuse_begun, send, state_of
from synthaug.augment.dicom import write_dicom
from synthaug.augment.errors import UsageError
from synthaug.augment.formats.registry import format_of, read_attributes, read_images
from synthaug.augment.options import refuse_unheeded
from synthaug.augment.progress import progress_bar
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream
from synthaug.augment.writing import WriteOptions
from synthaug.evaluation.memorization.gate import ATTRIBUTE


@dataclass(frozen=True)
class Sent:
    """What became of the files.

    Attributes:
        already_there: were in the archive before.
        found: of them that a search of the archive found afterwards; None where it was not searched.
        trouble: why not everything is in the archive, in words; empty where it is.
    """

    archive: str
    total: int
    sent: int
    already_there: int
    failed: int
    found: int | None
    trouble: str
    gate: str = ""


def open_archive(dicomweb: str | None, pacs: str | None, resume: bool = False) -> Archive | None:
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


def refuse_unfit_folder(
    source: str, options: ReadOptions, writing: WriteOptions, flags: Sequence[str]
) -> Path:
    """A DICOM folder whose files are sent as they are.

    Args:
        flags: other options that were given; they would change the files.

    Raises:
        UsageError: it is no DICOM folder, or files that are sent as they are leave no room for an option.
    """
    folder = Path(source)
    if not folder.is_dir() or format_of(folder) != "dicom":
        raise UsageError(
            f"{source}: no DICOM folder, expected one that synthaug exported, or a TARGET to write it to"
        )
    what = f"{source}, sent as it is,"
    refuse_unheeded(options, ("root", "split_seed"), what)
    refuse_unheeded(writing, (), what)
    if flags:
        raise UsageError(f"{', '.join(flags)}: {what} has no such thing, leave it out or give a TARGET")
    return folder


def refuse_other_target(target: Path, source: str, overwrite: bool, asked: Mapping[str, str]) -> Path:
    """A target that was written already, where sending was broken off.

    Args:
        asked: digests of the options that decide about the target, by flag.

    Raises:
        UsageError: it holds other images, was made with other options, or is to be replaced and resumed.
    """
    if overwrite:
        raise UsageError("--resume and --overwrite: expected one, going on or starting again")
    made_of = read_attributes(target).get("source")
    if made_of != Path(source).name:
        raise UsageError(
            f"--resume: {target} was made of {made_of or 'something else'}, not of {source}: "
            "name another TARGET, or leave --resume out"
        )
    before = next((made for state in target.glob("sent-*") if (made := noted(state, "asked")[1])), None)
    if before is None:
        raise UsageError(
            f"--resume: found no note in {target} of how it was made: send it as it is, "
            f"synthaug export {target} without another TARGET"
        )
    if other := [name for name in asked if before.get(name, asked[name]) != asked[name]]:
        raise UsageError(
            f"--resume: {target} was made with other {', '.join(other)}: expected the same, "
            "name another TARGET, or leave --resume out"
        )
    return target


def noting_writer(
    archive: Archive, asked: Mapping[str, str]
) -> Callable[[ImageStream, Path, WriteOptions], None]:
    """A DICOM writer that also notes what the folder is made of, for `refuse_other_target`."""

    def write(stream: ImageStream, folder: Path, writing: WriteOptions) -> None:
        write_dicom(stream, folder, writing)
        begin(folder, archive, {"asked": dict(asked)})

    return write


def send_exported(
    folder: Path,
    archive: Archive,
    *,
    resume: bool = False,
    training_images: str | None = None,
    options: ReadOptions = ReadOptions(),
    allow_near_copies: bool = False,
    asked: Mapping[str, str] | None = None,
) -> Sent:
    """Send an exported folder's files, once its images have passed the memorization gate.

    Raises:
        GateError: near copies of training images are among them; nothing was sent.
        UsageError: synthaug did not export the folder, or nothing in it can be compared.
    """
    files = exported_instances(folder)
    if not resume:
        refuse_begun(files, folder, archive)
    # What passed before it was broken off need not be read again; but only that, and for the same question.
    judged, report = noted(state_of(folder, archive), "gate")
    if not (resume and training_images is None and judged == digest(files)):
        report = str(read_attributes(folder).get(ATTRIBUTE, ""))
        images = read_images(folder)
        if images.synthetic.any():
            data = [training_images] if training_images else []
            gate = gate_of_export(images, data, options, known_generators())
            stream = gate.guard(ImageStream.of(images), allow=allow_near_copies, before=report)
            for _ in stream.batches:  # it raises at the end
                pass
            report = str(stream.attributes[ATTRIBUTE])
        elif training_images:
            raise UsageError(
                f"--training-images: no image of {folder} is marked synthetic, nothing to compare"
            )
    return send_files(folder, archive, files, gate=str(report), resume=resume, asked=asked)


def refuse_other_format(target: Path, format: str | None) -> None:
    """Raise `UsageError` for a target that is not to be DICOM, which is all that an archive takes."""
    if (kind := format_of(target, format)) != "dicom":
        raise UsageError(
            f"{target}: {kind}, but an archive takes DICOM: expected a folder named …dicom, or --format dicom"
        )


def send_files(
    folder: Path,
    archive: Archive,
    files: Sequence[Instance] | None = None,
    *,
    gate: str = "",
    resume: bool = False,
    asked: Mapping[str, str] | None = None,
) -> Sent:
    """Send files of `folder`.

    Args:
        files: those of `exported_instances`, where they were looked for already.
        gate: what the memorization gate found, in words.
        asked: digests of the options that the folder was made with, noted for a resume.
    """
    files = exported_instances(folder) if files is None else files
    notes: dict[str, object] = {"gate": gate} if gate.startswith("passed") else {}  # not if by an override
    if asked:
        notes["asked"] = dict(asked)
    with progress_bar(f"send to {archive.address}", len(files)) as advance:
        done = send(files, folder, archive, resume=resume, facts=notes, advance=advance)
    return Sent(
        archive.address,
        done.total,
        done.sent,
        done.already_there,
        done.failed,
        done.found,
        done.trouble,
        gate,
    )
