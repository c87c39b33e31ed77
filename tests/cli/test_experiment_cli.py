"""`synthaug experiment` as it is typed: scenarios, going on after a stop, and what it refuses."""

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Run, synthaug

from synthaug._api.experiment.images import experiment_data
from synthaug._api.experiment.options import REST, ExperimentOptions
from synthaug._api.train_classifier import RATIOS
from synthaug.augment.datasets.load import load_dataset, named_datasets
from synthaug.augment.reading import ReadOptions

TINY = (
    *("--dataset", "phantom:n=120,abnormal=0.4", "--size", "20", "--extractor", "none"),
    *("--generator-steps", "2", "--steps", "2", "--ratios", "0.5", "--seeds", "2"),
)
CORE = (
    *(*TINY, "--arms", "core", "--jobs", "1", "--out", "run"),
    *("--reference", "balanced + augmentation", "--looks", "2"),
)
ONE = ("--seeds", "1")


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The folder and the answer of an experiment that several tests look at."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder / "run", synthaug("experiment", *CORE, "--json")


@pytest.fixture
def done(first: tuple[Path, Run]) -> Run:
    """That experiment, in this test's folder."""
    shutil.copytree(first[0], "run")
    return first[1]


def report() -> dict[str, Any]:
    return json.loads(Path("run/report.json").read_text())


def arms(facts: dict[str, Any]) -> set[str]:
    return {row["arm"] for row in facts["arms"]}


def test_it_writes_a_report_with_a_verdict(done: Run) -> None:
    run = done
    assert run.status in (0, 3), run.err
    assert run.json["verdict"] in ("helps", "no evidence", "harms")
    assert (run.status == 3) == (run.json["verdict"] == "harms")
    expected = {"real", "balanced + augmentation", "balanced + augmentation + synthetic 0.5"}
    expected |= {"real + synthetic 0.5", "synthetic only", "synthetic, ratio chosen on validation"}
    assert {row["arm"] for row in run.json["arms"]} < expected
    assert len(run.json["arms"]) == 5
    page = Path(run.json["report"]).read_text()
    assert "http://" not in page
    assert "https://" not in page


def test_without_ratios_it_tries_what_a_classifier_with_the_ratio_left_open_tries() -> None:
    run = synthaug("experiment", *TINY[:4], "--dry-run", "--json")
    asked = [float(arm.rpartition(" ")[2]) for arm in run.json["arms"] if " + synthetic 0" in arm]
    assert (0.0, *asked) == RATIOS


def test_a_donors_generator_is_trained_once_per_donor_and_its_classifier_competes() -> None:
    options = ("--scenario", "donor", "--donors", "2", "--fractions", "0.5", "--jobs", "1", "--out", "run")
    run = synthaug("experiment", *TINY, *ONE, *options)
    assert run.status in (0, 3), run.err
    assert len(list(Path("run/generators").iterdir())) == 2
    assert {"the donor's classifier", "the donor's classifier, fine-tuned"} < arms(report())
    assert "The best alternative" in report()["sentence"]


@pytest.mark.slow
def test_another_data_set_can_be_the_donor_and_its_classes_have_to_be_the_recipients() -> None:
    options = ("--scenario", "donor", "--donor", "phantom:n=90,abnormal=0.5,seed=1")
    assert synthaug("experiment", *CORE, *ONE, *options).status in (0, 3)
    assert len(list(Path("run/generators").iterdir())) == 1
    run = synthaug("experiment", *CORE, *options, "--donor-class", "tumour=abnormal", "--overwrite")
    assert run.status == 2
    assert "--donor-class tumour: the donor has normal, abnormal" in run.err
    run = synthaug("experiment", *CORE, *options, "--donor-class", "abnormal=normal", "--overwrite")
    assert run.status == 4
    assert "no image of abnormal, its classes are normal, abnormal" in run.err
    assert Path("run/report.json").exists()  # nothing is lost before everything that can be checked has been


