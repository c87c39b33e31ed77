"""DICOM that others wrote: its classes, patients and splits are found, and what cannot be read is named."""

import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from foreign_dicom import PACKAGED, foreign

from synthaug.augment.dicom import read_dicom, write_dicom
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.cache import cache_folder
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.augment.stream import ImageStream

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


class TestClasses:
    def test_are_the_sub_folders_with_normal_first(self, tmp_path):
        foreign(tmp_path / "abnormal" / "patient 1" / "a.dcm", RAMP)
        foreign(tmp_path / "Normal" / "b", RAMP)  # without a suffix
        (tmp_path / "README.txt").write_text("not an image")
        back = read_dicom(tmp_path)
        assert back.class_names == ("Normal", "abnormal")
        assert sorted(back.labels.tolist()) == [0, 1]
        assert not back.synthetic.any()
        assert back.groups is None
        assert back.split is None

    def test_may_stand_below_a_split(self, tmp_path):
        for file in ("train/ill/a", "train/well/b", "valid/ill/c", "test/well/d"):
            foreign(tmp_path / file, RAMP)
        back = read_dicom(tmp_path)
        assert back.class_names == ("ill", "well")
        assert back.split.tolist() == ["test", "train", "train", "val"]

    @pytest.mark.parametrize("column", ["file", "SOPInstanceUID"])
    def test_are_those_of_labels_csv(self, tmp_path, column):
        keys = {"file": ["deep/a", "b.dcm"], "SOPInstanceUID": ["2.25.7", "2.25.8"]}[column]
        foreign(tmp_path / "deep" / "a", RAMP, SOPInstanceUID="2.25.7", PatientID="P1")
        foreign(tmp_path / "b.dcm", RAMP, SOPInstanceUID="2.25.8", PatientID="P2")
        (tmp_path / "labels.csv").write_text(
            f"{column},label,patient_id,split\n{keys[0]},ill,,test\n{keys[1]},normal,Q,train\n"
        )
        back = read_images(tmp_path)  # whose labels.csv does not make it a folder of pictures
        assert [back.class_names[label] for label in back.labels] == ["normal", "ill"]
        assert back.groups.tolist() == ["Q", "P1"]
        assert back.split.tolist() == ["train", "test"]

    def test_may_be_found_by_either_column_of_labels_csv(self, tmp_path):
        foreign(tmp_path / "a", RAMP, SOPInstanceUID="2.25.7")
        foreign(tmp_path / "b", RAMP, SOPInstanceUID="2.25.8")
        (tmp_path / "labels.csv").write_text("file,SOPInstanceUID,label\na,,one\n,2.25.8,two\n")
        assert read_dicom(tmp_path).counts() == {"one": 1, "two": 1}

    def test_are_an_attributes_values_where_asked(self, tmp_path):
        foreign(tmp_path / "x" / "a", RAMP, BodyPartExamined="CHEST", PatientSex="F")
        foreign(tmp_path / "x" / "b", RAMP, BodyPartExamined="HAND", PatientSex="M")
        back = read_dicom(tmp_path, ReadOptions(label_from="BodyPartExamined", group_from="PatientSex"))
        assert back.class_names == ("CHEST", "HAND")
        assert back.groups.tolist() == ["F", "M"]

    @pytest.mark.parametrize(
        ("reading", "says"),
        [
            (ReadOptions(label_from="BodyPart"), "--label-from BodyPart: no DICOM keyword"),
            (ReadOptions(group_from="Patient"), "--group-from Patient: no DICOM keyword"),
            (
                ReadOptions(label_from="AnatomicRegionSequence"),
                "of VR SQ, expected an attribute that is text",
            ),
            (ReadOptions(group_from="PixelData"), "of VR OB or OW, expected an attribute that is text"),
            (ReadOptions(label_from="PatientID"), "tells one person from another"),
            (ReadOptions(label_from="PatientName"), "tells one person from another"),
        ],
    )
    def test_cannot_be_just_any_attribute(self, tmp_path, reading, says):
        foreign(tmp_path / "x" / "a", RAMP)
        with pytest.raises(UsageError, match=says):
            read_dicom(tmp_path, reading)

    def test_are_not_called_train_and_val_where_there_is_no_test(self, tmp_path):
        for file in ("train/ill/a", "train/well/b", "val/ill/c"):
            foreign(tmp_path / file, RAMP)
        back = read_dicom(tmp_path)
        assert back.class_names == ("ill", "well")
        assert back.split is None

    def test_of_our_own_files_may_have_others_beside_them(self, tmp_path):
        pixels = np.stack([RAMP, RAMP.T])[:, None]
        made = LabeledImages(pixels, np.array([0, 1]), ("normal", "ill"), np.ones(2, dtype=bool))
        write_dicom(ImageStream.of(made), tmp_path / "out")
        foreign(tmp_path / "out" / "ill" / "x.dcm", RAMP, PatientID="P1")
        mixed = read_dicom(tmp_path / "out")
        assert mixed.counts() == {"normal": 1, "ill": 2}
        assert sorted(mixed.groups.tolist()) == ["P1", "synthetic", "synthetic"]


