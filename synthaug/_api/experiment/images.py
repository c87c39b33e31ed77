"""The images of an experiment, from its options: whose they are, and where synthetic ones come from."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from synthaug._api.blend import fitting_generator, synthetic_images
from synthaug._api.experiment.options import REST, ExperimentOptions
from synthaug._api.experiment.synthesis import (
    DonorGenerator,
    FromFile,
    FromGenerator,
    JudgeOfSubset,
    with_names,
)
from synthaug._api.load import Data
from synthaug._api.runtime import device_of, make_fabric
from synthaug.augment.blend import match_classes
from synthaug.augment.datasets.load import load_dataset, options_for
from synthaug.augment.errors import DataError, GateError, UsageError
from synthaug.augment.fingerprint import SeenImages, count_known, refuse_leak
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.transforms import matching
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.training import ClassifierConfig
from synthaug.evaluation.experiment.arms import check_ratios
from synthaug.evaluation.experiment.data import ExperimentData, Synthesize
from synthaug.evaluation.experiment.unlabelled import unlabelled
from synthaug.generators.presets import preset
from synthaug.generators.runs import GeneratorTrainer
from synthaug.generators.training.gan import check_images

log = logging.getLogger("synthaug")


def experiment_data(splits: Splits, options: ExperimentOptions, folder: Path) -> ExperimentData:
    """The images of the experiment and where synthetic ones come from; what cannot work is said here.

    Raises:
        UsageError, DataError, GateError: options, images or a generator that do not fit.
    """
    check_ratios(options.ratios)
    channels, side, _ = splits.train.image_shape
    build_classifier(
        options.classifier, num_classes=len(splits.class_names), channels=channels, image_size=side
    )  # a name that is none is said now, not after the generators
    return ExperimentData(
        splits,
        synthesizer(splits, options, folder),
        ClassifierConfig(name=options.classifier, steps=options.steps),
        partial(make_fabric, options.device, options.precision),
        folder,
        donor_share=options.donor_share if options.has_donor and options.donor is None else 0.0,
        donor=(donor_images(splits, options) if options.has_donor and options.donor is not None else None),
        unlabelled=(None if options.unlabelled is None else unlabelled_images(splits, options)),
    )


def renamed(pairs: tuple[str, ...], splits: Splits) -> dict[str, str]:
    """Ours by theirs, of "theirs=ours".

    Raises:
        UsageError: ours is no class here.
    """
    ours = dict(pair.rsplit("=", 1) for pair in pairs)
    here = {name.lower(): name for name in splits.class_names}
    if unknown := [name for name in ours.values() if name.lower() not in here]:
        raise UsageError(
            f"--donor-class …={', '.join(unknown)}: {splits.name} has {', '.join(splits.class_names)}, "
            "expected one of them"
        )
    return {theirs: here[name.lower()] for theirs, name in ours.items()}


def other_images(splits: Splits, data: Data, options: ExperimentOptions) -> LabeledImages:
    """Another data set's training images, read as the recipient's, in their size, channels and depth."""
    if isinstance(data, Splits):
        return matching(data.train, splits.train)
    channels, side, _ = splits.train.image_shape
    others = (options.dataset, options.donor, options.other_unlabelled)
    names = [str(one) for one in others if one is not None and not isinstance(one, Splits)]
    reading = options_for(options.reading, str(data), *(name for name in names if name != str(data)))
    return matching(
        load_dataset(str(data), replace(reading, size=side, channels=channels)).train, splits.train
    )


def donor_images(splits: Splits, options: ExperimentOptions) -> LabeledImages:
    """The donor's training images, in the recipient's size, channels and classes.

    Raises:
        DataError: a class of the recipient is not among them.
        GateError: some are validation or test images of the recipient.
    """
    spec = options.donor or ""
    found = other_images(splits, spec, options)
    images = match_classes(with_names(found, renamed(options.donor_classes, splits)), splits.class_names)
    lacking = [name for name, n in images.counts().items() if not n]
    if lacking:
        raise DataError(
            f"--donor {spec}: no image of {', '.join(lacking)}, its classes are "
            f"{', '.join(found.class_names)}: expected every class of {splits.name}, "
            "add --donor-class theirs=ours"
        )
    for part in (splits.test, splits.val):
        refuse_leak(part, SeenImages.of(images), f"donor {spec}")
    return images


def unlabelled_images(splits: Splits, options: ExperimentOptions) -> LabeledImages:
    """Training images of another data set, or the recipient's own, without labels and nobody held out.

    Of its own, "rest", every unit leaves its labelled subset out.

    Raises:
        DataError: all of them validate or test here.
    """
    spec = options.unlabelled or REST
    found = splits.train if spec == REST else other_images(splits, spec, options)
    kept = unlabelled(found, splits)
    if not len(kept):
        raise DataError(f"--unlabelled {spec}: all {len(found)} images validate or test {splits.name}")
    if len(kept) < len(found):
        left_out = len(found) - len(kept)
        log.warning("--unlabelled %s: left out %d of %d, held out here", spec, left_out, len(found))
    return kept


def synthesizer(splits: Splits, options: ExperimentOptions, folder: Path) -> Synthesize:
    """Where the synthetic images come from: a file, a generator made before, or one trained here.

    Raises:
        GateError: a generator that knows test images, or images whose labels the experiment hides.
    """
    ours = renamed(options.donor_classes, splits)
    if options.synthetic is not None:
        images = with_names(synthetic_images(options.synthetic, splits), ours)
        return FromFile(match_classes(images, splits.class_names))
    if options.generator is not None:
        device = device_of(options.device)
        made = fitting_generator(options.generator, splits, device)
        for theirs in ours:
            made.label_of(theirs)  # a name that is none is said now
        if len(set(ours.values())) < len(ours):
            raise UsageError(
                "--donor-class: two of the generator's classes became one, expected one for each of ours"
            )
        hidden = count_known(splits.train, made.card.training_images)
        if hidden and not options.shows_every_label:
            raise GateError(
                f"generator {made.name} was trained on {hidden} images of this training split: with "
                "fewer labels it would bring hidden ones; leave --generator out"
            )
        return FromGenerator(made.path, splits.class_names, device, ours)
    check_images(splits.train)
    fabric = partial(make_fabric, options.device, options.precision)
    steps = options.generator_steps
    config = replace(preset(options.preset), steps=steps, interval=max(1, steps // 10))
    own = GeneratorTrainer(config, folder / "generators", splits.name, fabric)
    if options.scenario == "donor":
        return DonorGenerator(own, options.steps)
    return replace(own, monitor_for=JudgeOfSubset(splits, fabric, options.steps))
