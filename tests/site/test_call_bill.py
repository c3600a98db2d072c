"""A site's bill adds up over batches and processes, and is its owner's alone."""

import stat
from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.models.chat.cost import Tally
from fedprompt.site.call_bill import CallBill, Role
from fedprompt.site.folder import SiteFolder
from tests.coded import coded

ONE, TWO = (f"s1:{digit * 32}" for digit in "12")
TOOK = Tally(calls=2, input_tokens=30, output_tokens=4, amounts={"EUR": 0.25})


def test_calls_of_a_study_and_a_model_add_up_whoever_wrote_them(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    assert folder.bill.read() == {}
    rows: list[tuple[str, Role, str]] = [
        (ONE, "judge", "chat:a"),
        (TWO, "judge", "chat:a"),
        (ONE, "judge", "chat:b"),
        (ONE, "model", "chat:a"),
        (ONE, "judge", "chat:a"),
    ]
    for study, role, model in rows:
        CallBill(folder.bill.path).add(study, role, model, TOOK)
    assert folder.bill.read() == {
        ONE: {("judge", "chat:a"): TOOK + TOOK, ("judge", "chat:b"): TOOK, ("model", "chat:a"): TOOK},
        TWO: {("judge", "chat:a"): TOOK},
    }
    assert stat.S_IMODE(folder.bill.path.stat().st_mode) == 0o600


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    bill = CallBill(tmp_path / "calls.jsonl")
    bill.add(ONE, "judge", "chat:a", TOOK)
    whole = bill.path.read_bytes()
    bill.path.write_bytes(whole + whole[: len(whole) // 2])
    assert bill.read() == {ONE: {("judge", "chat:a"): TOOK}}


def test_a_bill_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"calls\.jsonl", check=coded("cannot-write")):
        CallBill(tmp_path / "nowhere" / "calls.jsonl").add(ONE, "judge", "chat:a", TOOK)
