"""`synthaug train-classifier`: a classifier on real images blended with synthetic ones."""

from pathlib import Path
from typing import Annotated, Any

import typer

from synthaug.augment.errors import DataError
from synthaug.augment.reading import ReadOptions
from synthaug.cli.files import reads_files
from synthaug.cli.options import (
    Config,
    Device,
    DryRun,
    GeneratorOption,
    Json,
    Overwrite,
    Precision,
    Seed,
)
from synthaug.cli.output import Output


@reads_files
def train_classifier(
    dataset: Annotated[str, typer.Option(help="A name of `synthaug datasets`, or a path.")] = "chestmnist",
    synthetic_ratio: Annotated[
        str,
        typer.Option(
            help="Share of the training set that is synthetic: 0 real only, 1 synthetic only; auto: of 0, "
            "0.1, 0.25, 0.5 and 0.75 the one of the best validation AUROC, where it is ahead of 0 by more "
            "than a standard error."
        ),
    ] = "0",
    balance: Annotated[
        bool, typer.Option("--balance", help="Fill every class up to the largest with synthetic images.")
    ] = False,
    add: Annotated[
        Path | None, typer.Option("--add", help="Synthetic images to add, all of them, as they are.")
    ] = None,
    generator: GeneratorOption = None,
    synthetic: Annotated[
        Path | None,
        typer.Option(help="Synthetic images made before, or by another tool, instead of --generator."),
    ] = None,
    classifier: Annotated[
        str, typer.Option(help="small-resnet, timm/…, torchvision/… or monai/….")
    ] = "small-resnet",
    steps: Annotated[int, typer.Option(help="Optimiser updates.", min=1)] = 500,
    batch_size: Annotated[int, typer.Option(help="Images per update.", min=2)] = 64,
    learning_rate: Annotated[
        float, typer.Option(help="AdamW's largest learning rate.", min=1e-7, max=10.0)
    ] = 2e-3,
    augment: Annotated[bool, typer.Option(help="Classical augmentation: pose, zoom, exposure.")] = True,
    balanced_sampling: Annotated[
        bool,
        typer.Option("--balanced-sampling/--no-balanced-sampling", help="Draw every class equally often."),
    ] = False,
    balanced: Annotated[bool, typer.Option("--balanced/--no-balanced", hidden=True)] = False,
    class_weights: Annotated[
        bool, typer.Option("--class-weights", help="Loss weighted by inverse class frequency.")
    ] = False,
    mixup: Annotated[float, typer.Option(help="Alpha of mixup, such as 0.2; 0 is off.", min=0.0)] = 0.0,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<data set>-classifier.")] = None,
    reading: ReadOptions = ReadOptions(),
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    config_file: Config = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Train on the blend, choose the checkpoint on validation, and score the test split once."""
    from dataclasses import asdict

    from synthaug._api.blend import Blending
    from synthaug._api.train_classifier import plan_classifier

    out = Output(as_json)
    folder = run or Path("runs") / f"{Path(dataset.split(':')[0]).stem}-classifier"
    recipe = {
        "name": classifier,
        "steps": steps,
        "batch_size": batch_size,
        "lr": learning_rate,
        "balanced": balanced_sampling or balanced,
        "augment": augment,
        "class_weights": class_weights,
        "mixup": mixup,
        "seed": seed,
    }
    try:
        plan = plan_classifier(
            dataset,
            recipe,
            Blending(synthetic_ratio, balance, add, generator, synthetic),
            out=folder,
            overwrite=overwrite,
            device=device,
            precision=precision,
            options=reading,
        )
    except DataError as error:
        hint = "" if "phantom" in str(error) else "; `--dataset phantom` needs no data"
        raise DataError(f"{error}{hint}") from None
    splits = plan.splits
    if dry_run:
        plans = plan.counts()
        for one in plans:
            out.say(
                f"{splits.name}: real {one['real']}, synthetic {one['synthetic']}, "
                f"{steps} steps of {classifier}"
            )
        images = {"real": plans[0]["real"], "synthetic": plans[0]["synthetic"]} if len(plans) == 1 else None
        out.result({"dataset": dataset, "images": images, "plans": plans})
        return
    chosen = plan.run()
    model, areas = chosen.chosen, chosen.validation_auroc
    out.say(
        f"{splits.name}: real {model.counts['real']}, synthetic {model.counts['synthetic']} "
        f"(from {chosen.origin})"
    )
    if len(areas) > 1:
        for ratio, area in areas.items():
            out.say(f"ratio {ratio:g}: validation AUROC {area:.4f}")
    if chosen.choice is not None:
        out.say(f"{chosen.choice.sentence} ({len(splits.val)} validation images, two trainings a ratio)")
    scores = model.score(splits.test)
    facts: dict[str, Any] = {
        "dataset": dataset,
        "size": reading.size,
        "channels": reading.channels,
        "split_seed": reading.split_seed,
        "reading": reading.as_config(),
        "synthetic_ratio": chosen.ratio,
        "synthetic": chosen.origin,
        "images": model.counts,
        "config": asdict(plan.config),
        "validation_auroc_by_ratio": areas,
        "ratio_choice": None if chosen.choice is None else asdict(chosen.choice),
        "best": model.best,
        "test": {name: asdict(score) for name, score in scores.items()},
    }
    model.facts = facts
    model.save(folder, overwrite=overwrite)
    out.table(
        [f"test, n={len(splits.test)}", ">value", ">95 % interval"],
        [[name, f"{s.value:.4f}", f"{s.low:.4f} – {s.high:.4f}"] for name, s in scores.items()],
        title=f"{classifier}, checkpoint of step {model.best['step']:.0f} "
        f"(validation AUROC {model.best['val_auroc']:.4f}); "
        "intervals by bootstrap over test images",
    )
    out.say(f"{folder / 'classifier.safetensors'}, {folder / 'report.json'}")
    out.result(facts)
