"""The queue holds ids as JSON, in order, a lane apart from the other, and is private."""

import pickle
import sqlite3
import stat
from pathlib import Path

import pytest

from fedprompt.errors import JobError
from fedprompt.workspace.home import Home
from fedprompt.workspace.jobs.queue import JobQueue
from tests.coded import coded


def test_jobs_come_out_in_order_and_once(tmp_path: Path) -> None:
    with JobQueue(Home(tmp_path), "quick") as queue:
        queue.put("j-1")
        queue.put("j-2")
        assert queue.waiting() == ("j-1", "j-2")
        assert [queue.take(), queue.take(), queue.take()] == ["j-1", "j-2", None]


def test_lanes_do_not_mix(tmp_path: Path) -> None:
    with JobQueue(Home(tmp_path), "quick") as quick, JobQueue(Home(tmp_path), "long") as long:
        quick.put("j-1")
        assert long.take() is None
        assert quick.take() == "j-1"


def test_the_file_is_private_and_holds_json_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with JobQueue(home, "long") as queue:
        queue.put("j-1")
    assert stat.S_IMODE(home.queue.stat().st_mode) == 0o600
    with sqlite3.connect(home.queue) as connection:
        (body,) = connection.execute("select data from task").fetchone()
    connection.close()
    assert bytes(body).startswith(b'{"id"')


@pytest.mark.parametrize("body", [pickle.dumps({"id": "x"}), b"[]", b'{"id": "x", "job": "../x"}', b"{", b'{"id": 1}'])
def test_a_foreign_message_is_refused_and_gone(tmp_path: Path, body: bytes) -> None:
    home = Home(tmp_path)
    with JobQueue(home, "long") as queue:
        with sqlite3.connect(home.queue) as connection:
            connection.execute("insert into task (queue, data) values ('fedprompt-long', ?)", (body,))
        connection.close()
        queue.put("j-1")
        with pytest.raises(JobError, check=coded("foreign-message")):
            queue.take()
        assert queue.take() == "j-1"


def test_an_unknown_lane_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, check=coded("unknown-lane")):
        JobQueue(Home(tmp_path), "fast")
