"""`synthaug models`: generators that ship, recipes to train others, classifiers by name."""

from synthaug.cli.options import Config, Json
from synthaug.cli.output import Output


def models(config_file: Config = None, as_json: Json = False) -> None:
    """List shipped generators, training presets and classifiers."""
    from synthaug.generators.presets import PRESETS
    from synthaug.generators.sampling import Synthesizer, shipped

    out = Output(as_json)
    cards = {name: Synthesizer(name).card for name in shipped()}
    out.table(
        ["generator", "classes", ">px", "trained on", "licence"],
        [
            [n, ", ".join(c.class_names), str(c.size["image_size"]), c.data, c.licence]
            for n, c in cards.items()
        ],
        title="shipped generators (--generator)",
    )
    out.table(
        ["preset", "objective", ">steps", "recipe"],
        [[n, p.config.objective, f"{p.config.steps:,}", p.paper] for n, p in PRESETS.items()],
        title="training presets (--preset)",
    )
    families = ["small-resnet (default)", "timm/<model>", "torchvision/<model>", "monai/<network>"]
    out.table(["classifier"], [[name] for name in families], title="classifiers (--classifier)")
    out.result(
        {
            "generators": {
                n: {"classes": c.class_names, "size": c.size, "data": c.data} for n, c in cards.items()
            },
            "presets": {n: {"paper": p.paper, **vars(p.config)} for n, p in PRESETS.items()},
            "classifiers": families,
        }
    )
