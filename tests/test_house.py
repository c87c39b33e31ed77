"""The house itself: packages, imports, the wheel, the start-up."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("augment", "generators", "classifiers", "evaluation", "cli")  # beside the front door, synthaug/
FOLDERS = (*ROOMS, "synthaug", "tests", "benchmarks", "studies")


def test_the_package_list_equals_the_folders() -> None:
    rooms = [path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("__init__.py")]
    front = [path.parent.relative_to(ROOT) for path in (ROOT / "synthaug").rglob("__init__.py")]
    packages = {f"synthaug.{'.'.join(folder.parts)}" for folder in rooms}
    packages |= {".".join(folder.parts) for folder in front}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_every_folder_with_modules_is_a_package() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    files = [path for room in FOLDERS for path in (ROOT / room).rglob("*.py")]
    long = {str(path): n for path in files if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_no_folder_holds_more_than_twenty_files() -> None:
    files = [path for room in FOLDERS for path in (ROOT / room).rglob("*") if path.is_file()]
    held = Counter(path.parent for path in files if path.suffix != ".pyc")
    assert not {str(folder): n for folder, n in held.items() if n > 20}


def test_the_root_is_no_package() -> None:
    assert not (ROOT / "__init__.py").exists()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from synthaug.cli import main; "
        "heavy = {'torch', 'numpy', 'monai', 'matplotlib', 'h5py', 'pydicom'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_python_dash_m_answers_help() -> None:
    done = subprocess.run([sys.executable, "-m", "synthaug.cli", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "train-generator" in done.stdout


@dataclass(frozen=True)
class Installed:
    """A wheel of this checkout in an environment of its own; the dependencies come from this one."""

    folder: Path
    site: Path

    def python(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        theirs = [path for path in sys.path if path.endswith("site-packages")]
        # a .pth in the new environment would also run the editable install's hook: name the folder instead
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.site), *theirs])}
        command = [self.folder / "env" / "bin" / "python", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("installed")
    copy = folder / "checkout"
    leave = shutil.ignore_patterns(".venv", ".git", "runs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=leave)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    site = next((folder / "env").glob("lib/python*/site-packages"))
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
        str(wheel),
    ]
    assert subprocess.run(install, capture_output=True).returncode == 0
    return Installed(folder, site)


WITHOUT_EDITABLE = (
    "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
)


def test_a_built_wheel_installs_and_answers_help_outside_the_checkout(installed: Installed) -> None:
    code = (
        f"{WITHOUT_EDITABLE}import synthaug.cli.main as m; print(m.__file__); "
        "sys.argv = ['synthaug', '--help']; m.main()"
    )
    done = installed.python("-c", code, cwd=installed.folder)
    site = installed.site
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert "generate" in done.stdout
    assert list((site / "synthaug" / "generators" / "pretrained").glob("*.safetensors"))
    pages = {path.name for path in (site / "synthaug" / "evaluation" / "reports").glob("*.html")}
    assert pages == {"base.html", "assessment.html", "evaluation.html", "experiment.html"}
    for room in ROOMS:
        assert not (site / room).exists(), "a generic name landed in site-packages"


def test_with_the_checkout_as_working_directory_every_module_comes_from_the_checkout(
    installed: Installed,
) -> None:
    """`./synthaug` is found before the wheel: rooms of the two must not be mixed."""
    code = (
        f"{WITHOUT_EDITABLE}import synthaug.cli.main, synthaug.augment.errors; "
        "print(*{m.__file__ for n, m in sys.modules.items() if n.startswith('synthaug')}, sep='\\n')"
    )
    done = installed.python("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.split()]
    assert ROOT / "augment" / "errors.py" in files
    assert all(file.is_relative_to(ROOT) for file in files)


SCRIPT = """\
from torch.utils.data import DataLoader

import synthaug as sa
from synthaug.imbalance import GANSampler

data = sa.load("pneumoniamnist", size=28)
run = sa.train_generator(data, preset="synthaug", steps=2000)
images: sa.LabeledImages = sa.generate("normal", n=2400, generator=run)
train = sa.blend(data.train, images, balance=True)
counts: dict[str, dict[str, int]] = train.counts_by_origin()
loader = DataLoader(sa.Dataset(train), batch_size=64, sampler=sa.balanced_sampler(train))
model = sa.train_classifier(train, data.val, classifier="timm/resnet18")
auroc: float = model.score(data.test)["AUROC"].value
report = sa.evaluate(data, images)
print(report.light, [score.metric for score in report.scores], report.save("judged/"))
result = sa.experiment(data, fractions=(0.1,), seeds=3)
print(result.verdict, result.gain.auroc.low, result.save("runs/x"))
sa.save(images, "dicom/", body_part="CHEST")


def show(progress: sa.Progress) -> None:
    print(progress.description, progress.fraction)


try:
    sa.load("mine", on_progress=show)
except sa.SynthaugError as error:
    print(error)
sampler = GANSampler(generator=run, sampling_strategy="minority")
"""


@pytest.mark.slow
def test_a_users_script_passes_strict_type_checking_against_the_wheel(installed: Installed) -> None:
    (installed.folder / "script.py").write_text(SCRIPT)
    options = ("--strict", "--config-file=", f"--cache-dir={installed.folder / 'mypy'}")
    done = installed.python("-m", "mypy", *options, "script.py", cwd=installed.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (installed.folder / "script.py").write_text(SCRIPT + "run.stops_done\nsa.generate(1)\n")
    wrong = installed.python("-m", "mypy", *options, "script.py", cwd=installed.folder)
    assert 'has no attribute "stops_done"' in wrong.stdout, "the types are not seen at all"
    assert 'incompatible type "int"' in wrong.stdout
