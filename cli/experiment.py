"""`synthaug experiment`: generators, images, classifiers in arms; a verdict and a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug._api.experiment.options import ExperimentOptions
from synthaug.augment.errors import GateError
from synthaug.augment.reading import ReadOptions
from synthaug.cli.files import reads_files, takes_options
from synthaug.cli.options import Config, DryRun, Json, Overwrite
from synthaug.cli.output import Output

if TYPE_CHECKING:
    from synthaug._api.experiment.plan import ExperimentPlan
    from synthaug._api.experiment.run import ExperimentResult


@reads_files
@takes_options(ExperimentOptions, "options", without=("dataset", "reading"))
def experiment(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")],
    options: dict[str, Any],
    effect: Annotated[
        float, typer.Option(help="AUROC gain that --dry-run plans the subsets for.", min=0.001)
    ] = 0.02,
    jobs: Annotated[
        int | None, typer.Option(help="Trainings at a time; as many as cores, one on a GPU.", min=1)
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-experiment.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in --out: finished trainings are not done again.")
    ] = False,
    reading: ReadOptions = ReadOptions(),
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Measure whether synthetic images help: AUROC, paired, against the best classical arm.

    Exit status 3 when they harm.
    """
    asked = ExperimentOptions(dataset, **options, reading=reading).resolved()
    from synthaug._api.experiment.run import recipient, run_experiment

    out = Output(as_json)
    splits = recipient(dataset, asked)
    folder = run or Path("runs") / f"{splits.name}-experiment"
    if dry_run:
        from synthaug._api.experiment.plan import plan_experiment

        report_plan(out, plan_experiment(splits, asked, folder, effect, jobs), splits.name, asked)
        return
    result = run_experiment(splits, asked, folder, overwrite=overwrite, resume=resume, jobs=jobs)
    report_result(out, result, len(splits.test))
    if result.verdict == "harms":
        raise GateError(f"harms: {result.sentence}")


def report_result(out: Output, result: "ExperimentResult", n: int) -> None:
    """Say what an experiment found: a table of arms for each amount of labels, the verdict, the report."""
    facts = result.facts
    for labels in dict.fromkeys(row["labels"] for row in facts["arms"]):
        rows = [row for row in facts["arms"] if row["labels"] == labels]
        out.table(*_arm_table(rows), title=f"{labels}; test, n={n}, means over trainings")
    out.say(result.sentence)
    out.say(f"verdict: {result.verdict}")
    out.say(f"report: {result.page}")
    out.result(facts | {"report": result.page})


def report_plan(out: Output, plan: "ExperimentPlan", name: str, options: ExperimentOptions) -> None:
    """Say what an experiment would train, for how long, and how many subsets an effect needs."""
    out.say(f"{name}: {plan.trainings} classifiers of {options.steps} steps in {len(plan.arms)} arms:")
    for arm in plan.arms:
        out.say(f"  {arm}")
    out.say(f"about {in_words(plan.seconds)}, from a few steps on this machine")
    out.say(f"a standard deviation of {plan.sd:.3g} between subsets, {plan.sd_source}")
    if plan.subsets_needed is None:
        out.say(plan.trouble)
    else:
        out.say(
            f"to find a gain of {plan.effect:g} AUROC with 80 % power among {plan.comparisons} comparisons: "
            f"{plan.subsets_needed} subsets (--seeds)"
        )
    out.result(
        {
            "trainings": plan.trainings,
            "seconds": plan.seconds,
            "arms": plan.arms,
            "subsets_needed": plan.subsets_needed,
            "sd": plan.sd,
            "over_patients": plan.over_patients,
            "config": options.as_dict(),
        }
    )


def _arm_table(arms: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
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


def in_words(seconds: float) -> str:
    """Rounded: an estimate from a few steps knows no more."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
