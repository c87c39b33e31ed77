"""`synthaug train-classifier`: a classifier on real images blended with synthetic ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.reading import ReadOptions
from synthaug.cli.blending import blended_training_set
from synthaug.cli.experiment_options import RATIOS
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
from synthaug.cli.runtime import make_fabric

if TYPE_CHECKING:
    from synthaug.classifiers.training import TrainedClassifier

AUTO = (0.0, *RATIOS)  # tried by --synthetic-ratio auto


@dataclass(frozen=True)
class Candidate:
    """A classifier of one ratio: where its synthetic images come from, and its images by origin and class."""

    trained: "TrainedClassifier"
    origin: str | None
    images: dict[str, dict[str, int]]

    @property
    def val_auroc(self) -> float:
        """Of the checkpoint that was kept."""
        return self.trained.best["val_auroc"]


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
        float, typer.Option(help="AdamW's largest step size.", min=1e-7, max=10.0)
    ] = 2e-3,
    augment: Annotated[bool, typer.Option(help="Classical augmentation: pose, zoom, exposure.")] = True,
    balanced: Annotated[bool, typer.Option(help="Class-balanced sampling.")] = False,
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

    from synthaug.augment.balance import blend_plan
    from synthaug.augment.datasets.load import load_dataset
    from synthaug.augment.files.atomic import refuse_existing
    from synthaug.classifiers.architectures import build_classifier
    from synthaug.classifiers.prediction import predict
    from synthaug.classifiers.training import ClassifierConfig
    from synthaug.classifiers.training import train_classifier as train
    from synthaug.evaluation.classification import score_on_test
    from synthaug.evaluation.gain.chosen_ratio import chosen_ratio

    out = Output(as_json)
    folder = run or Path("runs") / f"{Path(dataset.split(':')[0]).stem}-classifier"
    refuse_existing(folder, overwrite)
    fabric = make_fabric(device, precision)
    try:
        splits = load_dataset(dataset, reading)
    except DataError as error:
        hint = "" if "phantom" in str(error) else "; `--dataset phantom` needs no data"
        raise DataError(f"{error}{hint}") from None
    channels_in, side, _ = splits.train.image_shape
    build_classifier(classifier, num_classes=len(splits.class_names), channels=channels_in, image_size=side)
    config = ClassifierConfig(
        name=classifier,
        steps=steps,
        batch_size=batch_size,
        lr=learning_rate,
        balanced=balanced,
        augment=augment,
        class_weights=class_weights,
        mixup=mixup,
        seed=seed,
    )
    ratios = AUTO if synthetic_ratio == "auto" else (as_ratio(synthetic_ratio),)
    if dry_run:
        for ratio in ratios:
            needed = blend_plan(list(splits.train.counts().values()), ratio)
            plan = dict(zip(splits.class_names, needed, strict=True))
            real = splits.train.counts()
            out.say(f"{splits.name}: real {real}, synthetic {plan}, {steps} steps of {classifier}")
        out.result({"dataset": dataset, "images": {"real": real, "synthetic": plan}})
        return
    tried: dict[float, Candidate] = {}
    for ratio in reversed(ratios):  # 0 last: what refuses the synthetic images does so before any training
        blended, where = blended_training_set(
            splits, ratio, generator=generator, synthetic=synthetic, seed=seed, device=str(fabric.device)
        )
        counts = blended.counts_by_origin()
        out.say(f"{splits.name}: real {counts['real']}, synthetic {counts['synthetic']} (from {where})")
        tried[ratio] = Candidate(train(blended, splits.val, config, fabric), where, counts)
        if len(ratios) > 1:
            out.say(f"ratio {ratio:g}: validation AUROC {tried[ratio].val_auroc:.4f}")
    said = {ratio: [predict(one.trained.network, splits.val).probabilities] for ratio, one in tried.items()}
    chosen = chosen_ratio(said, splits.val) if len(ratios) > 1 else ratios[0]
    trained = tried[chosen].trained
    facts: dict[str, Any] = {
        "dataset": dataset,
        **{name: getattr(reading, name) for name in ("size", "channels", "split_seed")},
        "reading": reading.as_config(),
        "synthetic_ratio": chosen,
        "synthetic": tried[chosen].origin,
        "images": tried[chosen].images,
        "config": asdict(config),
        "validation_auroc_by_ratio": {ratio: one.val_auroc for ratio, one in tried.items()},
    }
    if len(ratios) > 1:
        out.say(
            f"ratio {chosen:g}, chosen on {len(splits.val)} validation images: the best, if it is ahead of 0 "
            "by more than a standard error"
        )
    scores = score_on_test(trained, splits)
    facts |= {"best": trained.best, "test": {name: asdict(score) for name, score in scores.items()}}
    trained.save(folder, facts)
    out.table(
        [f"test, n={len(splits.test)}", ">value", ">95 % interval"],
        [[name, f"{s.value:.4f}", f"{s.low:.4f} – {s.high:.4f}"] for name, s in scores.items()],
        title=f"{classifier}, checkpoint of step {trained.best['step']:.0f} "
        f"(validation AUROC {trained.best['val_auroc']:.4f}); "
        "intervals by bootstrap over test images",
    )
    out.say(f"{folder / 'classifier.safetensors'}, {folder / 'report.json'}")
    out.result(facts)


def as_ratio(said: str) -> float:
    """A synthetic ratio as it was typed.

    Raises:
        UsageError: it is no number from 0 to 1.
    """
    try:
        ratio = float(said)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise UsageError(f"synthetic ratio {said}: expected auto, or 0 (real only) to 1 (synthetic only)")
    return ratio
