"""What is said of memorization: a memoriser is caught in every number, new real images in none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.memorization.near_copies import NOISE, CopyDetector, threshold_of
from synthaug.evaluation.memorization.nearness import Space, measure_space, membership_auroc
from synthaug.evaluation.memorization.scores import Memorization, measure_memorization, more_than_chance


def people(n: int, seed: int) -> LabeledImages:
    return replace(phantom([n, n], size=28, seed=seed), groups=None)


TRAIN, HELD_OUT, NEW = people(80, 0), people(40, 1), people(40, 2)


def memorised(n: int) -> LabeledImages:
    """Training images with a little noise."""
    images = TRAIN.take(np.arange(0, len(TRAIN), len(TRAIN) // n)[:n])
    noise = np.random.default_rng(0).normal(0, 2, images.pixels.shape)
    return replace(images, pixels=np.clip(images.pixels + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def detector() -> CopyDetector:
    return CopyDetector.fit(TRAIN, HELD_OUT)


@pytest.fixture(scope="module")
def of_memoriser(detector) -> Memorization:
    return measure_memorization(TRAIN, HELD_OUT, memorised(80), detector=detector)


@pytest.fixture(scope="module")
def of_new(detector) -> Memorization:
    return measure_memorization(TRAIN, HELD_OUT, NEW, detector=detector)


def space(found: Memorization, name: str) -> Space:
    return next(space for space in found.spaces if space.name == name)


class TestAMemoriser:
    def test_does_not_pass(self, of_memoriser):
        assert not of_memoriser.passed
        assert of_memoriser.copied.value == 1
        assert of_memoriser.near_copy_shares == (1, 0)

    def test_is_told_which_images_it_copied(self, of_memoriser):
        assert {(pair.synthetic, pair.train) for pair in of_memoriser.near_copies} == {
            (k, 2 * k) for k in range(80)
        }
        distances = [pair.distance for pair in of_memoriser.near_copies]
        assert distances == sorted(distances)
        assert of_memoriser.closest == of_memoriser.near_copies[:8]

    def test_is_not_authentic_and_lies_on_top_of_single_images(self, of_memoriser):
        pixels = space(of_memoriser, "pixels")
        assert pixels.synthetic.authenticity.value == 0
        assert pixels.floor.authenticity.value > 0.3
        assert pixels.synthetic.nndr_median < 0.3 < 0.9 < pixels.floor.nndr_median
        assert pixels.synthetic.quantiles["50%"] < 0.3 * pixels.floor.quantiles["50%"]

    def test_tells_who_was_trained_on(self, of_memoriser):
        pixels = space(of_memoriser, "pixels")
        assert pixels.membership.low > 0.6
        assert pixels.membership_floor.low < 0.5 < pixels.membership_floor.high
        assert pixels.n_members == 80

    def test_is_described_in_words(self, of_memoriser):
        assert of_memoriser.sentence == (
            "Each of 80 synthetic images was compared with all 160 training images, also shifted by up to 2 "
            "pixels, mirrored, brighter or darker, and with noise: 80 are near copies (100.00%). The same "
            "rule flags 0 of 80 real images that were never trained on (0.00%). Note: 80 held-out images are "
            "too few to know that false alarms are under 1%, expected 99 or more."
        )


class TestNewRealImages:
    def test_pass(self, of_new):
        assert of_new.passed
        assert "none is a near copy. The same rule" in of_new.sentence
        assert len(of_new.closest) == 8

    def test_score_their_floor(self, of_new):
        for measured in of_new.spaces:
            assert measured.synthetic.nndr_mean == pytest.approx(measured.floor.nndr_mean, abs=0.02)
        pixels = space(of_new, "pixels")
        assert pixels.floor.authenticity.low < pixels.synthetic.authenticity.value
        assert pixels.synthetic.authenticity.value < pixels.floor.authenticity.high

    def test_do_not_tell_who_was_trained_on(self, of_new):
        membership = space(of_new, "pixels").membership
        assert membership.low < 0.5 < membership.high
        assert membership.high - membership.low < 0.3


class TestTheRedLight:
    @pytest.mark.parametrize("n", [20, 100, 300])
    @pytest.mark.parametrize("held_out", [60, 300, 2000])
    def test_is_for_one_honest_set_in_a_hundred_at_most(self, n, held_out):
        """0.8 % of all real images lie nearer to a training image than a copy with noise may."""
        rng, red = np.random.default_rng(0), 0
        for _ in range(2000):
            distances = rng.uniform(0, NOISE / 0.008, size=held_out + n)
            threshold = threshold_of(distances[:held_out])
            alarms, copies = (int((d < threshold).sum()) for d in np.split(distances, [held_out]))
            red += more_than_chance(copies, n, alarms, held_out)
        assert red / 2000 <= 0.015  # 1 %, with two standard errors

    def test_is_for_a_few_copies_where_held_out_images_are_many(self):
        assert more_than_chance(2, 100, 0, 2000)
        assert more_than_chance(10, 100, 0, 60)
        assert not more_than_chance(1, 100, 0, 500)  # amber: looked at one by one

    def test_counts_a_patient_once(self, detector):
        twice = replace(TRAIN.take(np.repeat(np.arange(8), 5)), groups=np.repeat(list("abcdefgh"), 5))
        found = measure_memorization(TRAIN, twice, NEW.take(range(12)))
        assert (found.n_floor, found.floor_units) == (40, 8)


def test_numbers_agree_with_their_definitions():
    draw = np.random.default_rng(0)
    train, held_out, made = (draw.normal(size=(n, 5)) for n in (160, 80, 30))
    made[:10] = train[:10] + 0.01 * draw.normal(size=(10, 5))
    found = measure_memorization(TRAIN, HELD_OUT, NEW.take(range(30)), {"some": (train, held_out, made)})
    measured = space(found, "some").synthetic
    to_real, among_real = np.sort(cdist(made, train)), cdist(train, train) + np.diag(np.full(160, np.inf))
    closest = cdist(made, train).argmin(axis=1)
    authentic = to_real[:, 0] > among_real.min(axis=1)[closest]
    assert measured.authenticity.value == authentic.mean()
    assert 0 < authentic.sum() <= 20
    assert measured.nndr_mean == pytest.approx((to_real[:, 0] / to_real[:, 1]).mean(), rel=1e-9)
    assert measured.nndr_median == pytest.approx(np.median(to_real[:, 0] / to_real[:, 1]), rel=1e-9)
    assert measured.quantiles["5%"] == pytest.approx(np.quantile(to_real[:, 0], 0.05), rel=1e-9)


class TestTheMembershipAttack:
    def test_is_the_area_under_the_roc_curve_of_minus_the_distance(self):
        draw = np.random.default_rng(0)
        members, outsiders = draw.normal(1, 0.3, 50), draw.normal(1.2, 0.3, 70)
        members[:5] = outsiders[:5]  # ties count half
        estimate = membership_auroc(members, outsiders)
        truth = np.repeat([1, 0], [50, 70])
        assert estimate.value == pytest.approx(roc_auc_score(truth, -np.concatenate([members, outsiders])))
        assert estimate.low < estimate.value < estimate.high

    def test_has_an_interval_that_covers(self):
        draw = np.random.default_rng(0)
        covered = 0
        for seed in range(20):
            estimate = membership_auroc(draw.random(30), draw.random(30), seed=seed)
            covered += estimate.low <= 0.5 <= estimate.high
        assert covered >= 17

    def test_is_wider_where_patients_have_many_images(self):
        draw = np.random.default_rng(0)
        members, outsiders = draw.random(20).repeat(10), draw.random(20).repeat(10)
        patients = np.arange(40).repeat(10).astype(str)
        alone, grouped = membership_auroc(members, outsiders), membership_auroc(members, outsiders, patients)
        assert grouped.high - grouped.low > 2 * (alone.high - alone.low)

    def test_compares_members_with_outsiders_of_the_same_classes(self):
        # class 1, near the synthetic images, is half of the members but a fifth of the outsiders
        draw = np.random.default_rng(0)
        vectors = [
            draw.normal(size=(len(images), 3)) + 9 * images.labels[:, None] for images in (TRAIN, HELD_OUT)
        ]
        kept = HELD_OUT.take(np.r_[0:40, 40:50])
        fresh = np.concatenate([vectors[1][:40], vectors[1][40:50]])
        made = draw.normal(size=(20, 3)) + 9
        found = measure_memorization(TRAIN, kept, NEW.take(range(20)), {"some": (vectors[0], fresh, made)})
        measured = space(found, "some")
        assert measured.n_members == 50
        assert measured.membership.low < 0.5 < measured.membership.high

    def test_is_left_out_where_images_are_too_few(self):
        found = measure_memorization(TRAIN, HELD_OUT.take([0, 1, 2]), NEW.take([0]))
        assert all(measured.membership is None for measured in found.spaces)
        assert found.n_floor == 3


class TestTheRecord:
    def test_is_plain_json_without_nan(self, of_memoriser):
        text = json.dumps(of_memoriser.as_dict(), allow_nan=False)
        assert json.loads(text)["near_copies"][0].keys() == {"synthetic", "train", "distance"}

    def test_is_finite_where_everything_is_equal(self):
        black = replace(TRAIN, pixels=np.zeros_like(TRAIN.pixels))
        found = measure_memorization(black, black.take(range(20)), black.take(range(12)))
        json.dumps(found.as_dict(), allow_nan=False)
        assert found.passed

    def test_has_a_table_in_words(self, of_memoriser):
        assert of_memoriser.rows[0].measure == "near copies"
        assert "membership attack, AUROC (pixels)" in [row.measure for row in of_memoriser.rows]

    def test_does_not_depend_on_the_order_of_images(self, of_new):
        turned = [images.take(np.arange(len(images))[::-1]) for images in (TRAIN, HELD_OUT, NEW)]
        again = measure_memorization(*turned)
        assert space(again, "pixels").membership.low == pytest.approx(space(of_new, "pixels").membership.low)
        assert np.array_equal(np.sort(again.distances), np.sort(of_new.distances))

    def test_takes_synthetic_images_of_any_size(self, of_new):
        large = with_channels(resize(NEW, 56), 3)
        found = measure_memorization(TRAIN, HELD_OUT, large)
        assert found.passed
        assert space(found, "pixels").synthetic.nndr_median == pytest.approx(
            space(of_new, "pixels").synthetic.nndr_median, abs=0.02
        )


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(DataError, match="no synthetic images"):
        measure_memorization(TRAIN, HELD_OUT, NEW.take([]))
    wrong = {"inception": (np.zeros((2, 4)), np.zeros((80, 4)), np.zeros((80, 4)))}
    with pytest.raises(
        DataError, match=r"inception features of \[2, 80, 80\] images: expected \[160, 80, 80\]"
    ):
        measure_memorization(TRAIN, HELD_OUT, NEW, wrong)


def test_new_real_radiographs_give_nobody_away(data_root: Path):
    splits = load_dataset("pneumoniamnist", ReadOptions(root=data_root))
    detector = CopyDetector.fit(splits.train, splits.val)
    found = measure_memorization(splits.train, splits.val, splits.test, detector=detector)
    assert found.copied.value <= 0.01
    membership = space(found, "pixels").membership
    assert membership.low < 0.5 < membership.high
    assert membership.high - membership.low < 0.1
    copied = splits.train.take(range(0, 3000, 10))
    leaked = measure_memorization(splits.train, splits.val, copied, detector=detector)
    assert leaked.copied.value == 1
    assert space(leaked, "pixels").membership.low > 0.5
    assert space(leaked, "pixels").synthetic.authenticity.value < 0.01


def test_the_attacks_floor_keeps_a_patients_images_together():
    # every patient has two equal images: one through which the attack goes would give the other away
    real, held_out = phantom([60, 60], size=28, seed=0), phantom([30, 30], size=28, seed=1)
    twice = held_out.take(np.repeat(np.arange(60), 2))
    patients = replace(twice, groups=np.repeat([f"P{k}" for k in range(60)], 2))
    anonymous = replace(twice, groups=None)
    floors = []
    for images in (patients, anonymous):
        vectors = [i.pixels.reshape(len(i), -1) / 255.0 for i in (real, images, held_out)]
        orders = np.arange(len(real)), np.random.default_rng(0).permutation(len(images))
        floors.append(measure_space("pixels", real, images, tuple(vectors), orders).membership_floor.value)
    assert floors[0] == pytest.approx(0.5, abs=0.12)
    assert floors[1] < floors[0] - 0.1
