"""Options that several commands share, and the configuration file behind them."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from synthaug.augment.errors import UsageError

CONFIG_FILE = Path("synthaug.toml")


def load_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take option values from a TOML file; flags win.

    Keys are option names (data_root or data-root): at the top level for every command that has the option,
    in a table named like the command ([generate]) for that command alone.
    """
    if path is None:
        path = CONFIG_FILE if CONFIG_FILE.exists() else None
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError:
        raise UsageError(f"--config {path}: not found, expected a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: expected TOML, found {error}") from None
    commands: dict[str, Any] = ctx.parent.command.commands if ctx.parent else {}  # type: ignore[attr-defined]
    # option as written (data-root) -> parameter of the function (root), for each command
    options = {
        name: {opt.strip("-").replace("_", "-"): p.name for p in command.params for opt in p.opts}
        for name, command in commands.items()
    }
    everywhere = {_key(k): v for k, v in values.items() if not isinstance(v, dict)}
    tables = {k: {_key(key): v for key, v in t.items()} for k, t in values.items() if isinstance(t, dict)}
    for table, keys in tables.items():
        if table not in options:
            raise UsageError(f"{path}: [{table}] is no command, see synthaug --help")
        _refuse_unknown(path, set(keys) - set(options[table]), f"[{table}]")
    _refuse_unknown(path, set(everywhere) - set().union(*options.values()), "the top level")
    name = ctx.info_name or ""
    chosen = {k: v for k, v in everywhere.items() if k in options[name]} | tables.get(name, {})
    ctx.default_map = {options[name][key]: value for key, value in chosen.items()}
    return path


def _key(name: str) -> str:
    return name.replace("_", "-")


def _refuse_unknown(path: Path, unknown: set[str], where: str) -> None:
    if unknown:
        raise UsageError(f"{path}: {where} has unknown {', '.join(sorted(unknown))}: expected option names")


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        is_eager=True,
        callback=load_config,
        help="TOML file of option values; ./synthaug.toml is read by itself.",
        show_default=False,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="SYNTHAUG_DATA", help="Where data sets are, and are downloaded to."),
]
Seed = Annotated[int, typer.Option(help="Of every random number.", min=0, max=2**32 - 1)]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Precision = Annotated[str, typer.Option(help="auto, 32-true or bf16-mixed.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands at --out.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, the rest on stderr.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
Format = Annotated[str | None, typer.Option("--format", help="hdf5, npz, folder or dicom; else by suffix.")]
GeneratorOption = Annotated[
    str | None,
    typer.Option(
        "--generator",
        help="A shipped name, a run folder or a file; by default the shipped one of these classes.",
    ),
]
TrainingImages = Annotated[
    str | None,
    typer.Option(
        help="Data set to compare with for near copies; else the generator's own, where it is found here."
    ),
]
AllowNearCopies = Annotated[
    bool, typer.Option("--allow-near-copies", help="Write near copies of training images too, and say so.")
]
TimmWeights = Annotated[
    Path | None, typer.Option(help="Weights file of the timm/MODEL extractor (.safetensors or .pth).")
]
LpipsWeights = Annotated[
    str | None, typer.Option(help="Measure LPIPS too: a SqueezeNet 1.1 weights file, or download.")
]
InceptionWeights = Annotated[
    Path | None, typer.Option(help="Inception weights file; else torch-fidelity's download.")
]


def numbers(values: list[str], what: str) -> tuple[float, ...]:
    """Numbers from repeated or comma-separated options: ["0.1,0.5", "1"] -> (0.1, 0.5, 1.0).

    Raises:
        UsageError: something is no number from 0 to 1.
    """
    try:
        found = tuple(float(part) for value in values for part in value.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < number <= 1 for number in found):
        raise UsageError(f"--{what} {' '.join(values)}: expected numbers above 0, at most 1, such as 0.1,0.5")
    return found
