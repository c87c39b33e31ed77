"""`synthaug evaluate`: fidelity, diversity, memorization, and what kind of wrong it sees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthaug.augment.errors import GateError
from synthaug.augment.options import changed
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

if TYPE_CHECKING:
    from synthaug._api.evaluate import EvaluationReport
    from synthaug.evaluation.score import Score
    from synthaug.evaluation.statistics import Estimate


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
    import synthaug as sa

    out = Output(as_json)
    report = sa.evaluate(
        real,
        synthetic,
        out=target,
        overwrite=overwrite,
        extractor=extractor,
        memorization=memorization,
        published=published,
        inception_weights=inception_weights,
        timm_weights=timm_weights,
        lpips_weights=lpips_weights,
        at_most=at_most,
        seed=seed,
        device=device,
        precision=precision,
        **changed(reading),
    )
    _say(out, report)
    if lpips_weights is None:
        out.say("LPIPS is left out: --lpips-weights FILE, or --lpips-weights download")
    facts = report.as_dict()
    if report.page is not None:
        facts["report"] = report.page
        out.say(f"report: {report.page}")
    out.result(facts)
    if report.copied and report.memorization is not None:
        raise GateError(report.memorization.sentence)


def _say(out: Output, found: "EvaluationReport") -> None:
    for table in found.tables:
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
