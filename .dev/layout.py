"""Lay the package out below .dev/tree as it is installed: mypy and import-linter read no package-dir."""

import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / ".dev" / "tree"

project = tomllib.loads((ROOT / "pyproject.toml").read_text())
shutil.rmtree(TREE, ignore_errors=True)
for package, folder in project["tool"]["setuptools"]["package-dir"].items():
    target = TREE / package.replace(".", "/")
    shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns("__pycache__", "pretrained"))
