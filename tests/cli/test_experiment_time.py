"""How long an experiment would take, before it begins."""

from dataclasses import replace
from pathlib import Path

import pytest

from synthaug._api.experiment.options import ExperimentOptions
from synthaug._api.experiment.time import count_generators, expected_seconds, of_classifier
from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.reading import ReadOptions
from synthaug.cli.experiment import in_words

DATA = "phantom:n=120,abnormal=0.4"
OWN = ExperimentOptions(DATA, fractions=(0.1, 1.0), seeds=3, inits=2, reading=ReadOptions(size=28))


@pytest.mark.parametrize(
    ("options", "generators"),
    [
        (OWN, 6),  # one per labelled subset, whatever the initial weights
        (replace(OWN, scenario="donor", donors=2), 2),
        (replace(OWN, scenario="donor", donor="theirs/"), 1),
        (replace(OWN, scenario="donor", donor="theirs/", generator="chest-xray"), 0),
        (replace(OWN, synthetic=Path("theirs.h5")), 0),
    ],
)
def test_generators_are_counted_as_they_are_trained(options: ExperimentOptions, generators: int) -> None:
    assert count_generators(options) == generators


@pytest.mark.slow
def test_time_goes_with_steps_trainings_and_what_runs_side_by_side() -> None:
    splits = load_dataset(DATA, ReadOptions(size=28))
    short, long = replace(OWN, steps=10), replace(OWN, steps=10_000)
    assert of_classifier(splits, long) > 50 * of_classifier(splits, short) > 0
    made = replace(long, synthetic=Path("theirs.h5"))  # no generator to time
    one, many = expected_seconds(splits, made, 1, jobs=4), expected_seconds(splits, made, 100, jobs=1)
    assert many > 50 * one


@pytest.mark.parametrize(
    ("seconds", "words"), [(20, "less than a minute"), (150, "2 min"), (5400, "1 h 30 min")]
)
def test_an_estimate_is_said_as_roughly_as_it_is_known(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
