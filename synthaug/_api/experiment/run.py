"""An experiment from its options to its report."""

import json
import logging
import shutil
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w

from synthaug._api.experiment.images import experiment_data
from synthaug._api.experiment.looks import GROWING, record_look, this_look
from synthaug._api.experiment.options import ExperimentOptions
from synthaug._api.generator import Generator
from synthaug._api.load import Data, as_training_splits, read_options
from synthaug._api.runtime import parallel_trainings
from synthaug._api.temporary import TemporaryFolder
from synthaug.augment.datasets.load import options_for
from synthaug.augment.errors import UsageError
from synthaug.augment.files.atomic import refuse_existing, replacing
from synthaug.augment.images import Splits
from synthaug.augment.progress import OnProgress, reporting_to
from synthaug.evaluation.diagnosis.assessment import assess
from synthaug.evaluation.experiment.schedule import conduct
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.gain.comparison import Gain
from synthaug.evaluation.gain.verdict import Experiment, Looks, compare_arms
from synthaug.evaluation.reports.report import Report

log = logging.getLogger("synthaug")

# options that may change when an experiment is resumed: what they add is made, what is there stays
FREE = (*GROWING, "extractor")


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """What an experiment found.

    Attributes:
        verdict: "helps", "no evidence" or "harms".
        sentence: the verdict in words, with the numbers.
        gain: the comparison that the verdict is about: arm, reference, AUROC difference with its interval.
        gains: all comparisons.
        facts: the content of report.json: verdict, arms, fidelity, memorization, config, versions.
        folder: the run folder, with report.html. Without `out` a temporary one, deleted with this object.
    """

    experiment: Experiment
    facts: dict[str, Any]
    folder: Path
    _temporary: TemporaryFolder | None = None

    def __repr__(self) -> str:
        return f"ExperimentResult({self.verdict!r}, {str(self.folder)!r})"

    @property
    def verdict(self) -> str:
        """On synthetic images against the best classical arm."""
        return self.experiment.verdict

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers."""
        return self.experiment.sentence

    @property
    def gain(self) -> Gain:
        """The comparison that the verdict is about."""
        return self.experiment.decisive

    @property
    def gains(self) -> list[Gain]:
        """All comparisons, deciding or not."""
        return self.experiment.gains

    @property
    def page(self) -> Path:
        """The report for people."""
        return self.folder / "report.html"

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Copy the run folder: report, configuration, trainings, synthetic images, generators.

        Raises:
            UsageError: there is a folder already, and `overwrite` is not set.
        """
        target = Path(folder)
        refuse_existing(target, overwrite)
        with replacing(target) as fresh:
            shutil.copytree(self.folder, fresh)
        return target


