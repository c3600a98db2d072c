"""Every test that the threat model names is there."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LINKS = sorted(set(re.findall(r"\]\((\.\./tests/[^)#]+)\)", (DOCS / "threat-model.md").read_text(encoding="utf-8"))))


def test_there_are_links_to_attacks() -> None:
    assert sum("/attacks/" in link for link in LINKS) >= 5


@pytest.mark.parametrize("link", LINKS)
def test_a_test_that_is_named_is_there_and_tests_something(link: str) -> None:
    path = (DOCS / link).resolve()
    files = [path] if path.is_file() else sorted(path.glob("test_*.py"))
    assert files
    assert all(re.search(r"^def test_", file.read_text(encoding="utf-8"), re.M) for file in files)
