"""An experiment from its options to its report; shared by `synthaug experiment` and `synthaug demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthaug.augment.errors import UsageError
from synthaug.cli.experiment_options import ExperimentOptions
from synthaug.cli.output import Output
from synthaug.cli.runtime import side_by_side

if TYPE_CHECKING:
    from synthaug.augment.images import Splits

# options that may change when an experiment goes on: what they add is made, what is there stays
GROWING = ("fractions", "labels_per_class", "ratios", "seeds", "inits", "donors", "extractor", "arms")


def run_and_report(
    splits: "Splits",
    options: ExperimentOptions,
    folder: Path,
    out: Output,
    *,
    overwrite: bool,
    resume: bool = False,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Everything between the data and the report: the content of report.json."""
    from synthaug.cli.experiment_images import laboratory
    from synthaug.evaluation.diagnosis.assessment import assess
    from synthaug.evaluation.experiment.schedule import conduct
    from synthaug.evaluation.fidelity.extractors import extractors_for
    from synthaug.evaluation.gain.verdict import judge
    from synthaug.evaluation.reports.report import Report

    refuse_folder(folder, options, overwrite=overwrite, resume=resume)  # before the work of a minute
    design = options.design
    lab = laboratory(splits, options, folder)
    names = [name.strip() for name in options.extractor.split(",") if name.strip() != "none"]
    extractors = extractors_for(
        ["domain", *(name for name in names if name != "domain")] if names else [],
        splits,
        fabric=lab.make_fabric(),
        inception_weights=options.inception_weights,
    )
    prepare(folder, options, resume=resume)
    out.say(
        f"{splits.name}: train {splits.train.counts()}, val {splits.val.counts()}, "
        f"test {splits.test.counts()}"
    )
    if lab.unlabelled is not None:
        out.say(f"unlabelled: {len(lab.unlabelled):,} images of {options.unlabelled}")
    cells = conduct(
        lab,
        design,
        ratios=options.ratios,
        choice=options.arms,
        jobs=side_by_side(jobs, lab.make_fabric().device),
        on_progress=out.say,
    )
    found = judge(cells, splits)
    first = next(design.units())
    shown = extractors if "domain" in names else extractors[1:]
    assessment = assess(splits, lab.pool(first), extractors[0], shown) if names else None
    report = Report(splits, found, assessment, options.as_dict(), generator_log(folder))
    page = report.write(folder)
    facts = report.facts
    for labels in dict.fromkeys(row["labels"] for row in facts["arms"]):
        rows = [row for row in facts["arms"] if row["labels"] == labels]
        out.table(*arm_table(rows), title=f"{labels}; test, n={len(splits.test)}, means over trainings")
    out.say(facts["sentence"])
    out.say(f"verdict: {facts['verdict']}")
    out.say(f"report: {page}")
    out.result(facts | {"report": page})
    return facts


def refuse_folder(folder: Path, options: ExperimentOptions, *, overwrite: bool, resume: bool) -> None:
    """Raise `UsageError` for a run folder that is there already, or was started with other options."""
    import tomllib

    from synthaug.augment.files.atomic import refuse_existing

    stored = folder / "config.toml"
    if not (resume and stored.exists()):
        refuse_existing(folder, overwrite)
        return
    before, now = tomllib.loads(stored.read_text()), options.as_dict()
    changed = [
        key
        for key in {**before, **now}
        # an option that came later is not in the folder: to it, missing and empty are one
        if key not in GROWING and (before.get(key) or None) != (now.get(key) or None)
    ]
    if changed:
        raise UsageError(
            f"--resume: {', '.join(changed)} differ from {stored}: resume with the same options "
            f"(free to change: {', '.join(GROWING)})"
        )


def prepare(folder: Path, options: ExperimentOptions, *, resume: bool) -> None:
    """Make the run folder, in the place of one that `refuse_folder` let pass, or go on in it."""
    import shutil

    import tomli_w

    from synthaug.augment.files.atomic import replacing

    stored = folder / "config.toml"
    if folder.exists() and not (resume and stored.exists()):
        shutil.rmtree(folder)
    with replacing(stored) as fresh:
        fresh.write_text(tomli_w.dumps(options.as_dict()))


def generator_log(folder: Path) -> list[dict[str, Any]]:
    """Of the first generator that was trained; empty where none was."""
    import json

    for path in sorted((folder / "generators").glob("*/log.jsonl"))[:1]:
        return [json.loads(line) for line in path.read_text().splitlines()]
    return []


def arm_table(arms: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the arms, for people."""
    columns = ["arm", ">real", ">synthetic", ">AUROC", ">SD", ">AUPRC", ">balanced acc."]
    rows = [
        [
            row["arm"],
            str(sum(row["images"]["real"].values())),
            str(sum(row["images"]["synthetic"].values())),
            f"{row['AUROC']:.4f}",
            "–" if row["AUROC SD"] is None else f"{row['AUROC SD']:.4f}",
            f"{row['AUPRC']:.4f}",
            f"{row['balanced accuracy']:.3f}",
        ]
        for row in arms
    ]
    return columns, rows