def experiment(
    data: Data,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int | None = None,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> ExperimentResult:
    """Measure whether synthetic images help a classifier: AUROC, paired, against the best classical arm.

    Args:
        data: what `load` takes, or splits in memory.
        out: run folder; None: a temporary one, deleted with the result.
        resume: go on in `out`: finished trainings are not done again.
        overwrite: replace what stands at `out`.
        jobs: trainings at a time; as many as cores, one on a GPU.
        **options: fields of `ExperimentOptions` (fractions, ratios, seeds, scenario, donor, generator,
            synthetic, steps, …; `synthaug experiment --help` explains each) and reading options (see `load`).

    Raises:
        UsageError: options that do not go together, or `out` is taken.
        DataError: too few images of a class.
        GateError: a generator or donor that knows validation or test images.
    """
    names = {f.name for f in fields(ExperimentOptions)} - {"dataset", "reading"}
    chosen = {name: options.pop(name) for name in names & set(options)}
    for name in ("fractions", "ratios", "labels_per_class", "donor_classes", "rare_classes"):
        if name in chosen and isinstance(chosen[name], str | int | float):
            raise UsageError(f"{name}={chosen[name]!r}: expected a sequence, such as ({chosen[name]!r},)")
    if isinstance(chosen.get("generator"), Generator):
        chosen["generator"] = chosen["generator"].path
    asked = ExperimentOptions(
        data if isinstance(data, Splits) else str(data), **chosen, reading=read_options(options)
    )
    temporary = TemporaryFolder() if out is None else None
    folder = temporary.path / "run" if temporary else Path(out or "")
    with reporting_to(on_progress):
        asked = asked.resolved()
        splits = recipient(data, asked)
        return run_experiment(
            splits, asked, folder, overwrite=overwrite, resume=resume, jobs=jobs, temporary=temporary
        )


def recipient(data: Data, options: ExperimentOptions) -> Splits:
    """The data set that classifiers are trained on, with `rare_classes` cut.

    Raises:
        DataError, UsageError: see `load`.
    """
    others = [one for one in (options.donor, options.other_unlabelled) if isinstance(one, str)]
    reading = options.reading
    if not isinstance(data, Splits):
        reading = options_for(reading, str(data), *others)
    return options.with_rare_classes(as_training_splits(data, reading))


def run_experiment(
    splits: Splits,
    options: ExperimentOptions,
    folder: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    jobs: int | None = None,
    temporary: TemporaryFolder | None = None,
) -> ExperimentResult:
    """Everything between the data and the report, into `folder`.

    Raises:
        UsageError, DataError, GateError: see `experiment`.
    """
    refuse_folder(folder, options, overwrite=overwrite, resume=resume)  # before the work of a minute
    looks = this_look(folder, options.as_dict()) if resume else Looks(1, options.looks)
    design = options.design
    data = experiment_data(splits, options, folder)
    names = [name.strip() for name in options.extractor.split(",") if name.strip() != "none"]
    extractors = extractors_for(
        ["domain", *(name for name in names if name != "domain")] if names else [],
        splits,
        fabric=data.make_fabric(),
        inception_weights=options.inception_weights,
    )
    prepare(folder, options, resume=resume)
    counts = {part: getattr(splits, part).counts() for part in ("train", "val", "test")}
    log.info("%s: %s", splits.name, ", ".join(f"{part} {count}" for part, count in counts.items()))
    if data.unlabelled is not None:
        log.info("unlabelled: %s images of %s", f"{len(data.unlabelled):,}", options.unlabelled)
    results = conduct(
        data,
        design,
        ratios=options.ratios,
        choice=options.arms,
        reference=options.reference_recipe,
        jobs=parallel_trainings(jobs, data.make_fabric().device),
        on_progress=log.info,
    )
    found = compare_arms(
        results, splits, reference=options.reference_recipe, looks=looks, donor_share=data.donor_share
    )
    first = next(design.units())
    shown = extractors if "domain" in names else extractors[1:]
    assessment = assess(splits, data.pool(first), extractors[0], shown) if names else None
    report = Report(splits, found, assessment, options.as_dict(), generator_log(folder))
    report.write(folder)
    record_look(folder, options.as_dict())
    return ExperimentResult(found, report.facts, folder, temporary)


def refuse_folder(folder: Path, options: ExperimentOptions, *, overwrite: bool, resume: bool) -> None:
    """Raise `UsageError` for a run folder that is there already, or was started with other options."""
    stored = folder / "config.toml"
    if not (resume and stored.exists()):
        refuse_existing(folder, overwrite)
        return
    before, now = {"looks": 1} | tomllib.loads(stored.read_text()), options.as_dict()
    changed = [
        key
        for key in {**before, **now}
        # an option that came later is not in the folder: to it, missing and empty are one
        if key not in FREE and (before.get(key) or None) != (now.get(key) or None)
    ]
    if changed:
        raise UsageError(
            f"--resume: {', '.join(changed)} differ from {stored}: resume with the same options "
            f"(free to change: {', '.join(FREE)})"
        )


def prepare(folder: Path, options: ExperimentOptions, *, resume: bool) -> None:
    """Make the run folder, in the place of one that `refuse_folder` let pass, or go on in it."""
    stored = folder / "config.toml"
    if folder.exists() and not (resume and stored.exists()):
        shutil.rmtree(folder)
    with replacing(stored) as fresh:
        fresh.write_text(tomli_w.dumps(options.as_dict()))


def generator_log(folder: Path) -> list[dict[str, Any]]:
    """Of the first generator that was trained; empty where none was."""
    for path in sorted((folder / "generators").glob("*/log.jsonl"))[:1]:
        return [json.loads(line) for line in path.read_text().splitlines()]
    return []
