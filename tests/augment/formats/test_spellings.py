"""Columns and arrays are found however they are spelled; what is not understood is spoken of."""

import h5py
import numpy as np
import pytest
from picture_folders import put
from PIL import Image

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.columns import ROLES, columns_by_role, key_of
from synthaug.augment.formats.registry import read_images
from synthaug.augment.reading import ReadOptions

PATIENT_SPELLINGS = [
    *("patient_id", "PatientID", "patientId", "Patient_ID", "Patient ID", "patient-id", "PATIENT ID"),
    *("patientid", " Patient Id ", "SubjectID", "subject", "Lesion_ID", "Patient"),
]


@pytest.fixture
def pictures(tmp_path, tiny):
    """A folder of 40 pictures in two classes, and their names."""
    put(tiny((20, 20)), tmp_path / "x")
    return sorted(path.relative_to(tmp_path / "x").as_posix() for path in (tmp_path / "x").glob("*/*"))


@pytest.mark.parametrize("column", PATIENT_SPELLINGS)
class TestPatients:
    def test_of_a_folders_table_are_found(self, tmp_path, pictures, column):
        rows = [f"{file},P{k // 4}" for k, file in enumerate(pictures)]
        (tmp_path / "x" / "labels.csv").write_text(f"File Name,{column}\n" + "\n".join(rows))
        assert len(set(read_images(tmp_path / "x").groups.tolist())) == 10

    def test_of_a_csv_file_are_found(self, tmp_path, pictures, column):
        rows = [f"x/{file},{file.split('/')[0]},P{k // 2}" for k, file in enumerate(pictures)]
        (tmp_path / "t.csv").write_text(f"FileName,Label,{column}\n" + "\n".join(rows))
        splits = load_dataset(str(tmp_path / "t.csv"))
        groups = [set(part.groups.tolist()) for part in (splits.train, splits.val, splits.test)]
        assert sum(map(len, groups)) == 20

    def test_of_an_hdf5_file_are_found(self, tmp_path, column):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["Images"] = np.zeros((6, 8, 8), np.uint8)
            file["Labels"] = np.arange(6) % 2
            file[column.strip()] = [f"P{k // 2}" for k in range(6)]
        assert read_images(tmp_path / "x.h5").groups.tolist() == ["P0", "P0", "P1", "P1", "P2", "P2"]


@pytest.mark.parametrize("name", ["split", "Split", "SPLIT", "subset", "Data_Split"])
def test_the_split_of_an_hdf5_file_is_heeded(tmp_path, name):
    parts = ["train"] * 6 + ["Validation"] * 2 + ["TEST"] * 4
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["images"] = np.arange(12 * 64, dtype=np.uint16).reshape(12, 8, 8)
        file["labels"] = np.arange(12) % 2
        file[name] = parts
    splits = load_dataset(str(tmp_path / "x.h5"))
    assert splits.official
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [6, 2, 4]


@pytest.mark.parametrize("length", [5, 7])
def test_an_array_of_patients_of_another_length_is_an_error(tmp_path, length):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.update({"images": np.zeros((6, 8, 8), np.uint8), "labels": np.zeros(6, int)})
        file["patient_id"] = np.arange(length)
    with pytest.raises(DataError, match=f"6 images and {length} patients, expected one for each"):
        read_images(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("columns", "role", "flag"),
    [
        ("file,label,case_id", "patient", "--group-from"),
        ("file,label,StudyInstanceUID", "patient", "--group-from"),
        ("file,label,patient_code", "patient", "--group-from"),
        ("file,label,fold", "split", "--split-from"),
        ("file,label,cv_fold", "split", "--split-from"),
        ("file,label,is_train", "split", "--split-from"),
        ("file,label,train_or_val_phase", "split", "--split-from"),
    ],
)
def test_a_column_that_looks_like_one_and_is_not_used_is_named_with_its_option(columns, role, flag, caplog):
    columns_by_role("t.csv", columns.split(","), ROLES, ReadOptions())
    (record,) = caplog.records
    assert f"{columns.split(',')[-1]} may tell each image's {role} and is not used" in record.getMessage()
    assert flag in record.getMessage()


@pytest.mark.parametrize("column", ["Patient Age", "patient_sex", "PatientGender", "PatientWeight", "note"])
def test_a_column_that_only_describes_patients_is_not_spoken_of(column, caplog):
    columns_by_role("t.csv", ["file", "label", column], ROLES, ReadOptions())
    assert not caplog.records


@pytest.mark.parametrize(
    "columns", ["file,label,Patient ID,patient_id", "file,Label,label,x", "File,file,label"]
)
def test_two_columns_of_one_name_are_refused_unless_one_is_spelled_so(columns):
    names = columns.split(",")
    if columns.startswith("file,label"):  # one of them is letter by letter what is known
        assert columns_by_role("t.csv", names, ROLES, ReadOptions())["patient_id"] == "patient_id"
        names = [name.replace("patient_id", "PatientID") for name in names]
        with pytest.raises(DataError, match="columns Patient ID and PatientID, which are one name"):
            columns_by_role("t.csv", names, ROLES, ReadOptions())
    else:
        columns_by_role("t.csv", names, ROLES, ReadOptions())


def test_two_columns_of_the_very_same_name_are_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("file,label,label\na.png,x,y\n")
    with pytest.raises(DataError, match="found columns label and label, which are one name"):
        read_images(tmp_path / "t.csv")


def test_a_column_is_asked_for_in_any_spelling(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("Picture,Kind,Who\na.png,x,P\n")
    asked = ReadOptions(images_from="picture", label_from="KIND", group_from="who")
    assert read_images(tmp_path / "t.csv", asked).groups.tolist() == ["P"]
    with pytest.raises(UsageError, match=r"--split-from part: .* has the columns Picture, Kind, Who"):
        read_images(tmp_path / "t.csv", ReadOptions(**{**vars(asked), "split_from": "part"}))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(P\d+)_", None),
        (r"/(P[0-9]+)|nobody", None),
        (r"(P\d+)_9", "finds no patient in"),
        (r"(", "expected a pattern"),
        (r"\(P", "with a group in brackets"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "table"])
def test_patients_are_found_in_the_names_of_files(tmp_path, tiny, pattern, says, kind):
    put(tiny((20, 20)), tmp_path / "x")
    rows = []
    for k, path in enumerate(sorted((tmp_path / "x").glob("*/*"))):
        new = path.rename(path.with_name(f"P{k // 2:03d}_{k}.png"))
        rows.append(f"x/{new.parent.name}/{new.name},{new.parent.name}")
    (tmp_path / "t.csv").write_text("file,label\n" + "\n".join(rows))
    path, asked = tmp_path / ("x" if kind == "folder" else "t.csv"), ReadOptions(group_from=pattern)
    if says:
        with pytest.raises((DataError, UsageError), match=says):
            read_images(path, asked)
    else:
        assert len(set(read_images(path, asked).groups.tolist())) == 20


def test_names_are_one_where_case_blanks_and_dashes_differ():
    spellings = [
        "Image Index",
        "image_index",
        "ImageIndex",
        "IMAGE-INDEX",
        " image  index",
        "ｉｍａｇｅindex",
    ]
    assert len({key_of(spelling) for spelling in spellings}) == 1
