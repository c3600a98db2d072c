"""A site's bill adds up over batches and processes, and is its owner's alone."""

import stat
from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.models.chat_cost import Tally
from fedprompt.site.folder import SiteFolder
from fedprompt.site.judge_bill import JudgeBill

ONE, TWO = (f"s1:{digit * 32}" for digit in "12")
TOOK = Tally(calls=2, input_tokens=30, output_tokens=4, amounts={"EUR": 0.25})


def test_batches_of_a_study_and_a_judge_add_up_whoever_wrote_them(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    assert folder.judge_bill.read() == {}
    for study, judge in ((ONE, "chat:a"), (TWO, "chat:a"), (ONE, "chat:b"), (ONE, "chat:a")):
        JudgeBill(folder.judge_bill.path).add(study, judge, TOOK)
    found = folder.judge_bill.read()
    assert found == {ONE: {"chat:a": TOOK + TOOK, "chat:b": TOOK}, TWO: {"chat:a": TOOK}}
    assert stat.S_IMODE(folder.judge_bill.path.stat().st_mode) == 0o600


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    bill = JudgeBill(tmp_path / "judge.jsonl")
    bill.add(ONE, "chat:a", TOOK)
    whole = bill.path.read_bytes()
    bill.path.write_bytes(whole + whole[: len(whole) // 2])
    assert bill.read() == {ONE: {"chat:a": TOOK}}


def test_a_bill_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"judge\.jsonl: the judge's bill cannot be written"):
        JudgeBill(tmp_path / "nowhere" / "judge.jsonl").add(ONE, "chat:a", TOOK)
