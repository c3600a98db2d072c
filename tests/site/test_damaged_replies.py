"""What a site answered can't be made again: a damaged file is told, nothing is sent, and the file stays as it is."""

from pathlib import Path

import pytest

from fedprompt.errors import LedgerError
from fedprompt.site.replies import ReplyStore
from tests.coded import coded
from tests.damages import DAMAGES, full_disk


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_replies_are_told_and_never_written_over(tmp_path: Path, damage: str) -> None:
    store = ReplyStore(tmp_path / "replies.db")
    for number in range(60):
        store.keep(f"q{number}", study="s", data=bytes([number]) * 900)
    DAMAGES[damage](store.path)
    held = store.path.read_bytes()
    for deed in (lambda: store.find("q1"), lambda: store.spent("s"), lambda: store.keep("q", study="s", data=b"1")):
        with pytest.raises(LedgerError, match=r"replies\.db", check=coded("damaged")):
            deed()
    assert store.path.read_bytes() == held and [path.name for path in tmp_path.iterdir()] == ["replies.db"]


def test_a_full_disk_is_not_damage(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.db")
    store.keep("q", study="s", data=b"1")
    with full_disk(), pytest.raises(LedgerError, check=coded("cannot-write")):
        store.keep("r", study="s", data=b"2" * 100_000)
    assert store.find("q") == b"1" and store.spent("s") == 1
