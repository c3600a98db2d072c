"""What a hub saw of ledgers lies in a private file; damage is told, and it is never written over."""

import sqlite3
from pathlib import Path

import pytest

from fedprompt.errors import BankError
from fedprompt.federation.ledgers import Seen
from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers, seen_ledgers
from fedprompt.workspace.home import Home, find_home
from tests.coded import coded
from tests.damages import DAMAGES, full_disk

HEAD = "a" * 64


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home(tmp_path)


def test_nothing_was_seen_and_no_file_is_made_by_looking(home: Home) -> None:
    assert SeenLedgers(home, LOCAL).seen("ant") is None and seen_ledgers(home) == ((), ())
    assert [path.name for path in home.path.iterdir()] == []


def test_what_was_seen_is_private_and_the_newest_counts(home: Home) -> None:
    book = SeenLedgers(home, LOCAL)
    book.saw("ant", "b" * 64)
    book.saw("ant", HEAD)
    book.met("ant", "k1:" + "1" * 32)
    book.begin("ant", "c" * 64, "2020-01-01T00:00:00+00:00")  # of an older version: what is known stays
    book.begin("bee", "c" * 64, "2020-01-01T00:00:00+00:00")
    found = book.seen("ant")
    assert found is not None and (found.head, found.identity) == (HEAD, "k1:" + "1" * 32)
    assert book.seen("bee") == Seen("bee", "c" * 64, None, "2020-01-01T00:00:00+00:00")
    assert (home.path / "ledgers-seen.db").stat().st_mode & 0o777 == 0o600


def test_sites_of_another_federation_are_others(home: Home) -> None:
    SeenLedgers(home, LOCAL).saw("ant", HEAD)
    assert SeenLedgers(home, "SHA256:AB").seen("ant") is None


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a hub that saw 400 sites, which fill several pages."""
    home = find_home(tmp_path_factory.mktemp("many"))
    book = SeenLedgers(home, LOCAL)
    for number in range(400):
        book.begin(f"site-{number}", HEAD, "2020-01-01T00:00:00+00:00")
    return (home.path / "ledgers-seen.db").read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_never_written_over(home: Home, many: bytes, damage: str) -> None:
    book, path = SeenLedgers(home, LOCAL), home.path / "ledgers-seen.db"
    book.saw("site-1", HEAD)
    path.write_bytes(many)
    assert book.seen("site-399") is not None
    DAMAGES[damage](path)
    held = path.read_bytes()
    with pytest.raises(BankError, match=r"ledgers-seen\.db", check=coded("damaged")):
        book.saw("site-1", HEAD)
    assert path.read_bytes() == held


def test_a_full_disk_is_not_damage(home: Home) -> None:
    book = SeenLedgers(home, LOCAL)
    book.saw("ant", HEAD)
    with full_disk(), pytest.raises(BankError, check=coded("cannot-write")):
        for number in range(400):
            book.saw(f"site-{number}", HEAD)
    found = book.seen("ant")
    assert found is not None and found.head == HEAD


def test_another_programs_file_is_left_alone(home: Home) -> None:
    path = home.path / "ledgers-seen.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE ledgers (something TEXT)")
    other.close()
    with pytest.raises(BankError):
        SeenLedgers(home, LOCAL).saw("ant", HEAD)
