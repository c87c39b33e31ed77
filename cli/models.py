"""`synthaug models`: generators that ship, recipes to train others, classifiers by name."""

from synthaug.cli.options import Config, Json
from synthaug.cli.output import Output


def models(config_file: Config = None, as_json: Json = False) -> None:
    """List shipped generators, training presets and classifiers."""
    from synthaug.generators.architectures import ARCHITECTURES
    from synthaug.generators.objectives import OBJECTIVES
    from synthaug.generators.presets import PRESETS
    from synthaug.generators.sampling import Synthesizer, shipped
    from synthaug.generators.training.networks import build_networks

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
    parameters = {}
    for name, recipe in PRESETS.items():
        players = build_networks(recipe.config, num_classes=2, image_size=64, channels=1)
        parameters[name] = [sum(p.numel() for p in player.parameters()) for player in players]
    out.table(
        ["preset", "architecture", "objective", ">parameters G + D", "recipe"],
        [
            [
                name,
                recipe.config.architecture,
                recipe.config.objective,
                " + ".join(f"{n / 1e6:.2f} M" for n in parameters[name]),
                recipe.paper,
            ]
            for name, recipe in PRESETS.items()
        ],
        title="training presets (--preset), parameters at 64 px",
    )
    out.table(
        ["architecture", "the class enters", "paper"],
        [[name, family.label, family.paper] for name, family in ARCHITECTURES.items()],
        title="architectures (--architecture)",
    )
    out.table(
        ["objective", "paper"],
        [[name, goal.paper] for name, goal in OBJECTIVES.items()],
        title="objectives (--objective)",
    )
    families = ["small-resnet (default)", "timm/<model>", "torchvision/<model>", "monai/<network>"]
    out.table(["classifier"], [[name] for name in families], title="classifiers (--classifier)")
    out.result(
        {
            "generators": {
                n: {"classes": c.class_names, "size": c.size, "data": c.data} for n, c in cards.items()
            },
            "presets": {
                n: {"paper": p.paper, "parameters": parameters[n], **vars(p.config)}
                for n, p in PRESETS.items()
            },
            "architectures": {n: {"paper": f.paper, "label": f.label} for n, f in ARCHITECTURES.items()},
            "objectives": {n: o.paper for n, o in OBJECTIVES.items()},
            "classifiers": families,
        }
    )
