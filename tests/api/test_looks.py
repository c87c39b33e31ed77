"""How often a verdict was read while its experiment grew: counted, and limited beforehand."""

import json
from pathlib import Path

import pytest

from synthaug._api.experiment.looks import record_look, this_look
from synthaug.augment.errors import UsageError

THREE = {"dataset": "phantom", "seeds": 3, "ratios": [0.5]}
EIGHT = THREE | {"seeds": 8}


def test_the_same_trainings_read_again_are_one_look(tmp_path: Path) -> None:
    record_look(tmp_path, THREE)
    assert this_look(tmp_path, THREE).number == 1
    record_look(tmp_path, THREE)
    assert len(json.loads((tmp_path / "looks.json").read_text())) == 1


def test_a_verdict_that_was_read_may_not_be_read_again_after_growing(tmp_path: Path) -> None:
    record_look(tmp_path, THREE)
    with pytest.raises(UsageError, match="seeds changed after 1 of 1 planned looks"):
        this_look(tmp_path, EIGHT)


def test_planned_looks_share_the_error(tmp_path: Path) -> None:
    record_look(tmp_path, THREE | {"looks": 2})
    second = this_look(tmp_path, EIGHT | {"looks": 2})
    assert (second.number, second.planned, second.alpha) == (2, 2, 0.025)
    record_look(tmp_path, EIGHT | {"looks": 2})
    with pytest.raises(UsageError, match="after 2 of 2 planned looks"):
        this_look(tmp_path, EIGHT | {"looks": 2, "seeds": 12})


def test_an_experiment_that_was_stopped_before_its_report_may_grow(tmp_path: Path) -> None:
    assert this_look(tmp_path, EIGHT).number == 1


def test_a_report_from_before_looks_were_counted_is_one(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"config": THREE}))
    assert this_look(tmp_path, THREE).number == 1
    with pytest.raises(UsageError, match="planned looks"):
        this_look(tmp_path, EIGHT)
