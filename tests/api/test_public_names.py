"""`import synthaug`: what is public, what it costs, and that a checkout and a wheel are one package."""

import subprocess
import sys
from pathlib import Path

import pytest

import synthaug as sa

ROOT = Path(__file__).parents[2]


def run(code: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("name", sa.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(sa, name)
    assert name == "__version__" or value.__doc__


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'genrate'"):
        sa.genrate  # noqa: B018


def test_importing_costs_no_torch_and_no_numpy():
    done = run("import sys, synthaug; print({'torch', 'numpy', 'rich'} & set(sys.modules) or 'light')")
    assert done.stdout.strip() == "light", done.stderr


def test_in_the_checkout_the_package_in_the_working_directory_has_all_its_rooms():
    code = "import synthaug, synthaug.augment.errors as e; print(synthaug.__file__); print(e.__file__)"
    done = run(code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert [Path(line) for line in done.stdout.split()] == [
        ROOT / "synthaug" / "__init__.py",
        ROOT / "augment" / "errors.py",
    ]


def test_a_class_is_the_same_from_the_front_door_and_from_its_room():
    from synthaug.augment.images import LabeledImages

    assert sa.LabeledImages is LabeledImages
    assert "LabeledImages" in dir(sa)
