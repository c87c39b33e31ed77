"""`synthaug doctor`: what this machine offers."""

from synthaug.augment.reading import ReadOptions
from synthaug.cli.options import Config, DataRoot, Json
from synthaug.cli.output import Output


def doctor(root: DataRoot = None, config_file: Config = None, as_json: Json = False) -> None:
    """Versions, device, precision, cores, cache, and which data sets are found."""
    from synthaug._api.catalogue import machine

    facts = machine(ReadOptions(root=root))
    out = Output(as_json)
    out.table(["what", "found"], [[key, str(value)] for key, value in facts.items()])
    out.result(facts)
