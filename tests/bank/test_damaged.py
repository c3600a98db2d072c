"""A bank can't be made again: a damaged one is told in a sentence, and no byte of it changes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from tests.coded import coded
from tests.damages import DAMAGES


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "another program's"])
def test_a_damaged_bank_is_told_and_never_written_over(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bank.db"
    Bank.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    DAMAGES[damage](path)
    held = path.read_bytes()
    with pytest.raises(BankError, match=r"bank\.db", check=coded("not-a-bank")):
        Bank.open(path).verify()
    assert path.read_bytes() == held


def test_another_programs_file_is_no_bank(tmp_path: Path) -> None:
    DAMAGES["a text in its place"](tmp_path / "bank.db")
    DAMAGES["another program's"](tmp_path / "bank.db")
    with pytest.raises(BankError, check=coded("not-a-bank")):
        Bank.open(tmp_path / "bank.db")
