"""Folders are understood as what they are, or refused with the option that says otherwise."""

import json

import numpy as np
import pytest
from medmnist import INFO
from PIL import Image

from synthaug.augment.datasets.load import load_dataset, refuse_one_class
from synthaug.augment.errors import DataError
from synthaug.augment.formats.layout import masks_among
from synthaug.augment.formats.registry import read_images, write_images
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream

TRUSTED = ReadOptions(trust_layout=True)


def lay(root, *files):
    """Pictures at these paths, each of its own grey level."""
    for k, file in enumerate(files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), k, np.uint8)).save(root / file)
    return root


@pytest.mark.parametrize(
    ("files", "masks"),
    [
        (["a/x.png", "a/x_mask.png"], {"a/x_mask.png"}),
        (["a/benign (1).png", "a/benign (1)_mask.png", "a/benign (1)_mask_1.png"], {1, 2}),
        (["a/ISIC_1.jpg", "a/ISIC_1_segmentation.png"], {1}),
        (["a/x.jpg", "a/x_Mask.tif", "a/x-seg.png", "a/x_gt.png"], {1, 2, 3}),
        (["COVID/images/1.png", "COVID/masks/1.png", "Normal/images/2.png", "Normal/masks/2.png"], {1, 3}),
        (["a/img/1.png", "a/Ground_Truth/1.png"], {1}),
        (["a/x_mask.png", "a/y_mask.png"], set()),  # no picture beside: these are the pictures
        (["mask/1.png", "no_mask/2.png"], set()),  # classes of faces
        (["a/masks/1.png", "b/2.png"], set()),
        (["a/mask.png", "a/x.png"], set()),
        (["images/a/1.png", "masks/a/1.png"], {1}),
    ],
)
def test_masks_are_known_by_the_pictures_they_are_of(files, masks):
    assert masks_among(files) == {files[m] if isinstance(m, int) else m for m in masks}


def test_masks_are_left_out_and_counted(tmp_path, caplog):
    lay(
        tmp_path,
        *(f"{c}/{k}{m}.png" for c in ("benign", "malignant") for k in range(3) for m in ("", "_mask")),
    )
    images = read_images(tmp_path)
    assert images.counts() == {"benign": 3, "malignant": 3}
    assert images.passed_over == {"mask": 6}
    assert "passed over 6 files: 6 mask" in caplog.text
    assert len(read_images(tmp_path, TRUSTED)) == 12


@pytest.mark.parametrize("around", ["", "set/", "chest_xray/chest_xray/"])
@pytest.mark.parametrize("order", ["{split}/{name}", "{name}/{split}"])
@pytest.mark.parametrize("splits", [("train", "val", "test"), ("Training", "Validation", "Testing")])
def test_the_split_is_found_above_or_below_the_classes_and_within_one_folder(tmp_path, around, order, splits):
    places = [around + order.format(split=s, name=c) for s in splits for c in ("NORMAL", "PNEUMONIA")]
    lay(tmp_path / "x", *(f"{place}/{k}.png" for place in places for k in range(4)))
    found = load_dataset(str(tmp_path / "x"))
    assert found.official
    assert found.class_names == ("NORMAL", "PNEUMONIA")
    assert [len(part) for part in (found.train, found.val, found.test)] == [8, 8, 8]


def test_a_second_copy_beside_the_split_is_left_out(tmp_path):
    """As Kermany's archive has it: chest_xray/ and, inside, chest_xray/chest_xray/."""
    for root in ("", "chest_xray/", "__MACOSX/"):
        lay(tmp_path, *(f"{root}{s}/{c}/{k}.png" for s in ("train", "test") for c in "ab" for k in range(4)))
    images = read_images(tmp_path)
    assert images.class_names == ("a", "b")
    assert len(images) == 16
    assert images.passed_over == {"beside train and test": 16}


