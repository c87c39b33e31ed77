"""The diagnosis names each false generator, and says nothing of real images."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from false_generators import (
    FALSE_COLOURS,
    FALSE_GENERATORS,
    FalseGenerator,
    another_data_set,
    blurred_reals,
    duplicated_reals,
    labels_swapped,
    mean_image,
    uniform_noise,
)
from lightning_fabric import Fabric

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import resize, with_channels
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.diagnosis.findings import Finding, View, diagnose
from synthaug.evaluation.fidelity.features import Features

ANOTHER = "another distribution"


class Case:
    """A data set with its domain classifier, and what the diagnosis says of images put to it."""

    def __init__(self, splits: Splits, other: LabeledImages, steps: int):
        self.splits, self.other = splits, other
        config = ClassifierConfig(steps=steps, balanced=True)
        fabric = Fabric(accelerator="cpu", devices=1)
        self.network = train_classifier(splits.train, splits.val, config, fabric).network
        self.real = self.view(splits.train), self.view(splits.val)

    def view(self, images: LabeledImages) -> View:
        said = predict(self.network, images)
        return View(images, Features(said.features, np.log(np.maximum(said.probabilities, 1e-30))))

    def findings(self, images: LabeledImages, **options: tuple[float, float]) -> list[Finding]:
        return diagnose(*self.real, self.view(images), **options)

    def made(self, generator: FalseGenerator, seed: int = 0) -> LabeledImages:
        return generator.make(self.splits.train, self.splits.test, np.random.default_rng(seed))

    def names(self, generator: FalseGenerator) -> list[str]:
        return [finding.name for finding in self.findings(self.made(generator))]

    def all_generators(self) -> dict[str, FalseGenerator]:
        another = FalseGenerator(ANOTHER, another_data_set(self.other))
        return FALSE_GENERATORS | {"reals of another data set": another}


def some(images: LabeledImages, n: int, seed: int = 0) -> LabeledImages:
    """At most n of each class."""
    order = np.random.default_rng(seed).permutation(len(images))
    return images.take(
        np.concatenate([order[images.labels[order] == k][:n] for k in np.unique(images.labels)])
    )


@pytest.fixture(scope="module")
def phantoms() -> Case:
    parts = [phantom(n, size=28, seed=seed) for seed, n in enumerate([(300, 200), (120, 80), (150, 100)])]
    other = with_channels(resize(phantom([100, 100], size=40, seed=9), 28), 1)
    upside_down = replace(other, pixels=np.ascontiguousarray(other.pixels[:, :, ::-1]))
    return Case(Splits(*parts, name="phantom"), upside_down, steps=150)


@pytest.mark.parametrize("row", [*FALSE_GENERATORS, "reals of another data set"])
def test_each_false_generator_is_named(phantoms: Case, row: str):
    generator = phantoms.all_generators()[row]
    assert set(phantoms.names(generator)) == {generator.finding}


class TestRealImages:
    def test_get_no_finding(self, phantoms: Case):
        assert phantoms.findings(phantoms.splits.test) == []

    @pytest.mark.parametrize("seed", range(4))
    def test_get_none_as_random_halves(self, phantoms: Case, seed: int):
        half = np.random.default_rng(seed).permutation(250)[:125]
        assert phantoms.findings(phantoms.splits.test.take(half)) == []

    @pytest.mark.parametrize("counts", [(50, 50), (10, 10), (150, 12), (12, 100), (150, 0), (0, 100), (5, 5)])
    def test_get_none_in_any_class_mix(self, phantoms: Case, counts: tuple[int, int]):
        parts = [np.flatnonzero(phantoms.splits.test.labels == k)[:n] for k, n in enumerate(counts)]
        assert phantoms.findings(phantoms.splits.test.take(np.concatenate(parts))) == []


class TestFindings:
    def test_carry_the_numbers_of_both_sides(self, phantoms: Case):
        (finding,) = phantoms.findings(phantoms.made(FALSE_GENERATORS["blurred reals"]))
        assert finding.part == "overall"
        made, real = (int(share) for share in re.findall(r"(\d+)%", finding.evidence))
        assert made < 20
        assert 80 < real < 125

    def test_name_the_class_where_only_one_is_wrong(self, phantoms: Case):
        test = phantoms.splits.test
        noise = uniform_noise(phantoms.splits.train, test, np.random.default_rng(0)).pixels
        one = replace(test, pixels=np.where((test.labels == 1)[:, None, None, None], noise, test.pixels))
        assert [(f.name, f.part) for f in phantoms.findings(one)] == [("noise", "abnormal")]

    def test_do_not_depend_on_the_order_of_the_images(self, phantoms: Case):
        made = phantoms.made(FALSE_GENERATORS["labels shuffled"])
        turned = made.take(np.random.default_rng(0).permutation(len(made)))
        assert {f.name for f in phantoms.findings(made)} == {f.name for f in phantoms.findings(turned)}

    def test_name_two_faults_that_are_both_there(self, phantoms: Case):
        train, test, rng = phantoms.splits.train, some(phantoms.splits.test, 100), np.random.default_rng(0)
        both = labels_swapped(
            train, replace(test, pixels=np.concatenate([test.pixels[::2]] * 2)[: len(test)]), rng
        )
        both = replace(both, labels=np.concatenate([1 - test.labels[::2]] * 2)[: len(test)])
        assert [f.name for f in phantoms.findings(both)] == ["duplicated images", "labels swapped"]

    def test_do_not_judge_the_labels_of_spoilt_images(self, phantoms: Case):
        train, test, rng = phantoms.splits.train, phantoms.splits.test, np.random.default_rng(0)
        blurred = blurred_reals(train, labels_swapped(train, test, rng), rng)
        assert [f.name for f in phantoms.findings(blurred)] == ["blurred"]

    def test_name_a_class_whose_images_are_anothers(self, phantoms: Case):
        normal = phantoms.splits.test.of_class(0)
        called_abnormal = replace(normal, labels=np.ones_like(normal.labels))
        found = [(f.name, f.part) for f in phantoms.findings(called_abnormal)]
        assert found == [("images of another class", "abnormal")]

    def test_take_the_share_of_near_copies_from_elsewhere(self, phantoms: Case):
        fresh = phantoms.splits.test
        (finding,) = phantoms.findings(fresh, near_copies=(0.2, 0.01))
        assert finding.name == "training images returned"
        assert "20.0%" in finding.evidence
        assert "1.0%" in finding.evidence
        assert phantoms.findings(fresh, near_copies=(0.015, 0.01)) == []

    def test_are_the_same_at_sixteen_bits(self, phantoms: Case):
        deep = replace(phantoms.splits.test, pixels=phantoms.splits.test.pixels.astype(np.uint16) * 257)
        view = View(deep, phantoms.view(phantoms.splits.test).features)
        assert diagnose(*phantoms.real, view) == []


class TestOfRules:
    def test_a_mean_image_is_not_called_one_image_too(self, phantoms: Case):
        assert phantoms.names(FalseGenerator("", mean_image)) == ["mean image"]

    def test_rows_and_columns_shuffled_together_are_no_noise(self, phantoms: Case):
        test, rng = phantoms.splits.test, np.random.default_rng(0)
        both = replace(test, pixels=test.pixels[:, :, rng.permutation(28)][..., rng.permutation(28)])
        assert [f.name for f in phantoms.findings(both)] == ["rows or columns scrambled"]

    def test_one_repeated_image_among_many_is_no_duplication(self, phantoms: Case):
        test = phantoms.splits.test
        twice = test.take(np.concatenate([np.arange(len(test)), np.arange(8)]))
        assert phantoms.findings(twice) == []

    def test_every_image_twice_is(self, phantoms: Case):
        rows = np.repeat(np.arange(100), 2)
        found = {f.name for f in phantoms.findings(phantoms.splits.test.take(rows))}
        assert found == {"duplicated images"}

    def test_colour_channels_in_another_order_are_named(self, phantoms: Case):
        tint = np.array([1, 0.7, 0.5])[:, None, None]
        views = [*phantoms.real, phantoms.view(phantoms.splits.test)]
        coloured = [
            View(replace(v.images, pixels=(v.images.pixels * tint).astype(np.uint8)), v.features)
            for v in views
        ]
        reference, held_out, fresh = coloured
        assert diagnose(*coloured) == []
        bgr = View(replace(fresh.images, pixels=fresh.images.pixels[:, ::-1]), fresh.features)
        (finding,) = diagnose(reference, held_out, bgr)
        assert finding.name == "colour channels swapped"

    def test_inverted_grey_values_are_named(self, phantoms: Case):
        test = phantoms.splits.test
        (finding,) = phantoms.findings(replace(test, pixels=255 - test.pixels))
        assert finding.name == "value range"
        assert "inverted" in finding.evidence


@pytest.fixture(scope="module")
def data_set(data_root: Path) -> Callable[[str], Case]:
    cases: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in cases:
            splits = load_dataset(name, ReadOptions(root=data_root))
            splits = replace(splits, train=some(splits.train, 300), test=some(splits.test, 150))
            splits = replace(splits, val=some(splits.val, 200))
            other = phantom([100, 100], size=splits.train.image_shape[1], seed=3)
            cases[name] = Case(splits, other, steps=200)
        return cases[name]

    return case


@pytest.mark.parametrize("name", [pytest.param("mednist", marks=pytest.mark.slow), "pneumoniamnist"])
class TestOnRealData:
    def test_each_false_generator_is_named(self, data_set: Callable[[str], Case], name: str):
        case = data_set(name)
        missed = {
            row: names
            for row, generator in case.all_generators().items()
            if generator.finding not in (names := case.names(generator))
        }
        assert missed == {}

    def test_held_out_images_get_no_finding(self, data_set: Callable[[str], Case], name: str):
        case = data_set(name)
        assert case.findings(case.splits.test) == []
        for seed in range(3):
            assert case.findings(some(case.splits.test, 50, seed)) == []


@pytest.mark.slow
def test_in_colour(data_root: Path):
    splits = load_dataset("ham10000", ReadOptions(root=data_root, size=64))
    splits = replace(
        splits, train=some(splits.train, 200), val=some(splits.val, 60), test=some(splits.test, 60)
    )
    case = Case(splits, phantom([100, 100], size=64, seed=3), steps=200)
    assert case.findings(splits.test) == []
    for generator in [*FALSE_COLOURS.values(), FalseGenerator("duplicated images", duplicated_reals)]:
        assert generator.finding in case.names(generator)
