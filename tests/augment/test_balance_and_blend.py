"""How many of each class, and the blend that comes of it: exact totals, minority first, nothing real lost."""

from dataclasses import replace

import numpy as np
import pytest

from synthaug.augment.balance import blend_plan, sampling_plan
from synthaug.augment.blend import blend, match_classes
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.fingerprint import image_fingerprints

LABELS = np.repeat([0, 1, 2], [10, 4, 6])


@pytest.mark.parametrize(
    ("strategy", "plan"),
    [
        ("minority", [0, 6, 0]),
        ("not majority", [0, 6, 4]),
        ("all", [0, 6, 4]),
        ("auto", [0, 6, 4]),
        ({1: 9}, [0, 5, 0]),
        ({0: 12, 2: 6}, [2, 0, 0]),
    ],
)
def test_sampling_strategies_mean_what_they_mean_in_imbalanced_learn(strategy, plan):
    assert sampling_plan(LABELS, 3, strategy) == plan


def test_a_class_without_images_is_filled_too():
    assert sampling_plan(np.array([0, 0]), 2) == [0, 2]


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("majority", "expected minority, not minority, not majority, all, auto, number, list or dict"),
        ({1: 3}, "class 1 has 4 images: expected as many or more, not 3"),
        ({3: 5}, r"class 3 in the sampling strategy: expected 0\.\.2"),
        ({-1: 50}, r"class -1 in the sampling strategy: expected 0\.\.2"),
    ],
)
def test_a_strategy_that_cannot_be_followed_is_refused(strategy, says):
    with pytest.raises(UsageError, match=says):
        sampling_plan(LABELS, 3, strategy)


def test_a_blend_fills_the_minority_first():
    assert blend_plan([90, 10], 0.0) == [0, 0]
    assert blend_plan([90, 10], 0.1) == [0, 11]
    assert blend_plan([90, 10], 0.5) == [10, 90]
    assert blend_plan([90, 10], 1.0) == [50, 50]


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_outside_0_to_1_is_refused(ratio):
    with pytest.raises(UsageError, match="expected 0"):
        blend_plan([3, 4], ratio)


@pytest.mark.parametrize("seed", range(60))
def test_a_blend_has_the_exact_total_and_is_as_balanced_as_its_size_allows(seed):
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 200, draw.integers(1, 7))
    ratio = draw.choice([0.0, 1.0, draw.uniform(0, 0.95)])
    plan = np.array(blend_plan(counts.tolist(), ratio))
    if ratio == 1:
        assert plan.sum() == counts.sum()
        counts = np.zeros_like(counts)
    else:
        assert plan.sum() == round(float(counts.sum()) * ratio / (1 - ratio))
    assert (plan >= 0).all()
    blended = counts + plan
    if plan.any():  # no synthetic image would do more for the balance in another class
        assert blended[plan > 0].max() - blended.min() <= 1


def test_blend_keeps_every_real_image(tiny):
    real, pool = tiny((9, 3)), tiny((20, 20), synthetic=True)
    blended = blend(real, pool, 0.5)
    assert blended.take(range(12)).digest() == real.digest()
    assert blended.counts() == {"normal": 12, "abnormal": 12}
    assert blended.synthetic.sum() == 12
    assert set(blended.provenance["index"][12:]) <= set(pool.provenance["index"])


def test_blend_at_ratio_0_is_the_real_set(tiny):
    real = tiny((9, 3))
    assert blend(real, tiny((1, 1), synthetic=True), 0.0) is real


def test_blend_at_ratio_1_is_synthetic_only_balanced_and_as_large(tiny):
    blended = blend(tiny((9, 3)), tiny((20, 20), synthetic=True), 1.0)
    assert blended.synthetic.all()
    assert blended.counts() == {"normal": 6, "abnormal": 6}


def test_blend_chooses_by_seed_and_takes_no_image_twice(tiny):
    real, pool = tiny((2, 2)), tiny((12, 12), synthetic=True)
    digests = [blend(real, pool, 0.7, seed).digest() for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
    all_of_them = blend(tiny((12, 12), seed=5), pool, 0.5)
    assert len(np.unique(image_fingerprints(all_of_them))) == 48


def test_blend_brings_the_pool_to_the_real_size_and_channels(tiny):
    for channels, other in ((1, 3), (3, 1)):
        real, pool = tiny((4, 2), channels=channels), tiny((9, 9), side=16, channels=other, synthetic=True)
        assert blend(real, pool, 0.5).image_shape == (channels, 8, 8)


def test_blend_brings_the_pool_to_the_real_depth(tiny):
    real, pool = tiny((4, 2), dtype=np.uint16), tiny((4, 4), synthetic=True)
    blended = blend(real, pool, 0.5)
    assert blended.pixels.dtype == np.uint16
    assert blended.take(blended.synthetic).pixels.max() > 255


def test_blend_matches_classes_by_name(tiny):
    pool = tiny((9, 9, 9), synthetic=True, class_names=("Abnormal", "extra", "NORMAL"))
    blended = blend(tiny((6, 2)), pool, 0.5)
    for row in np.flatnonzero(blended.synthetic):
        source = pool.labels[blended.provenance["index"][row]]
        assert pool.class_names[source].lower() == blended.class_names[blended.labels[row]]


def test_classes_without_a_name_in_common_are_refused(tiny):
    with pytest.raises(DataError, match="synthetic classes cat, dog: expected names among normal, abnormal"):
        match_classes(tiny((2, 2), class_names=("cat", "dog")), ("normal", "abnormal"))


def test_a_pool_that_is_too_small_is_refused_with_what_it_lacks(tiny):
    with pytest.raises(DataError, match=r"ratio 0\.5: 2 synthetic images of class 'abnormal': expected 9"):
        blend(tiny((9, 3)), tiny((20, 2), synthetic=True), 0.5)


def test_a_pool_of_one_class_gives_what_it_can_and_never_turns_the_balance_round(tiny):
    real, rare = tiny((9, 3)), tiny((20,), synthetic=True, class_names=("abnormal",))
    assert blend(real, rare, 0.25).counts() == {"normal": 9, "abnormal": 7}
    assert blend(real, rare, 1 / 3).counts() == {"normal": 9, "abnormal": 9}
    with pytest.raises(UsageError, match=r"reaches 0\.333; expected at most that, or --balance"):
        blend(real, rare, 0.5)
    with pytest.raises(UsageError, match="reaches no ratio"):
        blend(real, rare, 1.0)
    with pytest.raises(UsageError, match="reaches no ratio"):  # the frequent class has no room
        blend(real, tiny((20,), synthetic=True, class_names=("normal",)), 0.2)


def test_a_pool_of_one_class_of_three_fills_the_smallest_of_those_it_has(tiny):
    real = tiny((10, 4, 6))
    pool = tiny((9, 9), synthetic=True, class_names=("abnormal", "other"))
    assert blend(real, pool, 0.2).counts() == {"normal": 10, "abnormal": 8, "other": 7}


def test_a_pool_from_another_tool_counts_as_synthetic_and_patients_stay_known(tiny):
    real = tiny((6, 2), patients=1)
    unmarked = replace(tiny((9, 9), synthetic=True), synthetic=np.zeros(18, bool), provenance=None)
    blended = blend(real, unmarked, 0.5)
    assert blended.synthetic.tolist() == [False] * 8 + [True] * 8
    assert blended.groups.tolist() == [*real.groups.tolist(), *["synthetic"] * 8]
