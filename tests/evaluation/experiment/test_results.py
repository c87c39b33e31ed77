"""A training result in its file: keys stay, so that run folders of earlier versions are read."""

import json
from dataclasses import replace

import numpy as np
from experiment_fixtures import AUGMENTED, made_up

from synthaug.evaluation.experiment.results import cell_path, read_result, write_cell


def test_a_file_keeps_the_keys_of_the_first_version(tmp_path):
    result = replace(made_up({AUGMENTED: 0.5})[0], trts_auroc=0.75)
    write_cell(tmp_path, result)
    path = cell_path(tmp_path, result.unit, result.arm)
    with np.load(path) as file:
        facts = json.loads(str(file["facts"]))
    assert (facts["mirror"], facts["arm"]["way"]) == (0.75, "real")
    again = read_result(path)
    assert (again.arm, again.unit, again.trts_auroc) == (result.arm, result.unit, 0.75)
    assert np.array_equal(again.test, result.test)
