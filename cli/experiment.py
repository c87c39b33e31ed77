"""`synthaug experiment`: generator, images, classifiers, arms, seeds; a verdict and a report."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug.augment.errors import GateError, UsageError
from synthaug.cli.blending import open_generator, read_synthetic
from synthaug.cli.options import (
    Channels,
    Config,
    DataRoot,
    Device,
    DryRun,
    InceptionWeights,
    Json,
    Overwrite,
    Precision,
    Size,
    SplitSeed,
    numbers,
)
from synthaug.cli.output import Output
from synthaug.cli.runtime import data_root, make_fabric

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from synthaug.augment.images import LabeledImages, Splits
    from synthaug.evaluation.arms import Synthesize
    from synthaug.evaluation.vitals import Judge


@dataclass(frozen=True)
class ExperimentOptions:
    """What an experiment is asked to do; the flags of `synthaug experiment` say what each means."""

    dataset: str
    fractions: tuple[float, ...] = (1.0,)
    ratios: tuple[float, ...] = (0.5,)
    seeds: int = 3
    preset: str = "synthaug"
    generator: str | None = None
    synthetic: Path | None = None
    generator_steps: int = 2000
    steps: int = 500
    classifier: str = "small-resnet"
    extractor: str = "domain"
    inception_weights: Path | None = None
    size: int | None = None
    channels: int | None = None
    split_seed: int = 0
    device: str = "auto"
    precision: str = "auto"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what was not said: for config.toml and the report."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items() if v is not None}


def experiment(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")],
    fractions: Annotated[
        list[str] | None, typer.Option(help="Shares of the labelled data, such as 0.1,1.")
    ] = None,
    ratios: Annotated[
        list[str] | None, typer.Option(help="Synthetic shares of the blend, such as 0.25,0.5.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Labelled subsets, each with its own generator.", min=1)] = 3,
    preset: Annotated[str, typer.Option(help="Recipe of the generator trained on each subset.")] = "synthaug",
    generator: Annotated[
        str | None, typer.Option(help="Use this generator instead of training one per subset.")
    ] = None,
    synthetic: Annotated[Path | None, typer.Option(help="Use these images instead of a generator.")] = None,
    generator_steps: Annotated[int, typer.Option(help="Updates of each generator.", min=1)] = 2000,
    steps: Annotated[
        int, typer.Option(help="Updates of each classifier, the same for every arm.", min=1)
    ] = 500,
    classifier: Annotated[
        str, typer.Option(help="small-resnet, timm/…, torchvision/… or monai/….")
    ] = "small-resnet",
    extractor: Annotated[
        str, typer.Option(help="For fidelity: domain, inception, both, or none.")
    ] = "domain",
    inception_weights: InceptionWeights = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-experiment.")] = None,
    size: Size = None,
    channels: Channels = None,
    root: DataRoot = None,
    split_seed: SplitSeed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Measure whether synthetic images help: AUROC, paired, against the best classical arm.

    Exit status 3 when they harm.
    """
    from synthaug.augment.datasets import load_dataset

    if generator is not None and synthetic is not None:
        raise UsageError("--generator and --synthetic: expected one of them, or none to train a generator")
    options = ExperimentOptions(
        dataset=dataset,
        fractions=numbers(fractions or ["1"], "fractions"),
        ratios=numbers(ratios or ["0.5"], "ratios"),
        seeds=seeds,
        preset=preset,
        generator=generator,
        synthetic=synthetic,
        generator_steps=generator_steps,
        steps=steps,
        classifier=classifier,
        extractor=extractor,
        inception_weights=inception_weights,
        size=size,
        channels=channels,
        split_seed=split_seed,
        device=device,
        precision=precision,
    )
    splits = load_dataset(dataset, data_root(root), size=size, channels=channels, split_seed=split_seed)
    folder = run or Path("runs") / f"{splits.name}-experiment"
    facts = run_and_report(splits, options, folder, Output(as_json), overwrite=overwrite, dry_run=dry_run)
    if facts.get("verdict") == "harms":
        raise GateError(f"harms: {facts['sentence']}")


