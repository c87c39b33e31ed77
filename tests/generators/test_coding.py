"""JPEG coding as the last step of generation: learnt from the training images, off unless asked for."""

from dataclasses import replace

import numpy as np
import pytest
from gan_fixtures import SOURCE, TINY, dark_and_bright, on_cpu

from synthaug.augment.errors import UsageError
from synthaug.augment.images import concatenate
from synthaug.augment.jpeg import recode
from synthaug.generators.remaking import remade
from synthaug.generators.runs import train_run
from synthaug.generators.sampling import Synthesizer


def trained(folder, qualities):
    images = dark_and_bright((9, 9), side=32)
    images = replace(images, pixels=images.pixels // 2 + 60)  # no black, where coding leaves no trace
    train_run(recode(images, np.array(qualities)[images.labels]), SOURCE, TINY, folder, fabric=on_cpu())
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("coded"), [75, 90])


def test_a_generator_remembers_how_each_class_of_its_training_images_was_coded(run):
    assert Synthesizer(run).card.jpeg == (75, 90)


def test_images_are_coded_so_where_it_is_asked_for_and_the_set_says_so(run):
    plain, coded = Synthesizer(run), Synthesizer(run, coding=True)
    images = plain.images(1, 3, 9)
    assert np.array_equal(coded.images(1, 3, 9).pixels, recode(images, [90] * 6).pixels)
    assert coded.stream({0: 1}).attributes["jpeg"] == '{"dark": 75, "bright": 90}'
    assert "jpeg" not in plain.stream({0: 1}).attributes


def test_it_is_refused_where_training_images_were_not_coded(tmp_path):
    with pytest.raises(UsageError, match="training images were not found to be JPEG"):
        Synthesizer(trained(tmp_path, [0, 0]), coding=True)


def test_coded_and_plain_images_are_made_again_from_the_same_provenance(run):
    plain, coded = Synthesizer(run), Synthesizer(run, coding=True)
    images = concatenate([plain.images(0, 0, 3), coded.images(0, 2, 5), coded.images(1, 0, 2)])
    again = concatenate(list(remade(images, {plain.card.sha256: plain}, {}).batches))
    assert np.array_equal(again.pixels, images.pixels)
