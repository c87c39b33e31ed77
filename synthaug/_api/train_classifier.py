"""Training a classifier on real images, blended with synthetic ones where that is asked for."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from synthaug._api.blend import Blending, as_ratio
from synthaug._api.generator import Generator
from synthaug._api.load import Data, Images, as_images, as_training_splits, read_options
from synthaug._api.runtime import make_fabric
from synthaug.augment.errors import GateError, UsageError
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.fingerprint import canonical_fingerprints
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import OnProgress, reporting_to
from synthaug.augment.reading import ReadOptions
from synthaug.classifiers.architectures import DEFAULT, build_classifier
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.training import ClassifierConfig, TrainedClassifier
from synthaug.classifiers.training import train_classifier as fit
from synthaug.evaluation.classification import score_on_test
from synthaug.evaluation.gain.chosen_ratio import RatioChoice, choose_ratio
from synthaug.evaluation.statistics import Estimate

log = logging.getLogger("synthaug")
AGAIN = 2_000_003  # added to the seed of a ratio's second training
RATIOS = (0.0, 0.1, 0.25, 0.5, 0.75)  # that synthetic_ratio="auto" chooses among


class Classifier:
    """A trained classifier.

    Attributes:
        network: a PyTorch module, (N, C, H, W) in [0, 1] -> logits (N, K), in evaluation mode.
        class_names: column k of a prediction is class_names[k].
        counts: training images by origin ("real", "synthetic") and class.
        config: everything the training depended on besides the images.
        best: the look at the validation images whose weights were kept: step, val_auroc, val_loss.
        history: all looks.
        facts: what `save` writes into report.json.
    """

    def __init__(
        self,
        trained: TrainedClassifier,
        config: ClassifierConfig,
        train: LabeledImages,
        val: LabeledImages,
        facts: dict[str, Any] | None = None,
    ):
        self._trained, self.config, self._val = trained, config, val
        self._seen = train
        self.network, self.best, self.history = trained.network, trained.best, trained.history
        self.class_names, self.counts = train.class_names, train.counts_by_origin()
        self.facts = facts if facts is not None else {"config": asdict(config), "images": self.counts}

    def __repr__(self) -> str:
        auroc, step = self.best["val_auroc"], self.best["step"]
        return f"Classifier({self.config.name!r}, step {step:.0f}, validation AUROC {auroc:.4f})"

    def predict(self, images: Images) -> npt.NDArray[np.float64]:
        """Probabilities (N, K) of every image, rows sum to 1."""
        return predict(self.network, as_images(images, ReadOptions())).probabilities

    def score(self, test: LabeledImages) -> dict[str, Estimate]:
        """AUROC, AUPRC, balanced accuracy and other scores with 95 % intervals by bootstrap over patients.

        Thresholds are tuned on the validation images. Look at a test set once.

        Raises:
            GateError: some of the images are among the training images.
        """
        known = np.isin(canonical_fingerprints(test), canonical_fingerprints(self._seen))
        if known.any():
            raise GateError(
                f"{known.sum()} of {len(test)} test images are training images of this classifier: expected "
                "images that it has not seen, such as the test split of the data set it was trained on"
            )
        return score_on_test(self._trained, Splits(self._seen.take([]), self._val, test))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write classifier.safetensors and report.json as one folder.

        Raises:
            UsageError: there is a folder already, and `overwrite` is not set.
        """
        refuse_existing(Path(folder), overwrite)
        self._trained.save(Path(folder), self.facts)
        return Path(folder)


