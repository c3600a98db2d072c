"""What was computed once is computed again where its file is damaged."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.models.private_rows import PrivateRows
from tests.coded import coded
from tests.damages import DAMAGES, full_disk

MANY = {number.to_bytes(16, "big"): b"x" * 500 for number in range(200)}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_put_aside_told_and_begun_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = PrivateRows(tmp_path / "scores.db", "rows")
    rows.put(MANY)
    DAMAGES[damage](rows.path)
    held = rows.path.read_bytes()
    assert rows.get(list(MANY)) == {}
    rows.put({b"k": b"v"})
    assert rows.get([b"k"]) == {b"k": b"v"}
    assert (tmp_path / "scores.db.damaged").stat().st_size == len(held)
    assert "scores.db was damaged" in caplog.text


def test_a_folder_in_its_place_and_a_full_disk_are_told(tmp_path: Path) -> None:
    (tmp_path / "scores.db").mkdir()
    with pytest.raises(DataError, check=coded("cannot-read")):
        PrivateRows(tmp_path / "scores.db", "rows").get([b"k"])
    with full_disk(), pytest.raises(DataError, check=coded("cannot-write")):
        PrivateRows(tmp_path / "other.db", "rows").put(MANY)