@pytest.mark.slow
def test_a_generator_made_elsewhere_may_have_another_size_and_other_names() -> None:
    options = ("--scenario", "donor", "--generator", "chest-xray")  # 64 px
    assert synthaug("experiment", *CORE, *options).status in (0, 3)
    assert not Path("run/generators").exists()
    assert report()["config"]["generator"] == "chest-xray"
    assert report()["gains"][0]["over"] == "subset"  # one generator: nothing is said of others
    run = synthaug("experiment", *CORE, *options, "--donor-class", "tumour=abnormal", "--overwrite")
    assert run.status == 2
    assert "no class 'tumour': this generator has normal, abnormal" in run.err
    run = synthaug("experiment", *CORE, *options, "--donor-class", "abnormal=tumour", "--overwrite")
    assert run.status == 2
    assert "--donor-class …=tumour: phantom has normal, abnormal" in run.err
    swapped = ("--donor-class", "Normal=abnormal", "--donor-class", "abnormal=NORMAL")
    before = {arm["arm"]: arm for arm in report()["arms"]}["synthetic only"]["AUROC"]
    assert synthaug("experiment", *CORE, *options, *swapped, "--overwrite").status in (0, 3)
    assert {arm["arm"]: arm for arm in report()["arms"]}["synthetic only"]["AUROC"] != before


def test_a_donors_images_stay_its_own_where_a_generator_is_given() -> None:
    ours, theirs = TINY[1], "phantom:n=90,abnormal=0.5,seed=1"
    small = ReadOptions(size=20)
    options = ExperimentOptions(
        ours, "donor", theirs, generator="chest-xray", extractor="none", reading=small
    )
    splits = load_dataset(ours, small)
    lab = experiment_data(splits, options, Path("run"))
    assert lab.has_donor  # so that its classifier competes
    assert lab.donor is not None
    assert lab.donor.digest() == load_dataset(theirs, small).train.digest()
    alone = experiment_data(splits, replace(options, donor=None), Path("run"))
    assert not alone.has_donor


def test_a_generator_that_knows_hidden_labels_is_refused_at_any_size() -> None:
    images = ("--dataset", "phantom:n=120,abnormal=0.4")
    small = ("--size", "28", "--steps", "2", "--no-watch", "--out", "theirs")
    assert synthaug("train-generator", *images, *small).status == 0
    for size in ("28", "32"):
        for hidden in (("--fractions", "0.5"), ("--rare-class", "abnormal=0.5"), ("--labels-per-class", "4")):
            run = synthaug(
                "experiment", *CORE, "--size", size, "--generator", "theirs", "--scenario", "donor", *hidden
            )
            assert run.status == 3, (size, hidden, run.err)
            assert "of this training split: with fewer labels it would bring hidden ones" in run.err


def test_a_class_can_be_made_rare_and_only_in_training() -> None:
    run = synthaug("experiment", *CORE, *ONE, "--rare-class", "abnormal=0.2", "--json")
    assert run.status in (0, 3), run.err
    data = report()["data"]
    assert data["train"]["abnormal"] < 0.25 * 0.4 / 0.6 * data["train"]["normal"]
    assert data["test"]["abnormal"] > 0.5 * data["test"]["normal"]
    for said, expected in (("abnormal", "expected CLASS=SHARE"), ("tumour=0.5", "expected a class among")):
        run = synthaug("experiment", *CORE, "--rare-class", said, "--overwrite")
        assert run.status == 2
        assert expected in run.err


def test_the_rest_of_the_training_images_goes_without_labels_into_the_generator_and_a_competitor() -> None:
    options = ("--fractions", "0.5", "--unlabelled", "rest", "--jobs", "1", "--out", "run")
    run = synthaug("experiment", *TINY, *ONE, *options)
    assert run.status in (0, 3), run.err
    assert "unlabelled: 60 images of rest" in run.err
    (row,) = [row for row in report()["arms"] if row["arm"].startswith("pseudo-labels, ")]
    assert row["role"] == "competitor"
    assert row["arm"] in {gain["arm"] for gain in report()["gains"]}
    found = [tomllib.loads(path.read_text()) for path in Path("run/generators").glob("*/config.toml")]
    assert len(found) == 1
    assert all(len(facts["source"]["unlabelled_sha256"]) == 64 for facts in found)


def test_unlabelled_images_may_be_another_data_sets_training_images() -> None:
    options = ("--unlabelled", "phantom:n=90,abnormal=0.5,seed=1")
    run = synthaug("experiment", *CORE, *ONE, *options)
    assert run.status in (0, 3), run.err
    assert "unlabelled: 44 images of phantom:n=90,abnormal=0.5,seed=1" in run.err
    assert not any("pseudo-labels" in arm for arm in arms(report()))
    assert REST not in named_datasets()  # the word stands for no data set; a folder of that name is ./rest


def test_few_labels_of_each_class() -> None:
    run = synthaug("experiment", *CORE, *ONE, "--labels-per-class", "2,4")
    assert run.status in (0, 3), run.err
    labels = {row["labels"] for row in report()["arms"]}
    assert labels == {"2 labelled images per class", "4 labelled images per class"}


