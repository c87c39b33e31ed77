"""Public sets in miniature, laid out as their publishers describe them, are read with the right counts."""

import csv

import numpy as np
import pytest
from foreign_dicom import foreign
from PIL import Image

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.reading import ReadOptions


def picture(path, level, kind=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), level, kind)).save(path)


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def asked(**options):
    return ReadOptions(**options)


@pytest.fixture
def chestx(tmp_path):
    """images_001/images and images_002/images, Data_Entry_2017.csv, the lists of train and test."""
    findings = ["No Finding", "Mass|Hernia", "No Finding", "Infiltration", "Mass", "Effusion|Mass"] * 8
    rows = []
    for k, finding in enumerate(findings):
        name = f"{k // 2:08d}_{k % 2:03d}.png"
        picture(tmp_path / f"images_00{1 + k % 2}" / "images" / name, k)
        rows.append([name, finding, k % 2, k // 2, "058Y", "M", "PA", 2682, 2749, 0.143, 0.143])
    header = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender"]
    header += ["View Position", "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"]
    write(tmp_path / "Data_Entry_2017.csv", header, rows)
    boxes = [["00000000_001.png", "Mass", 1, 2, 3, 4]]
    write(tmp_path / "BBox_List_2017.csv", ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"], boxes)
    (tmp_path / "train_val_list.txt").write_text("\n".join(row[0] for row in rows[:36]))
    (tmp_path / "test_list.txt").write_text("\n".join(row[0] for row in rows[36:]))
    return tmp_path


class TestChestXray14:
    def test_is_read_as_published(self, chestx, caplog):
        splits = load_dataset(str(chestx))
        assert splits.class_names == ("normal", "abnormal")
        assert splits.official
        assert len(splits.train) + len(splits.val) == 36
        assert splits.test.counts() == {"normal": 4, "abnormal": 8}
        assert len(set(splits.test.groups.tolist())) == 6
        assert "read by its table Data_Entry_2017.csv, as ChestX-ray14 has it" in caplog.text
        assert "findings Mass 24, No Finding 16, Hernia 8, Infiltration 8, Effusion 8" in caplog.text

    @pytest.mark.parametrize("options", [{}, {"trust_layout": False}])
    def test_is_the_same_by_its_table_named(self, chestx, options):
        named = read_images(chestx / "Data_Entry_2017.csv", asked(**options))
        by_option = read_images(chestx, asked(table=chestx / "Data_Entry_2017.csv"))
        assert named.digest() == by_option.digest() == read_images(chestx).digest()

    @pytest.mark.parametrize(
        ("options", "counts"),
        [
            ({"task": "Mass"}, {"no Mass": 24, "Mass": 24}),
            ({"task": "mass", "negative": "No Finding"}, {"No Finding": 16, "Mass": 24}),
            ({"task": "Hernia"}, {"no Hernia": 40, "Hernia": 8}),
            ({"task": "normal-abnormal"}, {"normal": 16, "abnormal": 32}),
        ],
    )
    def test_has_the_classes_of_the_task(self, chestx, options, counts):
        assert read_images(chestx, asked(**options)).counts() == counts

    def test_has_no_other_task(self, chestx):
        with pytest.raises(UsageError, match=r"--task Fracture: .* has No Finding, Mass, Hernia"):
            read_images(chestx, asked(task="Fracture"))

    def test_without_a_picture_stops_or_leaves_it_out(self, chestx):
        (chestx / "images_001" / "images" / "00000000_000.png").unlink()
        with pytest.raises(DataError, match=r"00000000_000\.png: .*found no such file"):
            read_images(chestx)
        assert len(read_images(chestx, asked(skip_bad=True))) == 47


@pytest.fixture
def chexpert(tmp_path):
    """train/patientNNNNN/studyN/viewN_frontal.jpg, with the set's own folder in front of each path."""
    header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "No Finding", "Cardiomegaly", "Edema"]
    header += ["Support Devices"]
    states = [["1.0", "", "", ""], ["", "1.0", "-1.0", "1.0"], ["", "0.0", "1.0", ""], ["", "-1.0", "", ""]]
    states += [["1.0", "", "", "1.0"], ["", "", "", "1.0"]]
    rows = []
    for k in range(24):
        file = f"train/patient{k // 2:05d}/study1/view{k % 2 + 1}_frontal.jpg"
        picture(tmp_path / file, 10 * k)
        rows.append([f"CheXpert-v1.0-small/{file}", "Male", 60 + k, "Frontal", "AP", *states[k % 6]])
    write(tmp_path / "train.csv", header, rows)
    return tmp_path


class TestCheXpert:
    def test_is_read_as_published(self, chexpert):
        images = read_images(chexpert)
        assert images.counts() == {"normal": 8, "abnormal": 8}
        assert images.passed_over == {"uncertain": 4, "without any finding": 4}
        assert len(set(images.groups.tolist())) == 12

    @pytest.mark.parametrize(
        ("options", "counts"),
        [
            ({"task": "Cardiomegaly"}, {"no Cardiomegaly": 4, "Cardiomegaly": 4}),
            ({"task": "Cardiomegaly", "uncertain": "positive"}, {"no Cardiomegaly": 4, "Cardiomegaly": 8}),
            ({"task": "Cardiomegaly", "uncertain": "negative"}, {"no Cardiomegaly": 8, "Cardiomegaly": 4}),
            ({"task": "Edema", "negative": "No Finding"}, {"No Finding": 8, "Edema": 4}),
            ({"uncertain": "positive"}, {"normal": 8, "abnormal": 12}),
            ({"path_prefix": "CheXpert-v1.0-small"}, {"normal": 8, "abnormal": 8}),
        ],
    )
    def test_has_the_classes_of_the_task_and_policy(self, chexpert, options, counts):
        assert read_images(chexpert, asked(**options)).counts() == counts

    def test_knows_three_policies(self):
        with pytest.raises(UsageError, match="--uncertain maybe: expected ignore, positive, negative"):
            asked(uncertain="maybe")


class TestMimic:
    def test_is_read_by_study_with_its_split(self, tmp_path):
        rows, split = [], []
        for k in range(16):
            subject, study = 10000000 + k, 50000000 + k
            for view in range(2):
                dicom = f"{k:04x}{view}-aa"
                picture(
                    tmp_path / "files" / "p10" / f"p{subject}" / f"s{study}" / f"{dicom}.jpg", 9 * k + view
                )
                split.append([dicom, study, subject, "test" if k > 11 else "validate" if k > 9 else "train"])
            rows.append(
                [subject, study, "1.0" if k % 2 else "", "" if k % 2 else "1.0", "-1.0" if k == 3 else ""]
            )
        header = ["subject_id", "study_id", "No Finding", "Pneumonia", "Edema"]
        write(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", header, rows)
        write(tmp_path / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], split)
        splits = load_dataset(str(tmp_path))
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [20, 4, 8]
        assert splits.test.counts() == {"normal": 4, "abnormal": 4}
        assert "10000015" in splits.test.groups.tolist()


def test_padchest_has_lists_as_text_and_16_bits(tmp_path):
    lists = ["['normal']", "['cardiomegaly', 'pleural effusion']", "['nodule']", "[]"]
    rows = []
    for k in range(16):
        picture(tmp_path / "0" / f"216840111366964012{k:03d}.png", 200 * k, np.uint16)
        rows.append([k, f"216840111366964012{k:03d}.png", 0, f"P{k // 2}", lists[k % 4]])
    write(tmp_path / "PADCHEST_chest_x_ray.csv", ["", "ImageID", "ImageDir", "PatientID", "Labels"], rows)
    images = read_images(tmp_path)
    assert images.counts() == {"normal": 4, "abnormal": 8}
    assert images.passed_over == {"without any finding": 4}
    assert len(set(images.groups.tolist())) == 8
    assert images.pixels.max() == round(200 * 14 * 65535 / 4095)


@pytest.mark.parametrize("kind", ["boxes", "columns"])
def test_vindr_has_a_row_per_reader_and_dicom_without_suffix(tmp_path, kind):
    seen = {
        "a": ["Mass", "Mass", "No finding"],
        "b": ["No finding"] * 3,
        "c": ["Mass", "No finding", "Nodule"],
    }
    rows = []
    for name, by_reader in seen.items():
        foreign(tmp_path / "train" / f"{name}.dicom", np.arange(64, dtype=np.uint8).reshape(8, 8))
        for k, finding in enumerate(by_reader):
            if kind == "boxes":
                rows += [[name, finding, 14, f"R{k}", "", "", "", ""]] * (1 + (finding == "Mass"))
            else:
                rows.append([name, f"R{k}", *(int(finding == c) for c in ("Mass", "Nodule", "No finding"))])
    header = ["image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max"]
    columns = ["image_id", "rad_id", "Mass", "Nodule", "No finding"]
    write(tmp_path / "train.csv", header if kind == "boxes" else columns, rows)
    images = read_images(tmp_path)
    assert images.counts() == {"normal": 1, "abnormal": 1}  # of c most saw nothing of any kind
    assert images.passed_over["without any finding"] == 1


def test_rsna_has_a_row_per_box_and_dicom_called_as_its_patient(tmp_path):
    rows = []
    for k in range(8):
        name = f"0004cfab-14fd-4e49-80ba-63a80b6bdd{k:02d}"
        foreign(tmp_path / "stage_2_train_images" / f"{name}.dcm", np.full((8, 8), k, np.uint8))
        rows += [[name, 264.0, 152.0, 213.0, 379.0, 1]] * 2 if k % 2 else [[name, "", "", "", "", 0]]
    header = ["patientId", "x", "y", "width", "height", "Target"]
    write(tmp_path / "stage_2_train_labels.csv", header, rows)
    images = read_images(tmp_path)
    assert images.counts() == {"0": 4, "1": 4}
    assert len(set(images.groups.tolist())) == 8


def test_ham10000_has_two_folders_of_parts(tmp_path):
    rows = []
    for k in range(24):
        picture(tmp_path / f"HAM10000_images_part_{1 + k % 2}" / f"ISIC_{k:07d}.jpg", 10 * k)
        kind = ("nv", "mel", "bkl")[k % 3]
        rows.append([f"HAM_{k // 6}{kind}", f"ISIC_{k:07d}", kind, "histo", 80.0, "male", "scalp"])
    header = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    write(tmp_path / "HAM10000_metadata.csv", header, rows)
    images = read_images(tmp_path)
    assert images.counts() == {"bkl": 8, "mel": 8, "nv": 8}
    assert len(set(images.groups.tolist())) == 12


def test_isic_has_a_column_for_each_class(tmp_path):
    names, rows = ["MEL", "NV", "BCC", "AKIEC"], []
    for k in range(16):
        picture(tmp_path / "ISIC2018_Task3_Training_Input" / f"ISIC_{k:07d}.jpg", 10 * k)
        rows.append([f"ISIC_{k:07d}", *("1.0" if k % 4 == c else "0.0" for c in range(4))])
    write(tmp_path / "ISIC2018_Task3_Training_GroundTruth.csv", ["image", *names], rows)
    assert read_images(tmp_path).counts() == {"AKIEC": 4, "BCC": 4, "MEL": 4, "NV": 4}


def test_covid_radiography_has_masks_beside_its_images(tmp_path):
    for name in ("COVID", "Normal"):
        for k in range(4):
            picture(tmp_path / name / "images" / f"{name}-{k}.png", 10 * k)
            picture(tmp_path / name / "masks" / f"{name}-{k}.png", 255)
        (tmp_path / f"{name}.metadata.xlsx").write_bytes(b"PK")
    images = read_images(tmp_path)
    assert images.counts() == {"Normal": 4, "COVID": 4}
    assert images.passed_over == {"document": 2, "mask": 8}


class TestAnyOtherTable:
    @pytest.mark.parametrize("separator", [";", ",", "/", " & "])
    def test_has_findings_parted_as_said(self, tmp_path, separator):
        lists = [["healthy"], ["mass", "edema"], ["mass"], ["edema"]]
        for k in range(8):
            picture(tmp_path / f"{k}.png", 10 * k)
        rows = [[f"{k}.png", separator.join(lists[k % 4])] for k in range(8)]
        path = write(tmp_path / "t.csv", ["file", "findings"], rows)
        options = asked(label_from="findings", label_separator=separator)
        assert read_images(path, options).counts() == {"normal": 2, "abnormal": 6}

    def test_has_its_pictures_elsewhere(self, tmp_path):
        for k in range(4):
            picture(tmp_path / "scans" / "deep" / f"{k}.png", 10 * k)
        rows = [[f"/mnt/nas/export/{k}.png", "ab"[k % 2]] for k in range(4)]
        path = write(tmp_path / "tables" / "t.csv", ["path", "label"], rows)
        with pytest.raises(DataError, match="found no such file"):
            read_images(path)
        assert read_images(path, asked(images_root=tmp_path / "scans")).counts() == {"a": 2, "b": 2}

    def test_with_one_label_an_image_has_no_policy(self, tmp_path):
        picture(tmp_path / "0.png", 0)
        path = write(tmp_path / "t.csv", ["file", "label"], [["0.png", "a"]])
        with pytest.raises(UsageError, match="has one label an image, leave them out"):
            read_images(path, asked(uncertain="positive"))

    @pytest.mark.parametrize("options", [{"task": "x"}, {"label_separator": "|"}, {"table": None}])
    def test_options_of_tables_are_refused_where_there_is_none(self, tmp_path, options):
        picture(tmp_path / "a" / "0.png", 0)
        if options == {"table": None}:
            with pytest.raises(DataError, match=r"--table .*gone\.csv: not found"):
                read_images(tmp_path, asked(table=tmp_path / "gone.csv"))
        else:
            with pytest.raises(UsageError, match="has no such thing"):
                read_images(tmp_path, asked(**options))
