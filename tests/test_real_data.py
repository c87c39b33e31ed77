"""The public data sets below $SYNTHAUG_DATA, as they are."""

from itertools import combinations

import numpy as np
import pytest

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import GateError
from synthaug.augment.fingerprint import SeenImages, canonical_fingerprints, image_fingerprints, refuse_leak
from synthaug.augment.reading import ReadOptions

# Published images per class; train, val, test where they are split; the copies that were in two splits.
PUBLISHED = {
    "pneumoniamnist": ({"normal": 1583, "pneumonia": 4273}, (4708, 524, 624), {"pneumonia": 10}),
    "chestmnist": ({"normal": 1034, "abnormal": 1043}, (1424, 214, 439), {}),
    "chest-xray-folder": ({"normal": 1034, "abnormal": 1043}, None, {}),
    "chest-xray-pneumonia": ({"NORMAL": 1575, "PNEUMONIA": 4265}, None, {}),
    "chest-ctscan": (
        {"adenocarcinoma": 338, "large.cell.carcinoma": 187, "normal": 215, "squamous.cell.carcinoma": 260},
        (613, 72, 315),
        {"normal": 71},
    ),
    "ham10000": (
        {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142},
        None,
        {},
    ),
    "skin-lesions": ({"benign": 1000, "malignant": 500}, None, {}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_data_set_loads_with_its_counts_and_no_image_twice(data_root, name):
    published, sizes, copies = PUBLISHED[name]
    splits = load_dataset(name, ReadOptions(root=data_root))
    parts = (splits.train, splits.val, splits.test)
    found = {label: sum(part.counts()[label] for part in parts) for label in splits.class_names}
    assert found == {label: count - copies.get(label, 0) for label, count in published.items()}
    assert list(found) == list(published)  # normal is class 0 wherever there are two
    if sizes:
        assert splits.official
        assert len(splits.test) == sizes[2]
        assert sum(sizes) - sum(map(len, parts)) == sum(copies.values())
    prints = [set(image_fingerprints(part).tolist()) for part in parts]
    assert all(one.isdisjoint(other) for one, other in combinations(prints, 2))


@pytest.mark.parametrize("name", ["chest-xray-folder", "ham10000", "skin-lesions"])
def test_patients_of_a_published_data_set_stay_in_one_split(data_root, name):
    splits = load_dataset(name, ReadOptions(root=data_root))
    who = [set(part.groups.tolist()) for part in (splits.train, splits.val, splits.test)]
    assert all(one.isdisjoint(other) for one, other in combinations(who, 2))
    assert name != "chest-xray-folder" or len(set.union(*who)) == 1007


def test_the_official_test_split_of_chest_xray_pneumonia_stays_whole(data_root):
    splits = load_dataset("chest-xray-pneumonia", ReadOptions(root=data_root, size=64))
    assert splits.official
    assert splits.test.counts() == {"NORMAL": 234, "PNEUMONIA": 390}
    assert splits.train.image_shape == (1, 64, 64)


def test_chestmnist_holds_the_same_images_at_28_and_64_pixels(data_root):
    small, large = (load_dataset("chestmnist", ReadOptions(root=data_root, size=size)) for size in (28, 64))
    assert large.train.image_shape == (1, 64, 64)
    for part in ("train", "val", "test"):
        one, other = getattr(small, part), getattr(large, part)
        assert (canonical_fingerprints(one) == canonical_fingerprints(other)).all()
        assert one.labels.tolist() == other.labels.tolist()


def test_a_generator_trained_at_64_pixels_is_stopped_at_the_28_pixel_test_images(data_root):
    small, large = (load_dataset("chestmnist", ReadOptions(root=data_root, size=size)) for size in (28, 64))
    refuse_leak(small.test, SeenImages.of(large.train), "G")
    with pytest.raises(GateError, match="439 of 439 test images were in the training set of G"):
        refuse_leak(small.test, SeenImages.of(large.test), "G")


@pytest.mark.slow
def test_mednist_loads_whole_from_its_archive(data_root):
    splits = load_dataset("mednist", ReadOptions(root=data_root))
    parts = (splits.train, splits.val, splits.test)
    found = np.sum([list(part.counts().values()) for part in parts], axis=0)
    names = ("AbdomenCT", "BreastMRI", "ChestCT", "CXR", "Hand", "HeadCT")
    assert dict(zip(splits.class_names, found.tolist(), strict=True)) == {
        name: 8_954 if name == "BreastMRI" else 10_000 for name in names
    }
    assert splits.train.digest().startswith("0b797f57367a")  # generators were trained on these and no others
