"""The cards of the shipped generators say what was measured of the files that ship."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from synthaug.generators.checkpoint import load_generator
from synthaug.generators.sampling import SHIPPED as FOLDER

sys.path.append(str(Path(__file__).parents[2] / "studies" / "gans"))
from cards import SHIPPED, card

MEASURED = Path(__file__).parents[2] / "docs" / "results" / "gans" / "shipped"


def facts_of(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((MEASURED / f"{name}.json").read_text())
    return facts


def test_every_generator_that_ships_is_measured() -> None:
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == set(SHIPPED)
    assert {path.stem for path in MEASURED.glob("*.json")} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_numbers_are_of_the_file_that_ships(name: str) -> None:
    _, stored = load_generator(FOLDER / f"{name}.safetensors")
    assert facts_of(name)["generator"]["sha256"] == stored.sha256


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_says_what_was_measured_word_for_word(name: str) -> None:
    said = (FOLDER / f"{name}.md").read_text()
    assert card(facts_of(name)) in said


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_at_most_four_megabytes(name: str) -> None:
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 4_000_000