def test_resume_adds_subsets_and_redoes_none(done: Run) -> None:
    made = {path: path.stat().st_mtime_ns for path in Path("run/cells").rglob("*.npz")}
    grown = (*CORE, "--seeds", "3")
    run = synthaug("experiment", *grown)
    assert run.status == 2
    assert "exists already" in run.err
    assert synthaug("experiment", *grown, "--resume").status in (0, 3)
    assert all(path.stat().st_mtime_ns == at for path, at in made.items())
    assert len(list(Path("run/cells").rglob("*.npz"))) == len(made) * 3 // 2
    assert {row["trainings"] for row in report()["arms"]} == {3}
    assert report()["looks"] == {"number": 2, "planned": 2, "alpha": 0.025}
    more = synthaug("experiment", *CORE, "--seeds", "4", "--resume")
    assert more.status == 2
    assert "seeds changed after 2 of 2 planned looks at run" in more.err


def test_a_reference_that_is_none_is_refused_at_once() -> None:
    run = synthaug("experiment", *TINY, "--arms", "core", "--reference", "mixup")
    assert run.status == 2
    assert "expected one of real, balanced + augmentation" in run.err


def test_resume_with_other_options_is_refused(done: Run) -> None:
    run = synthaug("experiment", *CORE, "--resume", "--steps", "3")
    assert run.status == 2
    assert "steps differ from run/config.toml: resume with the same options" in run.err


def test_a_dry_run_says_what_it_would_train_and_how_many_subsets_an_effect_needs() -> None:
    run = synthaug("experiment", *TINY, "--dry-run", "--effect", "0.01", "--json")
    assert run.status == 0, run.err
    facts = run.json
    assert len(facts["arms"]) == 11
    assert facts["trainings"] == 11 * 2 + 1  # every arm on both subsets, the ensemble twice; the ceiling once
    more = synthaug(
        "experiment", *TINY, "--dry-run", "--fractions", "0.5", "--unlabelled", "rest", "--json"
    ).json
    assert set(more["arms"]) - set(facts["arms"]) == {f"pseudo-labels, {facts['arms'][4]}"}
    assert (
        more["trainings"] == facts["trainings"] + 2 * 2
    )  # the classifier that labels, and the one that learns
    coarse = synthaug("experiment", *TINY, "--dry-run", "--effect", "0.3", "--json").json
    assert coarse["subsets_needed"] >= 2
    assert (
        facts["subsets_needed"] is None
    )  # so few test images blur an effect of .01 with any number of subsets
    assert not list(Path().iterdir())


def test_a_dry_run_plans_with_what_was_found_already(done: Run) -> None:
    run = synthaug("experiment", *CORE, "--dry-run", "--json")
    assert run.status == 0, run.err
    assert run.json["over_patients"] > 0
    assert run.json["subsets_needed"] is None  # 24 test images
    assert "arms in run show" in run.err
    assert "the test patients alone blur it: add test images" in run.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--scenario", "friend"), "--scenario friend: expected own or donor"),
        (("--arms", "some"), "--arms some: expected core or full"),
        (("--donor", "mednist"), "add --scenario donor"),
        (("--fractions", "0.5", "--labels-per-class", "3"), "expected one of them"),
        (("--labels-per-class", "a few"), "expected whole numbers above 0, such as 5,10"),
        (("--scenario", "donor", "--donor", "phantom", "--donors", "2"), "that is one donor"),
        (("--scenario", "donor", "--generator", "chest-xray", "--donors", "2"), "that is one donor"),
        (("--scenario", "donor", "--donor-class", "a=b"), "add --donor, --generator or --synthetic"),
        (("--rare-class", "abnormal=0.5", "--rare-class", "abnormal=0.4"), "expected each class once"),
        (("--scenario", "donor", "--donor", "phantom", "--donor-class", "a"), "expected theirs=ours"),
        (("--unlabelled", "rest"), "--unlabelled rest with --fractions 1: all training images are labelled"),
        (
            ("--unlabelled", "rest", "--fractions", "0.5", "--scenario", "donor", "--arms", "core"),
            "no generator learns from them and the competitor that does is left out, expected --arms full",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_one_line(options: tuple[str, ...], says: str) -> None:
    run = synthaug("experiment", *TINY, *options)
    assert run.status == 2
    assert says in run.err
    assert len(run.err.strip().splitlines()) == 1
