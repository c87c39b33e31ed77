"""`train-classifier --dry-run`: the plan of every training set that would be tried."""

from pathlib import Path

import pytest
from cli_runner import synthaug

DATA = ("--dataset", "phantom:n=160,abnormal=0.25", "--size", 28, "--dry-run", "--json")


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_auto_plans_every_ratio_that_it_tries():
    plans = synthaug("train-classifier", *DATA, "--synthetic-ratio", "auto").json["plans"]
    assert [plan["synthetic_ratio"] for plan in plans] == [0.0, 0.1, 0.25, 0.5, 0.75]
    assert [sum(plan["synthetic"].values()) for plan in plans] == [0, 9, 27, 80, 240]
    assert all(sum(plan["real"].values()) == 80 for plan in plans)


def test_one_ratio_is_planned_as_images_by_origin():
    result = synthaug("train-classifier", *DATA, "--synthetic-ratio", 1).json
    assert sum(result["images"]["real"].values()) == 0  # synthetic only
    assert result["images"]["synthetic"] == {"normal": 40, "abnormal": 40}


def test_balance_plans_what_each_class_lacks():
    result = synthaug("train-classifier", *DATA, "--balance").json
    assert result["images"] == {
        "real": {"normal": 60, "abnormal": 20},
        "synthetic": {"normal": 0, "abnormal": 40},
    }


def test_two_ways_to_blend_are_refused():
    run = synthaug("train-classifier", *DATA, "--balance", "--synthetic-ratio", 0.5)
    assert run.status == 2
    assert "expected one of them" in run.err
