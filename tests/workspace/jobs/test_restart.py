"""A job that runs when the app is stopped goes on when it is started again, and loses nothing that was done."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedprompt.bank.rows import JobRow
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = [pytest.mark.whole, pytest.mark.slow]

ROUNDS = 25
LONGEST_SECONDS = 150.0  # bounds each wait


@contextmanager
def app(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the whole app on a home, its web server and its job processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--port", port, "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(done: Callable[[], bool]) -> None:
    """Wait, for a bounded time."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not done():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def rounds(ws: Workspace) -> int:
    return sum(len(ws.bank.rounds(run.id)) for run in ws.bank.runs(kind="federate"))


def test_a_restart_of_the_app_does_not_lose_a_running_job(tmp_path: Path) -> None:
    home, study = tmp_path / "home", tmp_path / "s.yaml"
    study.write_text(TEXT.replace("rounds: {count: 2}", f"rounds: {{count: {ROUNDS}}}"), encoding="utf-8")
    sites = {name: str(write_cases(tmp_path / f"{name}.csv", name)) for name in ("clinic", "ward")}
    with open_workspace(home) as ws:
        job = submit(ws, "federate", {"study": str(study), "sites": sites})

        def row() -> JobRow:
            return ws.bank.job(job)

        with app(home) as process:
            until(lambda: rounds(ws) >= 2)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            assert out.splitlines()[-1].startswith("stopped; the next start resumes")
        before = [one.prompt for one in ws.bank.rounds(ws.bank.runs(kind="federate")[0].id)]
        assert row().state == "queued" and 2 <= len(before) < ROUNDS
        with app(home) as process:
            until(lambda: row().state == "done")
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
            assert "resuming 1 unfinished job\n" in out
        (run,) = ws.bank.runs(kind="federate")  # it went on, it did not begin anew
        after = [one.prompt for one in ws.bank.rounds(run.id)]
        assert len(after) == ROUNDS and after[: len(before)] == before
        assert (row().result or {})["run"] == run.id and run.result == row().result
        assert [one.id for one in ws.bank.jobs()] == [job]
