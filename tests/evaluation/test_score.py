"""A score says what it is of, and what it means in words; the rule behind the green light."""

from dataclasses import replace

import pytest

from synthaug.evaluation.score import Better, Protocol, Score, tables, together
from synthaug.evaluation.statistics import Estimate

DOMAIN = Protocol("domain", "classifier of phantom", "28 px", "abcdef0123456789", 128)


def score(
    low: float, high: float, better: Better = "lower", *, metric: str = "FID", part: str = "overall"
) -> Score:
    gap = Estimate((low + high) / 2, low, high)
    value, floor = Estimate(2, 1, 3), Estimate(1, 0.5, 1.5)
    return Score(metric, part, DOMAIN, value, floor, gap, better, n_reference=1424, n=214)


@pytest.mark.parametrize(
    ("low", "high", "better", "as_good"),
    [
        (0.1, 0.3, "lower", False),
        (-0.1, 0.3, "lower", True),
        (-0.3, -0.1, "lower", True),
        (0.1, 0.3, "higher", True),
        (-0.3, 0.1, "higher", True),
        (-0.3, -0.1, "higher", False),
        (0.1, 0.3, "floor", False),
        (-0.1, 0.1, "floor", True),
        (-0.3, -0.1, "floor", False),
    ],
)
def test_it_is_as_good_as_real_unless_the_whole_interval_of_the_gap_is_worse(low, high, better, as_good):
    assert score(low, high, better).as_good_as_real is as_good


def test_many_numbers_looked_at_together_want_a_clearer_difference():
    close, clear = score(0.1, 2.1), score(1.1, 1.9)
    assert close.is_worse
    assert not together([close] * 20)[0].is_worse
    assert together([clear] * 20)[0].is_worse


def test_few_patients_want_a_clearer_difference_still():
    clear = replace(
        score(0.35, 1.15), comparisons=20
    )  # Student's t of 5 in place of the normal: ×2.18, not ×1.54
    assert clear.is_worse
    assert not replace(clear, freedom=5).is_worse


def test_words_and_json_say_what_the_light_says():
    close = together([score(0.1, 2.1)] * 20)[0]
    assert close.reading == "no difference shown"
    assert close.as_dict()["as_good_as_real"] is True


def test_the_reading_is_in_words():
    assert score(-1, 1).reading == "no difference shown"
    assert score(1, 2).reading == "worse than new real images"
    assert score(1, 2, "floor").reading == "above new real images"
    assert score(-2, -1, "floor").reading == "below new real images"


def test_a_protocol_names_extractor_layer_preprocessing_and_weights():
    assert str(DOMAIN) == "domain (classifier of phantom), 28 px, weights abcdef01"


def test_a_score_in_json_has_its_protocol_counts_interval_and_reading():
    facts = score(-1, 1).as_dict()
    assert facts["protocol"]["weights"] == "abcdef0123456789"
    assert facts["value"] == {"value": 2, "low": 1, "high": 3, "level": 0.95}
    assert (facts["n_reference"], facts["n"]) == (1424, 214)
    assert facts["as_good_as_real"] is True


def test_scores_of_one_protocol_stand_in_one_table():
    scores = [
        score(0, 1, metric=metric, part=part) for part in ("overall", "normal") for metric in ("FID", "KID")
    ]
    (table,) = tables(scores)
    assert (table.metrics, table.parts) == (["FID", "KID"], ["overall", "normal"])
    assert table.find("normal", "KID") is scores[3]
    assert table.find("normal", "IS") is None
    assert table.counts("overall") == "reference 1,424 real, 214 synthetic, 214 held-out real"
