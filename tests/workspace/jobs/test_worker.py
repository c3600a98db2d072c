"""A job process answers, ends when asked, and never outlives the process that started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedprompt.workspace.jobs.jobs import submit, wait
from fedprompt.workspace.liveness import is_alive, is_running
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def command(ws: Workspace, lane: str = "quick") -> list[str]:
    return [sys.executable, "-m", "fedprompt.workspace.jobs.job_process", "--home", str(ws.home.path), "--lane", lane]


def until(claim: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.05)
    return False


def test_a_job_process_runs_what_is_queued_and_ends_when_asked(ws: Workspace) -> None:
    process = subprocess.Popen(command(ws))
    try:
        assert until(lambda: is_alive(ws.home, "quick"))
        row = wait(ws, submit(ws, "model-test", {"model": "scripted"}), timeout=10)
        assert row.result is not None and row.result["text"].strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
    assert not is_alive(ws.home, "quick")


def test_a_job_process_ends_with_its_parent(ws: Workspace) -> None:
    code = f"import subprocess, time\nprint(subprocess.Popen({command(ws)!r}).pid, flush=True)\ntime.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert until(lambda: is_alive(ws.home, "quick"))
        parent.kill()
        assert until(lambda: not is_running(child))
    finally:
        parent.kill()
        parent.communicate()


def test_a_process_that_is_gone_is_not_alive(ws: Workspace) -> None:
    process = subprocess.Popen(command(ws, "long"))
    try:
        assert until(lambda: is_alive(ws.home, "long"))
    finally:
        process.kill()
        process.wait()
    assert not is_alive(ws.home, "long")
    assert not os.listdir(ws.home.path / "workers")


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not share by session")
def test_the_long_lane_gives_way_to_the_sessions_of_pages(ws: Workspace) -> None:
    ours = Path("/proc/self/autogroup").read_text()
    process = subprocess.Popen(command(ws, "long"), start_new_session=True)
    try:
        group = Path(f"/proc/{process.pid}/autogroup")
        assert until(lambda: group.read_text().strip().endswith("nice 5"), 30)
        assert Path("/proc/self/autogroup").read_text() == ours
    finally:
        process.kill()
        process.wait()