@pytest.mark.parametrize(
    "names",
    [
        ("images_001", "images_002"),
        ("part1", "part2"),
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("shard-0", "shard-1", "shard-2"),
        ("patient0001", "patient0002"),
        ("PAT00001", "PAT00002"),
        ("CD1", "CD2"),
        ("subject 7", "subject 8"),
        ("batch_1", "batch_2"),
        ("images", "masks"),
        ("image", "segmentation"),
    ],
)
def test_folders_that_are_pieces_are_no_classes(tmp_path, names):
    lay(tmp_path, *(f"{name}/images_of/{k}{name}.png" for name in names for k in range(2)))
    if names[0].startswith("image"):
        lay(tmp_path, *(f"{name}/{k}.png" for name in names for k in range(2)))
    if "masks" in names or "segmentation" in names:
        assert read_images(tmp_path).class_names == (names[0],)  # the others are masks
        return
    with pytest.raises(DataError, match=r"called as parts of a set.*--trust-layout takes it as it lies"):
        read_images(tmp_path)
    assert len(read_images(tmp_path, TRUSTED).class_names) == len(names)


@pytest.mark.parametrize(
    "names", ["0 1", "grade1 grade2", "T1 T2", "Stage-I Stage-II", "BI-RADS-1 BI-RADS-2", "mel nv"]
)
def test_classes_with_numbers_are_classes(tmp_path, names):
    lay(tmp_path, *(f"{name}/{k}.png" for name in names.split() for k in range(2)))
    assert read_images(tmp_path).class_names == tuple(names.split())


class TestOneClass:
    def test_is_refused_as_training_data(self, tmp_path):
        lay(tmp_path / "x", *(f"PNEUMONIA/{k}.png" for k in range(20)))
        splits = load_dataset(str(tmp_path / "x"))
        with pytest.raises(DataError, match=r"found one class, 'PNEUMONIA', expected two or more"):
            refuse_one_class(splits, str(tmp_path / "x"), ReadOptions())
        refuse_one_class(splits, str(tmp_path / "x"), TRUSTED)

    @pytest.mark.parametrize("target", ["x.h5", "x.npz", "x"])
    def test_is_right_in_what_synthaug_wrote(self, tmp_path, tiny, target):
        write_images(ImageStream.of(tiny((30,), class_names=("abnormal",))), tmp_path / target)
        spec = str(tmp_path / target)
        refuse_one_class(load_dataset(spec), spec, ReadOptions())


@pytest.mark.parametrize("flag", ["pneumoniamnist", "bloodmnist", "chestmnist"])
def test_pictures_that_medmnist_saved_have_their_split_and_labels(tmp_path, flag):
    from medmnist.utils import save2d

    channels, task = INFO[flag]["n_channels"], INFO[flag]["task"]
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        shape = (6, 28, 28) if channels == 1 else (6, 28, 28, 3)
        labels = np.arange(6)[:, None] % 2 if "multi-label" not in task else np.eye(6, 14, k=11, dtype=int)
        images = rng.integers(0, 255, shape, dtype=np.uint8)
        save2d(images, labels, str(tmp_path / flag), split, "png", str(tmp_path / f"{flag}.csv"))
    found = load_dataset(str(tmp_path / flag))
    assert found.official
    assert [len(part) for part in (found.train, found.val, found.test)] == [6, 6, 6]
    assert found.class_names == (("normal", "abnormal") if "multi-label" in task else ("0", "1"))


@pytest.mark.parametrize("labels", [None, [["00000/1.png", 0]]])
def test_the_dataset_json_of_stylegan_tools_names_the_classes(tmp_path, labels):
    files = [f"00000/{k}.png" for k in range(10)]
    lay(tmp_path, *files)
    said = labels if labels is None else [[file, k % 2] for k, file in enumerate(files)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": said}))
    assert read_images(tmp_path).counts() == ({"00000": 10} if labels is None else {"0": 5, "1": 5})
    if labels:
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
        with pytest.raises(DataError, match=r"found no label of 00000/0\.png"):
            read_images(tmp_path)


def test_a_table_that_lies_there_unused_is_named(tmp_path, caplog):
    lay(tmp_path, *(f"{c}/{k}.png" for c in "ab" for k in range(2)))
    (tmp_path / "meta.csv").write_text("filename,diagnosis,case\n")
    read_images(tmp_path)
    assert "meta.csv: lies beside the pictures and is not read" in caplog.text
    lay(tmp_path / "y", *(f"images_{n}/images/{k}{n}.png" for n in ("001", "002") for k in range(2)))
    (tmp_path / "y" / "meta.csv").write_text("filename,diagnosis,case\n")
    with pytest.raises(DataError, match=r"name the table .*meta\.csv"):
        read_images(tmp_path / "y")