def run_and_report(
    splits: "Splits", options: ExperimentOptions, folder: Path, out: Output, *, overwrite: bool, dry_run: bool
) -> dict[str, Any]:
    """Everything between the data and the report; shared with `synthaug demo`."""
    import shutil

    import tomli_w

    from synthaug.augment.atomic import refuse_existing, replacing
    from synthaug.augment.images import LabeledImages
    from synthaug.classifiers.architectures import build_classifier
    from synthaug.classifiers.training import ClassifierConfig
    from synthaug.evaluation.arms import arms_of
    from synthaug.evaluation.assessment import assess
    from synthaug.evaluation.extractors import extractors_for
    from synthaug.evaluation.gain import run_experiment
    from synthaug.evaluation.report import Report
    from synthaug.generators.runs import subset_run
    from synthaug.generators.training import check_images

    refuse_existing(folder, overwrite)
    arms = arms_of(options.ratios)
    cells = len(arms) * len(options.fractions) * options.seeds
    out.say(
        f"{splits.name}: train {splits.train.counts()}, val {splits.val.counts()}, "
        f"test {splits.test.counts()}; {cells} classifiers of {options.steps} steps in {len(arms)} arms"
    )
    if dry_run:
        out.result({"cells": cells, "arms": [arm.name for arm in arms], "config": options.as_dict()})
        return {}
    channels, side, _ = splits.train.image_shape
    build_classifier(
        options.classifier, num_classes=len(splits.class_names), channels=channels, image_size=side
    )  # a name that is none is said now, not after the generators
    fabric = make_fabric(options.device, options.precision)
    make = _synthesizer(splits, options, folder, fabric)
    names = [name.strip() for name in options.extractor.split(",") if name.strip() != "none"]
    extractors = extractors_for(
        ["domain", *(name for name in names if name != "domain")] if names else [],
        splits,
        fabric=fabric,
        inception_weights=options.inception_weights,
    )
    if options.generator is None and options.synthetic is None:
        check_images(splits.train)
    if folder.exists():  # nothing is lost before everything that can be checked has been
        shutil.rmtree(folder)
    with replacing(folder / "config.toml") as fresh:
        fresh.write_text(tomli_w.dumps(options.as_dict()))
    first: list[tuple[LabeledImages, Path]] = []  # what the report shows: one subset's images and training

    def remember(real: LabeledImages, wanted: list[int], seed: int) -> LabeledImages:
        pool = make(real, wanted, seed)
        if not first:
            first.append((pool, subset_run(folder, real, seed) / "log.jsonl"))
        return pool

    found = run_experiment(
        splits,
        remember,
        fractions=options.fractions,
        ratios=options.ratios,
        seeds=options.seeds,
        config=ClassifierConfig(name=options.classifier, steps=options.steps),
        fabric=fabric,
        on_cell=out.say,
    )
    pool, log_file = first[0]
    shown = extractors if "domain" in names else extractors[1:]
    assessment = assess(splits, pool, extractors[0], shown) if names else None
    log = [json.loads(line) for line in log_file.read_text().splitlines()] if log_file.exists() else []
    report = Report(splits, found, assessment, options.as_dict(), log)
    page = report.write(folder)
    facts = report.facts
    out.table(
        ["arm", "labels", ">real", ">synthetic", ">AUROC", ">SD", ">AUPRC", ">balanced acc."],
        [
            [
                row["arm"],
                f"{100 * row['fraction']:.3g} %",
                str(sum(row["images"]["real"].values())),
                str(sum(row["images"]["synthetic"].values())),
                f"{row['AUROC']:.4f}",
                "–" if row["AUROC SD"] is None else f"{row['AUROC SD']:.4f}",
                f"{row['AUPRC']:.4f}",
                f"{row['balanced accuracy']:.3f}",
            ]
            for row in facts["arms"]
        ],
        title=f"test, n={len(splits.test)}, means over {options.seeds} seeds",
    )
    out.say(facts["sentence"])
    out.say(f"verdict: {facts['verdict']}")
    out.say(f"report: {page}")
    out.result(facts | {"report": page})
    return facts


def _synthesizer(
    splits: "Splits", options: ExperimentOptions, folder: Path, fabric: "Fabric"
) -> "Synthesize":
    """Where the synthetic images come from: a file, a generator made before, or one per labelled subset."""
    from dataclasses import replace

    import numpy as np

    from synthaug.augment.blend import match_classes
    from synthaug.augment.fingerprint import canonical_fingerprints
    from synthaug.evaluation.extractors import extractors_for
    from synthaug.evaluation.vitals import can_judge, judge_of
    from synthaug.generators.presets import preset
    from synthaug.generators.runs import own_synthesizer
    from synthaug.generators.sampling import collect_for

    if options.synthetic is not None:
        pool = match_classes(read_synthetic(options.synthetic, splits), splits.class_names)
        return lambda real, wanted, seed: pool
    if options.generator is not None:
        made = open_generator(options.generator, splits, str(fabric.device))
        hidden = int(
            np.isin(canonical_fingerprints(splits.train), made.card.training_images.fingerprints).sum()
        )
        if hidden and min(options.fractions) < 1:
            raise GateError(
                f"generator {made.name} was trained on {hidden} images of this training split: with "
                "--fractions below 1 it would bring hidden labels; leave --generator out"
            )
        return lambda real, wanted, seed: collect_for(made, splits.class_names, wanted, seed)
    steps = options.generator_steps
    config = replace(preset(options.preset), steps=steps, interval=max(1, steps // 10))

    def judge_of_subset(real: "LabeledImages") -> "Judge | None":
        known = replace(splits, train=real)
        if not can_judge(known):
            return None
        extractor = extractors_for(["domain"], known, fabric=fabric, steps=min(300, options.steps))[0]
        return judge_of(known, extractor)

    return own_synthesizer(config, folder, splits.name, fabric, judge_of_subset)
