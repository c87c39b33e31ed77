"""The house itself: packages, imports, the wheel, the start-up."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections import Counter
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


def test_a_built_wheel_installs_and_answers_help_outside_the_checkout(tmp_path: Path) -> None:
    """The dependencies come from this environment: what is new is the wheel's own content."""
    pytest.importorskip("build")
    copy = tmp_path / "checkout"
    leave = shutil.ignore_patterns(".venv", ".git", "runs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=leave)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=False)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
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
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    # a .pth in the new environment would also run the editable install's hook: name the folder instead
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *theirs])}
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
        "import synthaug.cli.main as m; print(m.__file__); sys.argv = ['synthaug', '--help']; m.main()"
    )
    python = tmp_path / "env" / "bin" / "python"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert "generate" in done.stdout
    assert list((site / "synthaug" / "generators" / "pretrained").glob("*.safetensors"))
    pages = {path.name for path in (site / "synthaug" / "evaluation" / "reports").glob("*.html")}
    assert pages == {"base.html", "assessment.html", "evaluation.html", "experiment.html"}
    for room in ROOMS:
        assert not (site / room).exists(), "a generic name landed in site-packages"
