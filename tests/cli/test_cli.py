"""The command line as people use it: exact lines, exit statuses, JSON, configuration."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runner import synthaug

from synthaug.augment.formats.registry import read_attributes, read_images
from synthaug.augment.hdf5 import read_hdf5

TINY = ("--dataset", "phantom:n=320", "--size", "16", "--device", "cpu")


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_generate_runs_exactly_as_written_and_makes_exactly_that_many() -> None:
    run = synthaug("generate", "--class", "abnormal", "--n", "70")
    assert run.status == 0, run.err
    with h5py.File("abnormal-70.h5") as file:
        assert file["images"].shape == (70, 64, 64, 1)
        assert list(file.attrs["class_names"]) == ["normal", "abnormal"]
        assert set(file["labels"][:]) == {1}
        assert file["synthetic"][:].all()
        assert len(file.attrs["generator"]) == 64


def test_generate_never_overwrites_unless_told() -> None:
    Path("abnormal-3.h5").write_text("mine")
    run = synthaug("generate", "--class", "abnormal", "--n", "3")
    assert run.status == 2
    assert "--overwrite" in run.err
    assert Path("abnormal-3.h5").read_text() == "mine"
    assert synthaug("generate", "--class", "abnormal", "--n", "3", "--overwrite").status == 0
    assert len(read_hdf5(Path("abnormal-3.h5"))) == 3


@pytest.mark.parametrize("target", ["set.h5", "set.npz", "set-folder", "set-dicom"])
def test_every_format_gets_the_same_images(target: str) -> None:
    run = synthaug("generate", "--class", "normal", "--class", "abnormal", "--n", "3", "--out", target)
    assert run.status == 0, run.err
    reference = synthaug("generate", "--per-class", "3", "--out", "reference.h5")
    assert reference.status == 0, reference.err
    made, expected = read_images(Path(target)), read_images(Path("reference.h5"))
    assert made.class_names == expected.class_names
    order = np.lexsort((made.pixels.sum(axis=(1, 2, 3)), made.labels))
    expected_order = np.lexsort((expected.pixels.sum(axis=(1, 2, 3)), expected.labels))
    np.testing.assert_array_equal(made.pixels[order], expected.pixels[expected_order])
    np.testing.assert_array_equal(made.labels[order], expected.labels[expected_order])


def test_balance_with_fills_every_class_up_to_the_largest() -> None:
    run = synthaug("generate", "--balance-with", "phantom:n=160,abnormal=0.25", "--out", "fill.h5", "--json")
    assert run.status == 0, run.err
    train = {"normal": 60, "abnormal": 20}  # half of 160: the phantom's split is 50 / 15 / 35
    assert run.json["counts"] == {"abnormal": train["normal"] - train["abnormal"]}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("generate",), "--per-class"),
        (("generate", "--class", "cat", "--n", "3"), "normal, abnormal"),
        (("generate", "--class", "normal", "--n", "3", "--out", "x.mat"), ".npz"),
        (("experiment", "--dataset", "phantom", "--ratios", "2"), "at most 1"),
        (("train-generator", "--dataset", "phantom", "--preset", "nope"), "wgan-gp"),
        (("train-classifier", *TINY, "--classifier", "timm/nope"), "timm"),
        (("train-classifier", *TINY, "--synthetic-ratio", "1.5"), "synthetic ratio"),
        (("train-generator", *TINY, "--resume"), "--resume"),
        (("train-generator", *TINY, "--device", "tpu"), "cuda"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: tuple[str, ...], word: str) -> None:
    run = synthaug(*arguments)
    assert run.status == 2
    assert word in run.err
    assert len(run.err.strip().splitlines()) == 1 or "Usage" in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("train-classifier", "--dataset", "no-such-set"),
        ("train-classifier", "--dataset", "chestmnist", "--data-root", "empty"),
        ("evaluate", "--real", "phantom:n=160", "--synthetic", "missing.h5"),
        ("export", "broken.h5", "out.npz"),
        ("generate", "--class", "normal", "--n", "2", "--generator", "missing.safetensors"),
        ("train-generator", "--dataset", "emptyfolder"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")
def test_bad_data_is_one_line_and_status_4(arguments: tuple[str, ...]) -> None:
    Path("empty").mkdir()
    Path("emptyfolder").mkdir()
    Path("broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    run = synthaug(*arguments)
    assert run.status == 4, run.err
    assert "expected" in run.err or "put it there" in run.err
    assert "Traceback" not in run.err


def test_a_missing_default_data_set_names_both_ways_and_the_phantom() -> None:
    Path("empty").mkdir()
    run = synthaug("train-classifier", "--synthetic-ratio", "0.5", "--data-root", "empty")
    assert run.status == 4
    assert "download" in run.err
    assert "--data-root" in run.err
    assert "--dataset phantom" in run.err


def test_train_generator_then_generate_then_train_a_classifier() -> None:
    small = ("--interval", "2", "--width", "4", "--no-monitor", "--json")
    run = synthaug("train-generator", *TINY, "--steps", "3", *small)
    assert run.status == 0, run.err
    folder = Path(run.json["run"])
    assert folder == Path("runs/phantom-synthaug")
    for name in ("config.toml", "log.jsonl", "generator.safetensors", "checkpoints/last.safetensors"):
        assert (folder / name).exists(), name
    assert list((folder / "samples").glob("*.png"))
    assert synthaug("train-generator", *TINY, "--steps", "3").status == 2
    resumed = synthaug("train-generator", *TINY, "--steps", "5", *small, "--resume")
    assert resumed.json["steps_done"] == 5
    run = synthaug(
        "train-classifier", *TINY, "--synthetic-ratio", "0.5", "--generator", folder, "--steps", "4", "--json"
    )
    assert run.status == 0, run.err
    facts = run.json
    assert facts["images"] == {
        "real": {"normal": 120, "abnormal": 40},
        "synthetic": {"normal": 40, "abnormal": 120},
    }
    for score in ("AUROC", "AUPRC", "accuracy", "balanced accuracy", "sensitivity", "specificity"):
        assert facts["test"][score]["low"] <= facts["test"][score]["value"] <= facts["test"][score]["high"]
    assert Path("runs/phantom-classifier/classifier.safetensors").exists()


def test_a_classifier_takes_images_made_by_another_tool() -> None:
    assert synthaug("generate", "--per-class", "64", "--out", "other.npz").status == 0
    run = synthaug(
        "train-classifier",
        *TINY,
        "--synthetic-ratio",
        "0.25",
        "--synthetic",
        "other.npz",
        "--steps",
        "3",
        "--json",
    )
    assert run.status == 0, run.err
    assert run.json["synthetic"] == "other.npz"
    assert sum(run.json["images"]["synthetic"].values()) == 53  # round(160 / 3)


@pytest.mark.slow
def test_the_ratio_can_be_chosen_on_validation_images_and_may_be_none() -> None:
    options = ("--generator", "chest-xray", "--steps", "4", "--json")
    run = synthaug("train-classifier", *TINY, "--synthetic-ratio", "auto", *options)
    assert run.status == 0, run.err
    tried = {float(ratio): area for ratio, area in run.json["validation_auroc_by_ratio"].items()}
    assert set(tried) == {0.0, 0.1, 0.25, 0.5, 0.75}
    best = min(ratio for ratio, area in tried.items() if area == max(tried.values()))
    chosen = run.json["synthetic_ratio"]
    assert chosen in (0, best)  # 0 unless the best is ahead by more than a standard error
    assert run.json["best"]["val_auroc"] == tried[chosen]
    synthetic = sum(run.json["images"]["synthetic"].values())
    real = sum(run.json["images"]["real"].values())
    assert synthetic / (synthetic + real) == pytest.approx(run.json["synthetic_ratio"], abs=0.01)


def test_dry_run_says_and_makes_nothing() -> None:
    for arguments in (
        ("generate", "--class", "normal", "--n", "9"),
        ("train-generator", *TINY),
        ("train-classifier", *TINY),
        ("experiment", *TINY),
    ):
        run = synthaug(*arguments, "--dry-run")
        assert run.status == 0, run.err
    assert not list(Path().iterdir())


def test_export_keeps_pixels_labels_and_flags() -> None:
    assert synthaug("generate", "--per-class", "4", "--out", "a.h5").status == 0
    assert synthaug("export", "a.h5", "b-dicom").status == 0
    assert synthaug("export", "b-dicom", "c.h5").status == 0
    first, last = read_images(Path("a.h5")), read_images(Path("c.h5"))
    np.testing.assert_array_equal(first.pixels, last.pixels)
    np.testing.assert_array_equal(first.labels, last.labels)
    assert first.provenance is not None
    assert last.provenance is not None
    np.testing.assert_array_equal(first.provenance, last.provenance)


def test_evaluate_prints_protocol_and_floor() -> None:
    assert synthaug("generate", "--per-class", "40", "--out", "s.h5").status == 0
    run = synthaug("evaluate", "--real", TINY[1], "--size", "16", "--synthetic", "s.h5", "--json")
    assert run.status == 0, run.err
    rows = run.json["fidelity"]
    assert {"FID", "KID", "IS", "precision", "recall", "density", "coverage"} <= {r["metric"] for r in rows}
    assert {row["part"] for row in rows} == {"overall", "normal", "abnormal"}
    assert all(row["n"] and row["protocol"]["name"] and row["reading"] for row in rows)
    assert "floor" in run.err
    assert run.json["memorization"]["passed"]


def test_a_config_file_sets_defaults_and_flags_win() -> None:
    Path("synthaug.toml").write_text('seed = 5\n[generate]\nper-class = 2\nout = "from-file.h5"\n')
    run = synthaug("generate", "--json")
    assert run.status == 0, run.err
    assert run.json["seed"] == 5
    assert run.json["counts"] == {"normal": 2, "abnormal": 2}
    run = synthaug("generate", "--json", "--out", "flag.h5", "--seed", "7")
    assert (run.json["out"], run.json["seed"]) == ("flag.h5", 7)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("sed = 5\n", "sed"),
        ("[generate]\nclss = 1\n", "clss"),
        ("[gen]\nseed = 1\n", "[gen]"),
        ("seed =", "TOML"),
    ],
)
def test_an_unknown_key_in_the_config_file_is_an_error(text: str, word: str) -> None:
    Path("synthaug.toml").write_text(text)
    run = synthaug("generate", "--class", "normal", "--n", "1")
    assert run.status == 2
    assert word in run.err


@pytest.mark.parametrize("command", ["datasets", "models", "doctor"])
def test_lists_answer_in_words_and_json(command: str) -> None:
    assert synthaug(command).status == 0
    run = synthaug(command, "--json")
    assert run.status == 0, run.err
    assert run.json


def test_a_generator_that_saw_the_test_images_is_refused(data_root: Path) -> None:
    run = synthaug(
        "train-classifier", "--dataset", "chest-xray-folder", "--data-root", data_root,
        "--synthetic-ratio", "0.5", "--steps", "2",
    )  # fmt: skip
    assert run.status == 3
    assert "training set" in run.err


def test_export_of_a_blend_holds_every_real_training_image_and_marks_the_others() -> None:
    run = synthaug(
        "export",
        "phantom:n=160,abnormal=0.25",
        "blend.h5",
        "--size",
        "28",
        "--synthetic-ratio",
        "0.5",
        "--json",
    )
    assert run.status == 0, run.err
    assert run.json["real"] == 80
    assert run.json["synthetic"] == 80
    blend = read_hdf5(Path("blend.h5"))
    facts = read_attributes(Path("blend.h5"))
    assert facts["generator"] == blend.provenance["generator"][blend.synthetic][0].decode()
    assert {"licence", "generator_data", "seed"} <= set(facts)
    assert int(blend.synthetic.sum()) == 80
    assert blend.counts() == {"normal": 80, "abnormal": 80}


def test_the_default_generator_is_the_shipped_one_that_has_the_class() -> None:
    run = synthaug("generate", "--class", "hand", "--n", "2", "--json")
    assert run.status == 0, run.err
    assert run.json["generator"]["name"] == "mednist"
    assert run.json["counts"] == {"Hand": 2}
    run = synthaug("generate", "--per-class", "2", "--json", "--dry-run")
    assert run.json["generator"]["name"] == "chest-xray"
