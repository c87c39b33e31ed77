"""Debian packages that tests put to work: other people's validators and archives."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

SECONDS = 120
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it whether a package may start its service


def debian_package(*names: str) -> None:
    """Make sure that packages are installed; skip the test, with the reason, where that cannot be."""
    for name in names:
        if reason := _missing(name):
            pytest.skip(f"Debian package {name}: {reason}")


@cache  # once per session, whatever came of it
def _missing(name: str) -> str:
    """Why a package is not here; empty where it is."""
    if shutil.which("dpkg") is None or shutil.which("apt-get") is None:
        return "no Debian here"
    if _installed(name):
        return ""
    if os.geteuid() != 0:
        return "not installed, and only root can install it"
    install = ["apt-get", "install", "-y", "--no-install-recommends", name]
    with _no_service_starts():
        for command in (install, ["apt-get", "update"], install):
            try:
                done = _run(command)
            except subprocess.TimeoutExpired:
                return f"{' '.join(command[:2])} took longer than {SECONDS} s"
            if command is install and done.returncode == 0:
                return ""
    return (done.stderr.strip().splitlines() or ["apt-get install failed"])[-1]


def _installed(name: str) -> bool:
    return "install ok installed" in _run(["dpkg", "-s", name]).stdout


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """A package that brings a service would start it on its default port."""
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=quiet, check=False)
