"""The pages: every public name in the reference, every link to a file that is there."""

import re
from pathlib import Path

import pytest

import synthaug as sa

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_has_every_public_name():
    named = re.findall(
        r"auto(?:function|class|exception):: (\w+)$", (ROOT / "docs/reference.md").read_text(), re.M
    )
    assert sorted(named) == sorted(set(sa.__all__) - {"__version__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
