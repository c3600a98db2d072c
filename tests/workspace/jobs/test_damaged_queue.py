"""A damaged queue ends no worker: it is put aside and begun anew, and the bank says what waits."""

import shutil
from pathlib import Path

import pytest

from fedprompt.errors import JobError
from fedprompt.workspace.home import Home
from fedprompt.workspace.jobs.queue import JobQueue
from tests.coded import coded
from tests.damages import DAMAGES, full_disk


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("many"))
    with JobQueue(home, "long") as queue:
        for number in range(200):
            queue.put(f"j{number}")
    return home.queue


@pytest.fixture
def home(tmp_path: Path, many: Path) -> Home:
    home = Home(tmp_path)
    shutil.copy(many, home.queue)
    return home


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_queue_is_put_aside_and_begun_anew(home: Home, damage: str) -> None:
    DAMAGES[damage](home.queue)
    held = home.queue.read_bytes()
    with JobQueue(home, "long") as queue:
        queue.put("new")
        assert queue.begun_anew and queue.take() == "new" and queue.waiting() == ()
    aside = home.queue.with_name("queue.db.damaged")
    assert aside.read_bytes() == held and home.queue.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["zeroed", "all but its first page written over"])
def test_a_queue_that_is_damaged_while_it_is_open_is_begun_anew(home: Home, damage: str) -> None:
    with JobQueue(home, "long") as queue:
        assert queue.take() == "j0"
        queue.close()
        DAMAGES[damage](home.queue)
        queue.put("new")
        assert queue.take() == "new" and queue.begun_anew


def test_what_another_process_began_anew_is_not_put_aside_again(home: Home) -> None:
    with JobQueue(home, "long") as first, JobQueue(home, "long") as second:
        first.close()
        second.close()
        DAMAGES["zeroed"](home.queue)
        first.put("one")
        second.put("two")
        assert (first.take(), second.take()) == ("one", "two") and not second.begun_anew


def test_a_folder_in_its_place_is_told_in_a_sentence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.queue.mkdir()
    with pytest.raises(JobError, match=r"queue\.db.*(folder|directory)", check=coded("cannot-read")):
        JobQueue(home, "long")


def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(JobError, match=r"queue\.db", check=coded("cannot-read")):
        JobQueue(Home(tmp_path), "long").put("j")
