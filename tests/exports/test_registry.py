"""Formats by name, and by what a file looks like."""

from pathlib import Path

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.registry import format_named, format_of, formats
from tests.coded import coded


def test_each_format_has_a_name_of_its_own_and_is_found_by_it() -> None:
    assert all(format_named(known.name) is known for known in formats())


def test_an_unknown_format_gets_the_nearest_name() -> None:
    with pytest.raises(ExportError, match=r"'bundel'.*'bundle'", check=coded("unknown-format")):
        format_named("bundel")


def test_a_file_of_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("notes")
    (tmp_path / "notes.zip").write_text("notes")
    with pytest.raises(ExportError, check=coded("nothing-to-import")):
        format_of(tmp_path / "folder")
    with pytest.raises(ExportError, check=coded("not-a-zip")):
        format_of(tmp_path / "notes.zip")


@pytest.mark.parametrize("ending", [".prompty", ".prompt", ".yaml", ".json", ".zip", ".csv", ""])
def test_a_name_that_no_disk_can_hold_is_refused_in_a_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / ("a" * 300 + ending)
    with pytest.raises(ExportError, check=coded("cannot-read")):
        format_of(path)