class TestPatients:
    def test_are_those_of_patient_id_in_memory(self, tmp_path):
        for k, patient in enumerate(["P1", "P2", "P1"]):
            foreign(tmp_path / "c" / f"{k}.dcm", RAMP, PatientID=patient)
        assert read_dicom(tmp_path).groups.tolist() == ["P1", "P2", "P1"]

    def test_without_patient_id_are_told_apart_by_study(self, tmp_path):
        for k, study in enumerate(["2.25.8", "2.25.9", "2.25.8"]):
            foreign(tmp_path / "c" / f"{k}.dcm", RAMP, StudyInstanceUID=study)
        first, second, third = read_dicom(tmp_path).groups
        assert first == third != second

    def test_that_nobody_knows_stay_together(self, tmp_path):
        foreign(tmp_path / "c" / "0.dcm", RAMP, PatientID="P1")
        foreign(tmp_path / "c" / "1.dcm", RAMP)
        foreign(tmp_path / "c" / "2.dcm", RAMP)
        assert read_dicom(tmp_path).groups.tolist() == ["P1", "unknown", "unknown"]

    def test_are_named_in_no_cache_log_or_error(self, tmp_path, monkeypatch, caplog):
        monkeypatch.setenv("SYNTHAUG_CACHE", str(tmp_path / "cache"))
        for k in range(3):
            foreign(tmp_path / "in" / "c" / f"{k}.dcm", RAMP, PatientID="MRN-4711", PatientName="Smith^Ann")
        spoilt = tmp_path / "in" / "c" / "1.dcm"
        spoilt.write_bytes(spoilt.read_bytes()[:-30])
        with pytest.raises(DataError) as error:
            read_dicom(tmp_path / "in")
        with caplog.at_level(logging.DEBUG):
            assert read_dicom(tmp_path / "in", ReadOptions(skip_bad=True)).groups.tolist() == ["MRN-4711"] * 2
        kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
        assert len(kept) > 2 * RAMP.size
        for word in ("4711", "Smith"):
            assert word not in str(error.value) + caplog.text
            assert word.encode() not in kept


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("rtplan.dcm", "no image"),
            ("MR_truncated.dcm", "4065"),
            ("no_meta.dcm", "do not stand at byte 128"),
        ],
    )
    def test_stop_the_run_with_path_and_reason(self, tmp_path, name, reason):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        shutil.copy(PACKAGED / name, tmp_path / "c")
        with pytest.raises(DataError, match=f"{name}: expected .*found .*{reason}.*--skip-bad") as error:
            read_dicom(tmp_path)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("file", "table", "reading", "reason"),
        [
            ("b.dcm", None, ReadOptions(), "no class folder"),
            ("c/b.dcm", "file,label\nc/a.dcm,ill\n", ReadOptions(), "no label for it in labels.csv"),
            ("c/b.dcm", None, ReadOptions(label_from="Modality"), "no Modality in it"),
            (
                "c/b.dcm",
                "file,label,split\nc/a.dcm,x,test\nc/b.dcm,x,\n",
                ReadOptions(),
                "no split, where other",
            ),
        ],
    )
    def test_are_those_without_a_label_too(self, tmp_path, file, table, reading, reason):
        foreign(tmp_path / "c" / "a.dcm", RAMP, Modality="CT")
        foreign(tmp_path / file, RAMP)
        if table:
            (tmp_path / "labels.csv").write_text(table)
        with pytest.raises(DataError, match=rf"b\.dcm: .*{reason}"):
            read_dicom(tmp_path, reading)

    def test_are_left_out_where_asked_with_one_warning_each_time(self, tmp_path, caplog):
        frames = np.stack([RAMP, RAMP.T])
        for k in range(4):
            foreign(tmp_path / "c" / f"{k}.dcm", frames + np.uint8(k), PatientID=f"P{k}")
        cut = tmp_path / "c" / "1.dcm"
        cut.write_bytes(cut.read_bytes()[:-20])
        shutil.copy(PACKAGED / "rtplan.dcm", tmp_path / "c")
        foreign(tmp_path / "lost.dcm", RAMP)
        for _ in range(2):  # decoded, then from the cache
            caplog.clear()
            back = read_dicom(tmp_path, ReadOptions(skip_bad=True))
            assert back.groups.tolist() == ["P0", "P0", "P2", "P2", "P3", "P3"]
            assert (back.pixels[:, 0] == np.concatenate([frames, frames + 2, frames + 3])).all()
            (record,) = caplog.records
            assert record.name == "synthaug"
            for part in ("3 of 6", "1.dcm (", "rtplan.dcm (no image", "lost.dcm (it in no class folder"):
                assert part in record.getMessage()
        with pytest.raises(DataError, match=r"lost\.dcm|1\.dcm|rtplan\.dcm"):
            read_dicom(tmp_path)

    def test_in_the_cache_still_stop_a_run_that_does_not_skip_them(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        cut = foreign(tmp_path / "c" / "b.dcm", RAMP)
        cut.write_bytes(cut.read_bytes()[:-20])
        assert len(read_dicom(tmp_path, ReadOptions(skip_bad=True))) == 1
        with pytest.raises(DataError, match=r"b\.dcm: expected"):
            read_dicom(tmp_path)

    def test_must_not_be_all_there_is(self, tmp_path):
        (tmp_path / "c").mkdir()
        shutil.copy(PACKAGED / "rtplan.dcm", tmp_path / "c")
        with pytest.raises(DataError, match=r"all 1 DICOM files are bad, the first is .*rtplan\.dcm"):
            read_dicom(tmp_path, ReadOptions(skip_bad=True))

    def test_are_not_those_whose_decoder_is_not_installed(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        shutil.copy(PACKAGED / "SC_rgb_jpeg_gdcm.dcm", tmp_path / "c")
        code = (
            "import sys\n"
            "for name in ('pylibjpeg', 'libjpeg', 'openjpeg', 'gdcm', 'jpeg_ls'): sys.modules[name] = None\n"
            "from pathlib import Path\n"
            "from synthaug.augment.dicom import read_dicom\n"
            "from synthaug.augment.reading import ReadOptions\n"
            f"read_dicom(Path({str(tmp_path)!r}), ReadOptions(skip_bad=True))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        said = done.stderr.splitlines()[-1]
        assert "DataError" in said
        assert "SC_rgb_jpeg_gdcm.dcm: compressed by JPEG Lossless" in said
        assert "pip install 'synthaug[dicom]'" in said

    def test_an_empty_or_missing_folder_is_named(self, tmp_path):
        for folder in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError, match="no DICOM file found") as error:
                read_dicom(folder)
            assert str(folder) in str(error.value)

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            ("name,label\na,b\n", "expected file or SOPInstanceUID, and label"),
            ("file,label,split\na,b,dev\n", "found split 'dev'"),
        ],
    )
    def test_a_labels_csv_of_another_form_is_named(self, tmp_path, table, says):
        foreign(tmp_path / "c" / "a", RAMP)
        (tmp_path / "labels.csv").write_text(table)
        with pytest.raises(DataError, match=says):
            read_dicom(tmp_path)

    def test_do_not_decide_what_the_others_become(self, tmp_path, caplog):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        foreign(tmp_path / "c" / "b.dcm", RAMP)
        cut = foreign(tmp_path / "c" / "c.dcm", RAMP[:4, :4])
        cut.write_bytes(cut.read_bytes()[:-4])
        for _ in range(2):  # decoded, then from the cache
            caplog.clear()
            back = read_dicom(tmp_path, ReadOptions(skip_bad=True))
            assert (back.pixels[:, 0] == RAMP).all()
            assert len(caplog.records) == 1

    @pytest.mark.parametrize("frames", [2_000_000_000, 0, -3])
    def test_are_those_with_an_implausible_number_of_frames(self, tmp_path, frames):
        foreign(tmp_path / "c" / "a.dcm", RAMP, NumberOfFrames=frames)
        if frames:
            with pytest.raises(DataError, match=rf"a\.dcm: .*found {frames} frames where its size has room"):
                read_dicom(tmp_path)
        else:
            assert len(read_dicom(tmp_path)) == 1  # as where nothing is said


class TestSecondStart:
    def test_decodes_nothing_again(self, tmp_path):
        path = foreign(tmp_path / "c" / "a.dcm", RAMP)
        first = read_dicom(tmp_path).digest()
        stat, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:-8] + bytes(8))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert read_dicom(tmp_path).digest() == first
        os.utime(path)  # touched: now the content counts
        assert read_dicom(tmp_path).digest() != first

    def test_decodes_again_where_it_is_asked_for_otherwise(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        readings = [
            ReadOptions(),
            ReadOptions(bits=16),
            ReadOptions(window=(9, 9)),
            ReadOptions(size=4),
            ReadOptions(channels=3),
        ]
        assert len({read_dicom(tmp_path, reading).digest() for reading in readings}) == 5

    def test_leaves_no_scratch_file(self, tmp_path):
        foreign(tmp_path / "c" / "a.dcm", RAMP)
        before = {path.name for path in cache_folder().iterdir()} if cache_folder().exists() else set()
        read_dicom(tmp_path)
        assert {path.name for path in cache_folder().iterdir()} - before <= {"decoded", "notes"}
