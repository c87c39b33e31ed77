"""What is repeated: amounts of labels, donors, subsets and initial weights, and what they share."""

import numpy as np
import pytest
from experiment_fixtures import tiny_splits

from synthaug.augment.datasets.phantom import phantom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.splits import donor_and_recipient, few_of_each_class, whole_groups
from synthaug.evaluation.experiment.design import ALL, Amount, Design, Unit


@pytest.mark.parametrize("value", [0.0, 1.5, -0.1])
def test_a_share_of_labels_is_above_0_and_up_to_1(value):
    with pytest.raises(UsageError, match="expected above 0 and up to 1"):
        Amount(value)


@pytest.mark.parametrize("value", [0, 2.5])
def test_labels_per_class_are_a_whole_number(value):
    with pytest.raises(UsageError, match="expected a whole number from 1 on"):
        Amount(value, per_class=True)


def test_amounts_are_said_in_words():
    assert str(Amount(0.1)) == "10 % of the training labels"
    assert str(Amount(1, per_class=True)) == "1 labelled image per class"
    assert str(Amount(5, per_class=True)) == "5 labelled images per class"


@pytest.mark.parametrize("amounts", [(), (ALL, ALL)])
def test_a_design_has_amounts_each_once(amounts):
    with pytest.raises(UsageError, match="expected some, each once"):
        Design(amounts)


def test_a_design_without_repetition_is_refused():
    with pytest.raises(UsageError, match="expected 1 or more"):
        Design(subsets=0)


def test_a_design_holds_every_combination_once():
    units = list(Design((Amount(0.1), ALL), subsets=3, inits=2, donors=2).units())
    assert len(units) == len(set(units)) == 2 * 3 * 2 * 2


def test_arms_of_a_unit_share_a_seed_and_other_units_have_another():
    units = list(Design((ALL,), subsets=4, inits=3, donors=3).units())
    assert len({unit.seed for unit in units}) == len(units)
    assert Unit(1, Amount(0.1), 2, 0).seed == Unit(1, ALL, 2, 0).seed


def test_the_same_subset_belongs_to_all_initial_weights_and_to_one_donor():
    assert Unit(0, ALL, 1, 0).subset_seed == Unit(0, ALL, 1, 5).subset_seed
    assert Unit(0, ALL, 1, 0).subset_seed != Unit(1, ALL, 1, 0).subset_seed


class TestFewOfEachClass:
    def test_are_so_many_of_each(self):
        few = few_of_each_class(phantom([30, 12], size=28, seed=0), 5, seed=0)
        assert few.counts() == {"normal": 5, "abnormal": 5}

    def test_are_others_for_another_seed_and_the_same_for_the_same(self):
        images = phantom([30, 12], size=28, seed=0)
        one, again, other = (few_of_each_class(images, 5, seed).digest() for seed in (0, 0, 1))
        assert one == again != other

    def test_are_of_different_patients_where_there_are_enough(self):
        images = tiny_splits(groups=True).train
        images = images.take(np.repeat(np.arange(len(images)), 3))
        assert len(np.unique(whole_groups(few_of_each_class(images, 6, seed=0)))) == 12

    def test_cannot_be_more_than_there_are(self):
        with pytest.raises(DataError, match="class 'abnormal' has 4 images: expected at least 5"):
            few_of_each_class(phantom([30, 4], size=28, seed=0), 5, seed=0)


def test_a_donor_and_a_recipient_share_no_patient_and_leave_no_image_out():
    images = tiny_splits(groups=True).train
    images = images.take(np.repeat(np.arange(len(images)), 2))
    donor, recipient = donor_and_recipient(images, 0.5, seed=0)
    assert not set(donor.groups) & set(recipient.groups)
    assert len(donor) + len(recipient) == len(images)
    assert min(*donor.counts().values(), *recipient.counts().values()) > 0
    assert donor_and_recipient(images, 0.5, seed=1)[0].digest() != donor.digest()
