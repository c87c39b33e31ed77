"""Options of sending exported DICOM to an archive: `synthaug export --to-dicomweb` and `--to-pacs`."""

from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug.augment.errors import DataError
from synthaug.cli.output import Output

if TYPE_CHECKING:
    from synthaug._api.archive import Sent

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


def asked_of_target() -> dict[str, str]:
    """Digests of what decides about TARGET, flag by flag; {} without a TARGET.

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


def report_sent(sent: "Sent", out: Output, facts: dict[str, Any]) -> None:
    """Say what became of the files.

    Args:
        facts: the rest of the command's result under --json.

    Raises:
        DataError: not everything is in the archive; the result says how much is.
    """
    counts = {"sent": sent.sent, "already_there": sent.already_there, "failed": sent.failed}
    out.result({**facts, "archive": sent.archive, "instances": sent.total, **counts, "found": sent.found})
    if sent.trouble:
        raise DataError(sent.trouble)
    found = "not searched" if sent.found is None else f"{sent.found:,} found there"
    out.say(f"{sent.sent:,} sent to {sent.archive}, {sent.already_there:,} were there before, {found}")
