"""Tables that say what images are, as spreadsheets and other programs leave them: read rightly or refused."""

from pathlib import Path

import pytest
from foreign_dicom import foreign
from picture_folders import put
from PIL import Image

from synthaug.augment.errors import DataError
from synthaug.augment.formats.registry import read_images
from synthaug.augment.reading import ReadOptions

READERS = ["csv", "folder", "dicom"]


@pytest.fixture
def table(tmp_path, tiny):
    """Writes rows about a.png and b.png, or a.dcm and b.dcm, and gives what is read: CSV, folder or DICOM."""

    def write(kind: str, columns: str, *rows: str) -> Path:
        for name, pixels in zip("ab", tiny((1, 1)).pixels[:, 0], strict=True):
            if kind == "dicom":
                foreign(tmp_path / f"{name}.dcm", pixels, PatientID=f"P-{name}")
            else:
                Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        suffix = ".dcm" if kind == "dicom" else ".png"
        text = "\n".join([columns, *rows]).replace(".*", suffix)
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        return tmp_path / "labels.csv" if kind == "csv" else tmp_path

    return write


class TestSynthetic:
    @pytest.mark.parametrize("kind", ["csv", "folder"])
    @pytest.mark.parametrize(("yes", "no"), [("1.0", "0.0"), ("True", "False"), ("yes", "No"), ("1", "")])
    def test_is_said_in_many_ways(self, table, kind, yes, no):
        path = table(kind, "file,label,synthetic", f"a.*,x,{yes}", f"b.*,x,{no}")
        assert read_images(path).synthetic.tolist() == [True, False]

    def test_is_what_a_generator_made_with_numbers_as_pandas_writes_them(self, table):
        path = table("csv", "file,label,generator,seed,index", "a.*,x,abc,5.0,7.0", "b.*,x,,,")
        images = read_images(path)
        assert images.synthetic.tolist() == [True, False]
        assert images.provenance[0].tolist() == (b"abc", 5, 7)

    def test_is_not_guessed(self, table):
        with pytest.raises(DataError, match=r"synthetic 'perhaps' of b\.png, expected 1 or 0"):
            read_images(table("folder", "file,label,synthetic", "a.*,x,1", "b.*,x,perhaps"))


class TestRows:
    @pytest.mark.parametrize("kind", READERS)
    def test_with_more_cells_than_the_header_are_named(self, table, kind):
        path = table(kind, "file,label,patient_id", "a.*,x,P1", "b.*,pneumonia, viral,P2")
        with pytest.raises(DataError, match="line 3 has more cells than the 3 of the header"):
            read_images(path)
        assert len(read_images(table(kind, "file,label", "a.*,x,", "b.*,x,"))) == 2  # none has anything in it

    @pytest.mark.parametrize("kind", READERS)
    def test_of_one_file_are_refused(self, table, kind):
        path = table(kind, "file,label", "a.*,x", "b.*,x", "a.*,y")
        with pytest.raises(DataError, match=r"found a\.(png|dcm) in 2 rows"):
            read_images(path)

    @pytest.mark.parametrize("kind", READERS)
    def test_lose_the_blanks_around_their_cells(self, table, kind):
        images = read_images(table(kind, "file,label,patient_id", "a.*,x ,P1", "b.*, x,P1 "))
        assert images.class_names == ("x",)
        assert images.groups.tolist() == ["P1", "P1"]

    @pytest.mark.parametrize("kind", READERS)
    def test_name_the_split_in_upper_case_too(self, table, kind):
        path = table(kind, "file,label,split", "a.*,x,Train", "b.*,x,TEST")
        assert read_images(path).split.tolist() == ["train", "test"]

    @pytest.mark.parametrize("kind", READERS)
    def test_parted_by_semicolons_are_told_to_use_commas(self, table, kind):
        with pytest.raises(DataError, match="found cells parted by ';', expected commas"):
            read_images(table(kind, "file;label", "a.*;x", "b.*;x"))

    def test_of_one_picture_by_two_paths_are_refused(self, table, tmp_path):
        path = table("csv", "file,label", "a.*,x", f"{tmp_path}/a.*,y")
        with pytest.raises(DataError, match=r"found one picture as a\.png and as .*/a\.png, keep one row"):
            read_images(path)

    def test_that_hold_a_report_for_a_file_are_not_repeated(self, table):
        report = "no effusion " * 200
        path = table("csv", "file,label,report", f"a.*,x,{report}", f"b.*,x,{report}.")
        with pytest.raises(DataError, match=r"\(row 1\): expected a whole image, found no such file"):
            read_images(path, ReadOptions(images_from="report"))

    def test_may_name_files_as_windows_does(self, table):
        assert len(read_images(table("csv", "file,label", r".\a.*,x", r".\b,x"))) == 2


def test_a_patient_whom_a_table_names_in_some_rows_only_is_one(tmp_path, tiny):
    pixels = tiny((2, 2)).pixels[:, 0]
    for k, patient in enumerate(["M1", "M1", "M2", "anon"]):
        foreign(tmp_path / f"{k}.dcm", pixels[k], PatientID=patient)
    rows = "0.dcm,x,ann\n1.dcm,x,\n2.dcm,x,\n3.dcm,x,bob\n"
    (tmp_path / "labels.csv").write_text(f"file,label,patient_id\n{rows}")
    assert read_images(tmp_path).groups.tolist() == ["ann", "ann", "M2", "bob"]


def test_long_folder_names_of_one_split_are_not_one_class(tmp_path, tiny, caplog):
    put(tiny((2, 2, 2), class_names=("benign_mild", "benign_severe", "cyst_left")), tmp_path / "train")
    put(tiny((2, 2), class_names=("benign", "cyst"), seed=1), tmp_path / "test")
    assert read_images(tmp_path).class_names == ("benign", "benign_mild", "benign_severe", "cyst")
    (said,) = [record.getMessage() for record in caplog.records]
    assert "took class folder cyst_left for cyst of another split" in said
