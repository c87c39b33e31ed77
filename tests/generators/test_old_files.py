"""Runs and generators of earlier versions: they load, make the images they made, and go on as they were."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from gan_fixtures import SOURCE, dark_and_bright, on_cpu

from synthaug.generators.config import GANConfig
from synthaug.generators.runs import train_run
from synthaug.generators.sampling import Synthesizer

BEFORE_NOISE = Path(__file__).parent / "files" / "run-before-noise"
CONFIG = GANConfig(steps=4, batch_size=4, latent_dim=4, width=4, interval=2)
FIRST_ROWS = [[217, 224, 227, 230, 235, 228, 221, 220], [215, 225, 227, 232, 233, 230, 220, 221]]


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(BEFORE_NOISE, tmp_path / "run")


def test_a_generator_from_before_noise_makes_the_images_it_made():
    pixels = Synthesizer(BEFORE_NOISE).images(1, 2, 3).pixels[0, 0, :2, :8]
    assert np.abs(pixels.astype(int) - FIRST_ROWS).max() <= 1  # other processors round otherwise


def test_a_run_from_before_noise_goes_on_without_it(run):
    training = train_run(
        dark_and_bright((4, 2), 16),
        SOURCE,
        GANConfig(**vars(CONFIG) | {"steps": 6}),
        run,
        fabric=on_cpu(),
        resume=True,
    )
    assert training.steps_done == 6
    assert (training.config.window_floor, training.config.noise_from) == (False, 0)
    assert Synthesizer(run).card.config["noise_from"] == 0
