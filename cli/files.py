"""How files are read and written: options that many commands share, handed to each as one record."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from synthaug.augment.errors import UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.augment.writing import WriteOptions

Command = Callable[..., None]
PANELS = {"reading": "How files are read", "writing": "How files are written"}


def reads_files(command: Command) -> Command:
    """Add the options of `ReadOptions` to a command; it gets them as its argument `reading`."""
    return _bundled(command, "reading", READING, _reading)


def writes_files(command: Command) -> Command:
    """Add the options of `WriteOptions` to a command; it gets them as its argument `writing`."""
    return _bundled(command, "writing", WRITING, WriteOptions)


def _option(text: str, kind: Any, default: Any, **more: Any) -> tuple[Any, Any, dict[str, Any], str]:
    return kind, default, more, text


READING = {
    "bits": _option("8 or 16 per pixel; as stored by default, DICOM is shown with 8.", int | None, None),
    "fit": _option("How images become square: crop (default) or pad.", str | None, None),
    "window": _option("CENTER,WIDTH of DICOM's grey levels, such as 40,400.", str | None, None),
    "label_from": _option(
        "What tells the class: a DICOM keyword, a CSV column, an HDF5 array.", str | None, None
    ),
    "group_from": _option("Likewise for the patient; DICOM's is PatientID.", str | None, None),
    "images_from": _option("HDF5 array or CSV column of the images.", str | None, None),
    "skip_bad": _option("Leave unreadable files out, and say which.", bool, False),
}
WRITING = {
    "compression": _option("Of HDF5: gzip, zstd, blosc2 or none.", str, "gzip"),
    "shard_size": _option("Images per HDF5 file; the target is then an index.", int | None, None, min=1),
    "modality": _option("DICOM's Modality.", str, "OT"),
    "body_part": _option("DICOM's BodyPartExamined, such as CHEST.", str | None, None),
    "laterality": _option("DICOM's Laterality: R, L or B.", str | None, None),
    "view": _option("DICOM's ViewPosition, such as PA.", str | None, None),
    "dicomdir": _option("Write a DICOMDIR too.", bool, False),
    "jobs": _option(
        "Processes that write DICOM files; one, or one per core from 50,000 images.", int | None, None, min=1
    ),
}


def _bundled(
    command: Command,
    name: str,
    options: dict[str, tuple[Any, Any, dict[str, Any], str]],
    build: Callable[..., Any],
) -> Command:
    """`command` with `options` in place of its argument `name`, which `build` makes of their values."""
    signature = inspect.signature(command, eval_str=True)
    parameters = {key: p for key, p in signature.parameters.items() if key != name}
    for key, (kind, default, more, text) in options.items():
        flag = f"--{key.replace('_', '-')}"
        said = typer.Option(flag, help=text, rich_help_panel=PANELS[name], **more)
        parameters[key] = inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, said]
        )

    @wraps(command)
    def run(**values: Any) -> None:
        record = build(**{key: values.pop(key) for key in options})
        command(**values, **{name: record})

    run.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {key: p.annotation for key, p in parameters.items()}
    return run


def _reading(window: str | None, **rest: Any) -> ReadOptions:
    if window is None:
        return ReadOptions(**rest)
    try:  # a configuration file may have a list
        center, width = (float(part) for part in str(window).strip("[]").split(","))
    except ValueError:
        raise UsageError(f"--window {window}: expected CENTER,WIDTH, such as 40,400") from None
    return ReadOptions(window=(center, width), **rest)
