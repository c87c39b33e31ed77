"""Intervals of pairs' means where patients have several images."""

import numpy as np
import pytest
from scipy.stats import sem, t

from synthaug.evaluation.fidelity.pairs import MEASURES, score_of_pairs
from synthaug.evaluation.protocol import Part


def test_images_of_one_patient_count_as_one_draw():
    draw = np.random.default_rng(0)
    of_patients = draw.normal(size=50)
    part = Part("overall", *(np.arange(100) for _ in range(3)))
    protocol = MEASURES["MSE"].protocol("pairs", 28)
    twice, made = np.repeat(of_patients, 2), draw.normal(size=100)
    patients = np.repeat(np.arange(50), 2).astype(np.str_)
    known = score_of_pairs("m", part, protocol, made, twice, n_reference=1, patients=patients)
    unknown = score_of_pairs("m", part, protocol, made, twice, n_reference=1)
    once = sem(of_patients) * t.ppf(0.975, 49)  # the second image of each tells nothing new
    assert known.floor.high - known.floor.value == pytest.approx(once)
    assert unknown.floor.high - unknown.floor.value < 0.75 * once
    assert known.gap.high - known.gap.low > unknown.gap.high - unknown.gap.low
    assert known.value == unknown.value
