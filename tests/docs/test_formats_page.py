"""The page about formats names every format in its table, and none that there is not."""

import re
from pathlib import Path

from fedprompt.exports.registry import formats

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_every_format_has_a_row_and_every_row_a_format() -> None:
    (table,) = re.findall(r"^\| format \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, flags=re.M)
    named = {name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert named == {known.name for known in formats()}
