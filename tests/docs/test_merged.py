"""No document holds what an unfinished merge leaves behind."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT = re.compile(r"^(<{7} |>{7} |={7}$)", re.MULTILINE)


def test_no_document_holds_the_marks_of_a_merge() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    assert [one.name for one in documents if LEFT.search(one.read_text(encoding="utf-8"))] == []
