"""`synthaug evaluate`: fidelity, diversity, memorization, and what kind of wrong it sees."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthaug.augment.errors import GateError
from synthaug.augment.reading import ReadOptions
from synthaug.cli.files import reads_files
from synthaug.cli.options import (
    Config,
    Device,
    InceptionWeights,
    Json,
    LpipsWeights,
    Overwrite,
    Precision,
    Seed,
    TimmWeights,
)
from synthaug.cli.output import Output
from synthaug.cli.runtime import make_fabric

if TYPE_CHECKING:
    from synthaug.evaluation.diagnosis.assessment import Assessment
    from synthaug.evaluation.score import Score
    from synthaug.evaluation.statistics import Estimate

log = logging.getLogger("synthaug")


@reads_files
def evaluate(
    real: Annotated[str, typer.Option(help="Real images: a data set's name, or a path.")],
    synthetic: Annotated[Path, typer.Option(help="Synthetic images: .h5, .npz, class folders or DICOM.")],
    extractor: Annotated[
        str, typer.Option(help="Comma-separated: domain, pixels, inception (or inception-768), timm/MODEL.")
    ] = "domain",
    memorization: Annotated[
        bool, typer.Option(help="Look for near copies of training images; exit status 3 if there are any.")
    ] = True,
    published: Annotated[
        bool, typer.Option("--published", help="Add the numbers in the form of published tables (unpaired).")
    ] = False,
    inception_weights: InceptionWeights = None,
    timm_weights: TimmWeights = None,
    lpips_weights: LpipsWeights = None,
    at_most: Annotated[
        int, typer.Option(help="Images per set that are scored; up to 50 of a rare class on top.", min=10)
    ] = 10_000,
    target: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html and report.json.")
    ] = None,
    seed: Seed = 0,
    reading: ReadOptions = ReadOptions(),
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Judge synthetic images: fidelity, diversity, memorization, and what kind of wrong is seen.

    Reference: the real training split. Floor: held-out real validation images in place of the synthetic ones.
    The test split is not looked at. Exit status 3 when near copies of training images are among them.
    """
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.augment.formats.registry import read_images
    from synthaug.evaluation.diagnosis.assessment import assess
    from synthaug.evaluation.fidelity.extractors import extractors_for
    from synthaug.evaluation.fidelity.perceptual import perceptual_distance
    from synthaug.evaluation.reports.assessment_report import write_assessment

    out = Output(as_json)
    if target is not None:
        refuse_existing(target, overwrite)
    splits = load_dataset(real, reading)
    if any(part.synthetic.any() for part in (splits.train, splits.val, splits.test)):
        log.warning("%s: its images that are marked synthetic are left out of the real ones", real)
        splits = splits.map(lambda part: part.take(~part.synthetic))
    images = read_images(synthetic)
    if images.synthetic.any() and not images.synthetic.all():  # of a blend those that are marked synthetic
        images = images.take(images.synthetic)
    names = [name.strip() for name in extractor.split(",")]
    fabric = make_fabric(device, precision)
    domain, *others = extractors_for(
        ["domain", *(name for name in names if name != "domain")],
        splits,
        fabric=fabric,
        inception_weights=inception_weights,
        timm_weights=timm_weights,
    )
    perceptual = None
    if lpips_weights is not None:
        file = None if lpips_weights == "download" else Path(lpips_weights)
        perceptual = perceptual_distance(file, str(fabric.device))
    found = assess(
        splits,
        images,
        domain,
        [domain, *others] if "domain" in names else others,
        perceptual=perceptual,
        memorization=memorization,
        published=published,
        largest=at_most,
        seed=seed,
    )
    _say(out, found)
    if perceptual is None:
        out.say("LPIPS is left out: --lpips-weights FILE, or --lpips-weights download")
    config = {
        "real": real,
        "synthetic": synthetic.name,
        "extractor": extractor,
        "memorization": memorization,
        "published": published,
        "lpips": perceptual is not None,
        "at_most": at_most,
        "size": reading.size,
        "channels": reading.channels,
        "reading": reading.as_config(),
        "seed": seed,
        "split_seed": reading.split_seed,
        "device": str(fabric.device),
        "precision": str(fabric.strategy.precision.precision),
    }
    facts = found.as_dict() | {"config": config}
    if target is not None:
        page = write_assessment(found, target, splits.name, config)
        out.say(f"report: {page}")
        facts["report"] = page
    out.result(facts)
    if found.copied and found.memorization is not None:
        raise GateError(found.memorization.sentence)


def _say(out: Output, found: "Assessment") -> None:
    from synthaug.evaluation.score import tables

    for table in tables([*found.scores, *found.published]):
        first, *rest = table.parts  # overall and the classes, or the only class
        out.table(
            ["metric", ">synthetic", ">floor: new real images", "better", "reading"],
            [
                [s.metric, _interval(s.value), _interval(s.floor), s.better, s.reading]
                for s in table.scores
                if s.part == first
            ],
            title=f"{table.title}: {first}, {table.counts(first)}",
        )
        if rest:
            out.table(
                ["value (floor)", *(f">{metric}" for metric in table.metrics)],
                [[part, *(_brief(table.find(part, metric)) for metric in table.metrics)] for part in rest],
            )
        for line in (*table.definitions, *table.notes):
            out.say(line)
    if found.memorization is not None:
        out.say(found.memorization.sentence)
    if found.findings:
        rows = [[f.name, f.part, f.evidence] for f in found.findings]
        out.table(["kind of wrong", "of", "evidence"], rows)
    out.say(f"{found.light}: {found.sentence}")


def _interval(estimate: "Estimate") -> str:
    return f"{estimate.value:.4g} [{estimate.low:.3g}, {estimate.high:.3g}]"


def _brief(score: "Score | None") -> str:
    return "–" if score is None else f"{score.value.value:.3g} ({score.floor.value:.3g})"
