"""`synthaug models`: generators that ship, recipes to train others, classifiers by name."""

from synthaug.cli.options import Config, Json
from synthaug.cli.output import Output


def models(config_file: Config = None, as_json: Json = False) -> None:
    """List shipped generators, training presets and classifiers."""
    from synthaug._api import catalogue

    out = Output(as_json)
    cards, recipes = catalogue.shipped_generators(), catalogue.presets()
    out.table(
        ["generator", "classes", ">px", "trained on", "licence"],
        [
            [name, ", ".join(card.class_names), str(card.size["image_size"]), card.data, card.licence]
            for name, card in cards.items()
        ],
        title="shipped generators (--generator)",
    )
    out.table(
        ["preset", "architecture", "objective", ">parameters G + D", "recipe"],
        [
            [
                one.name,
                one.architecture,
                one.objective,
                " + ".join(f"{n / 1e6:.2f} M" for n in one.parameters),
                one.paper,
            ]
            for one in recipes
        ],
        title="training presets (--preset), parameters at 64 px",
    )
    architectures, objectives = catalogue.architectures(), catalogue.objectives()
    out.table(
        ["architecture", "the class enters", "paper"],
        [[name, one["label"], one["paper"]] for name, one in architectures.items()],
        title="architectures (--architecture)",
    )
    out.table(
        ["objective", "paper"], [list(row) for row in objectives.items()], title="objectives (--objective)"
    )
    out.table(["classifier"], [[name] for name in catalogue.CLASSIFIERS], title="classifiers (--classifier)")
    out.result(
        {
            "generators": {
                name: {"classes": card.class_names, "size": card.size, "data": card.data}
                for name, card in cards.items()
            },
            "presets": {
                one.name: {"paper": one.paper, "parameters": list(one.parameters), **one.config}
                for one in recipes
            },
            "architectures": architectures,
            "objectives": objectives,
            "classifiers": list(catalogue.CLASSIFIERS),
        }
    )