def train_classifier(
    train: Data | LabeledImages,
    val: LabeledImages | None = None,
    *,
    classifier: str = DEFAULT,
    steps: int = 500,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    augment: bool = True,
    balanced_sampling: bool = False,
    class_weights: bool = False,
    mixup: float = 0.0,
    synthetic_ratio: float | str = 0.0,
    balance: bool = False,
    add: Images | None = None,
    generator: str | Path | Generator | None = None,
    synthetic: Images | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Classifier:
    """Train on images, keep the checkpoint of the best validation AUROC. The test split is not looked at.

    Args:
        train: training images (with `val`), such as `blend` returns; or a data set, whose training split is
            trained on, blended as `synthetic_ratio`, `balance` or `add` say.
        val: validation images, where `train` is no data set.
        classifier: "small-resnet", "timm/resnet18", "torchvision/resnet18", "monai/DenseNet121", …
        steps: optimiser updates.
        batch_size: images per update.
        learning_rate: AdamW's largest, reached after a tenth of the steps, then a cosine to zero.
        augment: classical augmentation: rotation, shift, zoom, brightness, contrast.
        balanced_sampling: draw every class equally often.
        class_weights: weight the loss by inverse class frequency instead.
        mixup: alpha of mixup's Beta distribution, 0 for none.
        synthetic_ratio: share of the training set that is synthetic, or "auto": of 0, 0.1, 0.25, 0.5 and 0.75
            the one of the best mean validation AUROC of two trainings, if its lead over 0 is more than the
            luck of the best of four (`RatioChoice`).
        balance: fill every class up to the largest with synthetic images.
        add: synthetic images to add, all of them.
        generator: where synthetic images are from; by default the shipped generator that makes the classes.
        synthetic: synthetic images made before, instead of `generator`.
        **options: how a data set is read, see `load`.

    Raises:
        UsageError: no such classifier, or contradictory arguments.
        DataError: fewer than two classes, or too few synthetic images.
        GateError: the generator, or synthetic images, know images of the test split.
    """
    recipe: dict[str, Any] = {
        "name": classifier,
        "steps": steps,
        "batch_size": batch_size,
        "lr": learning_rate,
        "balanced": balanced_sampling,
        "augment": augment,
        "class_weights": class_weights,
        "mixup": mixup,
        "seed": seed,
    }
    blending = Blending(synthetic_ratio, balance, add, generator, synthetic)
    with reporting_to(on_progress):
        if isinstance(train, LabeledImages):
            if val is None:
                raise UsageError(
                    "train_classifier: expected train_classifier(train, val) with validation images"
                )
            if blending != Blending():
                raise UsageError("train_classifier: images are blended by blend(…), or give a data set here")
            config = ClassifierConfig(**recipe)
            _refuse_unfit(config, train)
            return Classifier(fit(train, val, config, make_fabric(device, precision)), config, train, val)
        plan = plan_classifier(
            train, recipe, blending, device=device, precision=precision, options=read_options(options)
        )
        return plan.run().chosen


@dataclass(frozen=True)
class Chosen:
    """A classifier of the ratio that was chosen, beside those of the others.

    Attributes:
        ratio: that was chosen; None for a blend that is no ratio.
        origin: where its synthetic images are from, in words.
        validation_auroc: by ratio.
        choice: what it is worth; None where no ratio was chosen.
    """

    chosen: Classifier
    ratio: float | None
    origin: str
    validation_auroc: dict[float, float] = field(default_factory=dict)
    choice: RatioChoice | None = None


@dataclass(frozen=True, eq=False)
class ClassifierPlan:
    """A training on blends of a data set, not begun yet."""

    splits: Splits
    config: ClassifierConfig
    blending: Blending
    device: str = "auto"
    precision: str = "auto"

    @property
    def ratios(self) -> Sequence[float | None]:
        """That are tried; None is a blend that is no ratio."""
        if self.blending.balance or self.blending.add is not None:
            return (None,)
        return RATIOS if self.blending.ratio == "auto" else (as_ratio(self.blending.ratio),)

    def counts(self) -> list[dict[str, Any]]:
        """For every ratio: images by origin and class."""
        real = self.splits.train.counts()
        rows = []
        for ratio in self.ratios:
            needed = self.blending.needed(self.splits, ratio)
            kept = dict.fromkeys(real, 0) if ratio == 1 else real
            plan = dict(zip(real, needed, strict=True))
            rows.append({"synthetic_ratio": ratio, "real": kept, "synthetic": plan})
        return rows

    def run(self) -> Chosen:
        """Train a classifier of every ratio, and choose one on the validation images."""
        fabric = make_fabric(self.device, self.precision)
        tried: dict[float | None, tuple[Classifier, str]] = {}
        again: dict[float, npt.NDArray[np.float64]] = {}  # a second training shows the luck of the first
        for ratio in reversed(self.ratios):  # 0 last: unfit synthetic images are refused before any training
            train, origin = self.blending.training_set(
                self.splits, ratio, seed=self.config.seed, device=str(fabric.device)
            )
            trained = fit(train, self.splits.val, self.config, fabric)
            tried[ratio] = Classifier(trained, self.config, train, self.splits.val), origin
            if ratio is not None and len(self.ratios) > 1:
                other = replace(self.config, seed=self.config.seed + AGAIN)
                network = fit(train, self.splits.val, other, fabric).network
                again[ratio] = predict(network, self.splits.val).probabilities
                log.info("synthetic ratio %g: validation AUROC %.4f", ratio, trained.best["val_auroc"])
        by_ratio = {ratio: one for ratio, (one, _) in tried.items() if ratio is not None}
        ratio, choice = self.ratios[0], None
        if len(by_ratio) > 1:
            answers = {r: [one.predict(self.splits.val), again[r]] for r, one in by_ratio.items()}
            choice = choose_ratio(answers, self.splits.val)
            ratio = choice.ratio
            log.info("%s", choice.sentence)
        model, origin = tried[ratio]
        areas = {r: one.best["val_auroc"] for r, one in by_ratio.items()}
        return Chosen(model, ratio, origin, areas, choice)


def plan_classifier(
    data: Data,
    recipe: dict[str, Any],
    blending: Blending,
    *,
    out: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "auto",
    options: ReadOptions = ReadOptions(),
) -> ClassifierPlan:
    """Read the data and check what can be checked before the work.

    Args:
        recipe: fields of `ClassifierConfig`.
        out: where the classifier will be saved.

    Raises:
        UsageError: no such classifier, contradictory arguments, or `out` is taken.
        DataError: see `load`.
    """
    blending.check()
    if out is not None:
        refuse_existing(out, overwrite)
    config = ClassifierConfig(**recipe)
    splits = as_training_splits(data, options)
    _refuse_unfit(config, splits.train)
    return ClassifierPlan(splits, config, blending, device, precision)


def _refuse_unfit(config: ClassifierConfig, images: LabeledImages) -> None:
    """Raise `UsageError` for a classifier that is unknown or cannot take these images."""
    channels, side, _ = images.image_shape
    build_classifier(config.name, num_classes=len(images.class_names), channels=channels, image_size=side)
