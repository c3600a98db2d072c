"""Jobs run once, tell where they are, can be cancelled, and survive the death of their process."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import JobError
from fedprompt.stopping import Stopped, StopToken
from fedprompt.workspace.answers.model_test import try_model
from fedprompt.workspace.jobs.jobs import ATTEMPTS, cancel, resume, run_job, submit, wait
from fedprompt.workspace.jobs.kinds import _KINDS, Kind
from fedprompt.workspace.jobs.queue import JobQueue
from fedprompt.workspace.progress import Progress, Report
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

ASKED = {"model": "scripted"}


@pytest.fixture
def ws(tmp_path: Path) -> Any:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def waiting(ws: Workspace, lane: str = "quick") -> tuple[str, ...]:
    with JobQueue(ws.home, lane) as queue:
        return queue.waiting()


def test_an_inline_job_is_done_when_submit_returns(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    row = wait(ws, submit(ws, "model-test", ASKED), timeout=1)
    assert row.state == "done" and row.result is not None
    assert row.result["text"].strip()
    assert row.progress is not None and row.progress["stage"] == "load"


def test_a_failed_job_says_why(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    job = submit(ws, "model-test", {"model": "scriptd"})
    with pytest.raises(JobError, match="'scripted'", check=coded("unknown-model")):
        wait(ws, job, timeout=1)


def test_unknown_kinds_and_arguments_that_are_not_json_leave_no_row(ws: Workspace) -> None:
    with pytest.raises(JobError, match="'model-test'", check=coded("unknown-kind-of-job")):
        submit(ws, "model-tst", {})
    for bad in (math.nan, Path("x"), {1, 2}):
        with pytest.raises(JobError, check=coded("not-json")):
            submit(ws, "model-test", {"x": bad})
    assert ws.bank.jobs() == ()


def test_waiting_without_a_job_process_says_so_at_once(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    with pytest.raises(JobError, check=coded("no-process")):
        wait(ws, job, timeout=60)


def test_a_waiting_job_that_is_cancelled_never_runs(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    cancel(ws, job)
    run_job(ws, job)
    assert ws.bank.job(job).state == "cancelled"
    assert ws.bank.job(job).result is None


def test_a_running_job_ends_when_it_is_cancelled(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)

    def stopping() -> bool:
        # Asked whenever the job looks, so from inside it.
        cancel(ws, job)
        return False

    run_job(ws, job, stopping)
    assert ws.bank.job(job).state == "cancelled"
    with pytest.raises(JobError, check=coded("job-cancelled")):
        wait(ws, job, timeout=1)


def test_telling_progress_never_ends_a_job_that_is_to_end(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def work(ws: Workspace, arguments: Mapping[str, Any], report: Report, stop: StopToken) -> Mapping[str, Any]:
        cancel(ws, job)
        for number in range(5):
            report(Progress(f"stage {number}", "at work", number, 5))
            told.append(number)
        stop.check()
        return {}

    monkeypatch.setitem(_KINDS, "model-test", Kind("model-test", "quick", work))
    job = submit(ws, "model-test", ASKED)
    run_job(ws, job)
    assert (told, ws.bank.job(job).state) == ([0, 1, 2, 3, 4], "cancelled")


def test_a_listener_that_raises_is_a_fault_of_whoever_listens(ws: Workspace) -> None:
    def report(progress: Progress) -> None:
        raise ValueError("a listener's own")

    with pytest.raises(ValueError, match="a listener's own"):
        try_model(ws, ASKED, report)


def test_a_job_whose_process_is_asked_to_end_is_queued_again(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    with JobQueue(ws.home, "quick") as queue:
        assert queue.take() == job
    with pytest.raises(Stopped) as stopped:
        run_job(ws, job, lambda: True)
    assert stopped.value.why == "ending"
    assert ws.bank.job(job).state == "queued"
    assert waiting(ws) == (job,)
    run_job(ws, job)
    assert ws.bank.job(job).state == "done"


def test_a_job_runs_once_though_two_processes_take_it(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    run_job(ws, job)
    before = ws.bank.job(job)
    run_job(ws, job)
    assert ws.bank.job(job) == before


def test_what_a_dead_process_left_is_queued_again_a_few_times(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    for attempt in range(2, ATTEMPTS + 1):
        with JobQueue(ws.home, "quick") as queue:
            assert queue.take() == job
        assert ws.bank.claim_job(job, dead_pid())
        assert resume(ws) == (job,)
        assert ws.bank.job(job).state == "queued"
        assert ws.bank.job(job).progress == {"resumed": True, "attempt": attempt}
    with JobQueue(ws.home, "quick") as queue:
        assert queue.take() == job
    assert ws.bank.claim_job(job, dead_pid())
    assert resume(ws) == ()
    assert ws.bank.job(job).state == "failed"
    assert "3 times" in (ws.bank.job(job).error or "")


def test_a_job_of_a_living_process_is_left_alone(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    with JobQueue(ws.home, "quick") as queue:
        queue.take()
    assert ws.bank.claim_job(job, os.getpid())
    assert resume(ws) == ()
    assert ws.bank.job(job).state == "running"


def test_a_job_that_never_reached_the_queue_is_put_there_once(ws: Workspace) -> None:
    job = submit(ws, "model-test", ASKED)
    with JobQueue(ws.home, "quick") as queue:
        queue.take()
    assert resume(ws) == (job,)
    assert resume(ws) == ()
    assert waiting(ws) == (job,)


def test_a_job_of_a_kind_that_is_gone_ends_in_a_sentence_and_keeps_nobody_else_from_going_on(ws: Workspace) -> None:
    ws.bank.add_job("j-old", "gone", {"text": "typed long ago"})
    job = submit(ws, "model-test", ASKED)
    with JobQueue(ws.home, "quick") as queue:
        queue.take()
    assert resume(ws) == (job,)
    old = ws.bank.job("j-old")
    assert (old.state, old.arguments) == ("failed", {}) and "no gone jobs" in (old.error or "")
