"""Judging synthetic images: fidelity, diversity, memorization, and what kind of fault they have."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthaug._api.load import Data, Images, as_splits, read_options
from synthaug._api.runtime import make_fabric
from synthaug.augment.files.atomic import refuse_existing
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages
from synthaug.augment.progress import OnProgress, reporting_to
from synthaug.evaluation.diagnosis.assessment import Assessment, Light, assess
from synthaug.evaluation.diagnosis.findings import Finding
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.perceptual import perceptual_distance
from synthaug.evaluation.memorization.scores import Memorization
from synthaug.evaluation.reports.assessment_report import write_assessment
from synthaug.evaluation.score import Score, ScoreTable, tables

log = logging.getLogger("synthaug")


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """What was found of a set of synthetic images.

    Attributes:
        assessment: scores, findings and the images they are of.
        data: name of the data set the images were compared with.
        config: every option that led here.
    """

    assessment: Assessment
    data: str
    config: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"EvaluationReport({self.light!r}, {self.sentence!r})"

    @property
    def light(self) -> Light:
        """Red where copies or a fault were found, amber where a score is worse than its floor, else green."""
        return self.assessment.light

    @property
    def sentence(self) -> str:
        """The light in words."""
        return self.assessment.sentence

    @property
    def scores(self) -> Sequence[Score]:
        """Fidelity and diversity, each with interval, floor, protocol and counts."""
        return self.assessment.scores

    @property
    def findings(self) -> Sequence[Finding]:
        """Faults by name, with the evidence."""
        return self.assessment.findings

    @property
    def memorization(self) -> Memorization | None:
        """Near copies, nearness and membership attack; None where they were not looked for."""
        return self.assessment.memorization

    @property
    def copied(self) -> bool:
        """Whether there are more near copies of training images than false alarms explain."""
        return self.assessment.copied

    @property
    def tables(self) -> list[ScoreTable]:
        """The scores as tables, one for each protocol, published forms last."""
        return tables([*self.assessment.scores, *self.assessment.published])

    def as_dict(self) -> dict[str, Any]:
        """The content of report.json, without versions."""
        return self.assessment.as_dict() | {"config": dict(self.config)}

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write report.json and report.html into `folder`; the path of the page.

        Raises:
            UsageError: there is a folder already, and `overwrite` is not set.
        """
        refuse_existing(Path(folder), overwrite)
        return write_assessment(self.assessment, Path(folder), self.data, self.config)


def evaluate(
    real: Data,
    synthetic: Images,
    *,
    extractor: str = "domain",
    memorization: bool = True,
    published: bool = False,
    inception_weights: str | Path | None = None,
    timm_weights: str | Path | None = None,
    lpips_weights: str | Path | None = None,
    at_most: int = 10_000,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
    **options: Any,
) -> EvaluationReport:
    """Compare synthetic images with the real training split, beside held-out real images as the floor.

    The test split is not looked at.

    Args:
        real: a data set: its training split is the reference, its validation split the floor.
        synthetic: images in memory or of a file; of a blended set those that are marked synthetic.
        extractor: comma-separated: domain (a classifier of the real training images), pixels, inception (or
            inception-768), timm/MODEL.
        memorization: look for near copies of training images, among all synthetic images.
        published: add the numbers in the form of published tables (unpaired).
        inception_weights, timm_weights: weights files; Inception's is downloaded by default.
        lpips_weights: SqueezeNet 1.1 weights file, or "download", to measure LPIPS too.
        at_most: images per set that are scored; up to 50 of a rare class on top.
        **options: how `real` is read, see `load`.

    Raises:
        DataError: too few images, or no class in common.
        UsageError: no such extractor.
    """
    with reporting_to(on_progress):
        reading = read_options(options)
        splits = as_splits(real, reading)
        if any(part.synthetic.any() for part in (splits.train, splits.val, splits.test)):
            log.warning("%s: its images that are marked synthetic are left out of the real ones", splits.name)
            splits = splits.map(lambda part: part.take(~part.synthetic))
        images = synthetic if isinstance(synthetic, LabeledImages) else read_images(Path(synthetic))
        if images.synthetic.any() and not images.synthetic.all():
            images = images.take(images.synthetic)
        names = [name.strip() for name in extractor.split(",")]
        fabric = make_fabric(device, precision)
        domain, *others = extractors_for(
            ["domain", *(name for name in names if name != "domain")],
            splits,
            fabric=fabric,
            inception_weights=_path(inception_weights),
            timm_weights=_path(timm_weights),
        )
        perceptual = None
        if lpips_weights is not None:
            file = None if str(lpips_weights) == "download" else Path(lpips_weights)
            perceptual = perceptual_distance(file, str(fabric.device))
        assessment = assess(
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
    config = {
        "real": splits.name if not isinstance(real, str | Path) else str(real),
        "synthetic": "in memory" if isinstance(synthetic, LabeledImages) else Path(synthetic).name,
        "extractor": extractor,
        "memorization": memorization,
        "published": published,
        "lpips": perceptual is not None,
        "at_most": at_most,
        "size": reading.size,
        "reading": reading.as_config(),
        "seed": seed,
        "split_seed": reading.split_seed,
        "device": str(fabric.device),
        "precision": str(fabric.strategy.precision.precision),
    }
    return EvaluationReport(assessment, splits.name, config)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
