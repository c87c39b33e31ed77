"""`synthaug doctor`: what this machine offers."""

from synthaug.augment.reading import ReadOptions
from synthaug.cli.options import Config, DataRoot, Json
from synthaug.cli.output import Output
from synthaug.cli.runtime import cores, make_fabric


def doctor(root: DataRoot = None, config_file: Config = None, as_json: Json = False) -> None:
    """Versions, device, precision, cores, cache, and which data sets are found."""
    import shutil

    from synthaug.augment.datasets.load import list_datasets
    from synthaug.augment.files.cache import cache_folder
    from synthaug.evaluation.reports.pages import versions
    from synthaug.generators.sampling import shipped

    fabric = make_fabric("auto", "auto")
    reading = ReadOptions(root=root)
    facts = {
        **versions(),
        "device": str(fabric.device),
        "precision": "bf16-mixed" if "bf16" in str(fabric.strategy.precision.precision) else "32-true",
        "cores": cores(),
        "cache": str(cache_folder()),
        "data root": str(reading.data_root),
        "data sets found": ", ".join(r["name"] for r in list_datasets(reading) if r["found"]) or "none",
        "shipped generators": ", ".join(shipped()),
        "dciodvfy (DICOM validator)": shutil.which("dciodvfy") or "not installed",
    }
    out = Output(as_json)
    out.table(["what", "found"], [[key, str(value)] for key, value in facts.items()])
    out.result(facts)
