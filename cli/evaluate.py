"""`synthaug evaluate`: fidelity and diversity of synthetic images, each number beside its floor."""

from pathlib import Path
from typing import Annotated

import typer

from synthaug.cli.options import (
    Config,
    DataRoot,
    Device,
    InceptionWeights,
    Json,
    Precision,
    Seed,
    Size,
    SplitSeed,
)
from synthaug.cli.output import Output
from synthaug.cli.runtime import data_root, make_fabric


def evaluate(
    real: Annotated[str, typer.Option(help="Real images: a data set's name, or a path.")],
    synthetic: Annotated[Path, typer.Option(help="Synthetic images: .h5, .npz, class folders or DICOM.")],
    extractor: Annotated[str, typer.Option(help="Comma-separated: domain, inception.")] = "domain",
    inception_weights: InceptionWeights = None,
    size: Size = None,
    root: DataRoot = None,
    seed: Seed = 0,
    split_seed: SplitSeed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """FID, KID, Inception Score, precision and recall, overall and per class, with real-versus-real floors.

    Reference: the real training split. Floor: held-out real validation images in place of the synthetic ones.
    """
    from synthaug.augment.datasets import load_dataset
    from synthaug.augment.formats import read_images
    from synthaug.evaluation.features import extractors_for
    from synthaug.evaluation.fidelity import evaluate_fidelity

    out = Output(as_json)
    splits = load_dataset(real, data_root(root), size=size, split_seed=split_seed)
    images = read_images(synthetic)
    names = [name.strip() for name in extractor.split(",")]
    fabric = make_fabric(device, precision)
    extractors = extractors_for(names, splits, inception_weights=inception_weights, fabric=fabric)
    scores = evaluate_fidelity(splits, images, extractors, seed)
    for protocol in dict.fromkeys(score.extractor for score in scores):
        rows = [score for score in scores if score.extractor == protocol]
        out.table(
            ["metric", "of", ">value", ">floor", "better", ">reference", ">n"],
            [
                [
                    s.metric,
                    s.part,
                    f"{s.value:.4g}",
                    f"{s.floor:.4g}",
                    s.better,
                    f"{s.n_reference} real",
                    str(s.n),
                ]
                for s in rows
            ],
            title=f"{protocol}, {rows[0].dimensions} dimensions",
        )
        for note in dict.fromkeys(f"{s.metric}, {s.part}: {s.note}" for s in rows if s.note):
            out.say(note)
    out.result({"real": real, "synthetic": synthetic, "fidelity": [score.as_dict() for score in scores]})
