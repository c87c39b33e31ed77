"""`synthaug datasets`: what there is, and what of it is found here."""

from synthaug.cli.options import Config, DataRoot, Json
from synthaug.cli.output import Output
from synthaug.cli.runtime import data_root


def datasets(root: DataRoot = None, config_file: Config = None, as_json: Json = False) -> None:
    """List the data sets by name, and the folders of images below --data-root."""
    from synthaug.augment.datasets import list_datasets

    out = Output(as_json)
    where = data_root(root)
    rows = list_datasets(where)
    out.table(
        ["name", "found", "images", "classes", "licence"],
        [
            [
                r["name"],
                r["found"] or "–",
                f"{r['images']:,}" if r["images"] else "any",
                r["classes"],
                r["licence"],
            ]
            for r in rows
        ],
        title=f"data root: {where}",
    )
    out.result({"data_root": where, "datasets": rows})
