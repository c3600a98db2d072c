"""Jobs: work that a job process does while a page or a command waits and watches.

What a job is, how far it is and what came of it stands in the bank; the queue holds its id alone. Invariant:
a job runs once at a time, and one whose process died is queued again, since actions resume from the bank.
With ``FEDPROMPT_JOBS=inline`` a job runs at once in the process that submits it.
"""

import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from fedprompt.bank.rows import JobRow
from fedprompt.errors import JobError
from fedprompt.stopping import Stopped, StopToken, Why
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.failure import Failure, failure_of, sentence_of
from fedprompt.workspace.jobs.arguments import check_arguments
from fedprompt.workspace.jobs.kinds import kind_named, kinds
from fedprompt.workspace.jobs.queue import JobQueue
from fedprompt.workspace.jobs.rights import require_job
from fedprompt.workspace.liveness import is_alive, is_running
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "ATTEMPTS",
    "cancel",
    "end_failed",
    "forget",
    "newest_job",
    "put_back",
    "resume",
    "run_job",
    "submit",
    "wait",
]

ATTEMPTS = 3
WRITES_A_SECOND = 4
POLL_SECONDS = 0.05
GRACE_SECONDS = 1.0
ENDED = frozenset({"done", "failed", "cancelled"})
# What people type into a search is theirs, and so are a file's labels: once the answer is read, none of it stays in
# the bank.
FORGOTTEN = frozenset({"data", "export-try", "model-test", "ranking-csv", "search"})
log = logging.getLogger(__name__)


def submit(ws: Workspace, kind: str, arguments: Mapping[str, Any]) -> str:
    """Queue a job and return its id.

    Raises:
        FedPromptError: whoever acts may not start jobs of this kind.
        JobError: no such kind, or the arguments are not JSON.
    """
    require_job(kind)
    lane = kind_named(kind).lane
    try:
        plain = json.loads(json.dumps(dict(arguments), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise JobError(f"the arguments of a {kind} job are not JSON ({error})", code="not-json") from error
    job = f"j-{uuid.uuid4().hex}"
    ws.bank.add_job(job, kind, plain)
    if os.environ.get("FEDPROMPT_JOBS") == "inline":
        run_job(ws, job)
    else:
        _enqueue(ws, lane, job)
    return job


def wait(ws: Workspace, job: str, timeout: float) -> JobRow:
    """Return the job once it is done, at most ``timeout`` seconds from now.

    What a job of a ``FORGOTTEN`` kind was given and what it answered is wiped from the bank once it is returned.

    Raises:
        JobError: it failed, was cancelled or took longer, or no job process is there to run it.
    """
    row = ws.bank.job(job)
    lane = kind_named(row.kind).lane
    try:
        row = _ended(ws, row, lane, timeout)
    finally:
        if row.kind in FORGOTTEN:
            ws.bank.forget_job(job)
    if row.state == "cancelled":
        raise JobError(
            f"the {row.kind} job was cancelled; start it again if you did not intend that", code="job-cancelled"
        )
    if row.state == "failed":
        why = row.error or f"the {row.kind} job failed; see the logs folder under the home folder"
        raise JobError(why, code=row.code)
    return row


def _ended(ws: Workspace, row: JobRow, lane: str, timeout: float) -> JobRow:
    start = time.monotonic()
    unserved: float | None = None
    while row.state not in ENDED:
        now = time.monotonic()
        if now - start > timeout:
            raise JobError(
                f"the {row.kind} job is still {row.state} after {timeout:.0f} s; check again later",
                code="still-running",
            )
        unserved = None if is_alive(ws.home, lane) else unserved or now
        if unserved is not None and now - unserved > GRACE_SECONDS:
            raise JobError("no model process is running; start the app with 'fedprompt ui'", code="no-process")
        time.sleep(POLL_SECONDS)
        row = ws.bank.job(row.id)
    return row


def cancel(ws: Workspace, job: str) -> None:
    """Ask a job to end; a running one ends between two of its steps.

    Raises:
        FedPromptError: whoever acts may not stop jobs of its kind.
        JobError: there is no such job.
    """
    require_job(ws.bank.job(job).kind)
    ws.bank.cancel_job(job)


def forget(ws: Workspace, job: str) -> None:
    """Drop what a job that has ended was given and answered.

    Raises:
        FedPromptError: whoever acts may not start jobs of its kind.
        JobError: there is no such job.
    """
    require_job(ws.bank.job(job).kind)
    ws.bank.forget_job(job)


def newest_job(ws: Workspace, *kinds: str) -> JobRow | None:
    """Return the job of these kinds that was asked for last.

    One that was given up (forgotten) counts for nothing, nor does what it was to go on with.
    """
    given_up = False
    for row in ws.bank.jobs(limit=500):
        if row.kind not in kinds:
            continue
        if not row.arguments and row.state in ENDED:
            given_up = True
        elif not given_up or row.state in ("queued", "running", "done"):
            return row
    return None


def resume(ws: Workspace) -> tuple[str, ...]:
    """Queue again what a dead process left, and what never reached the queue; return the ids of those jobs.

    A job that broke off ``ATTEMPTS`` times has failed, and so has one of a kind that this version no longer has.
    """
    resumed = []
    known = {kind.name for kind in kinds()}
    waiting = {job for lane in ("long", "quick") for job in _waiting(ws, lane)}
    for row in reversed(ws.bank.jobs(limit=1000)):
        dead = row.state == "running" and (row.pid is None or not is_running(row.pid))
        if row.kind not in known:
            if dead or row.state == "queued":
                gone = f"this version of fedprompt has no {row.kind} jobs; start the work again from its page"
                end_failed(ws, row.id, Failure(gone, code="kind-of-job-gone"))
                ws.bank.forget_job(row.id)
            continue
        if dead:
            attempts = int((row.progress or {}).get("attempt", 1))
            if attempts >= ATTEMPTS:
                often = (
                    f"the {row.kind} job's process stopped {attempts} times; see the logs folder under the home folder"
                )
                end_failed(ws, row.id, Failure(often, code="job-process-ended"))
                continue
            ws.bank.requeue_job(row.id, {**(row.progress or {}), "resumed": True, "attempt": attempts + 1})
            if ws.bank.job(row.id).state != "queued":
                continue
        elif row.state != "queued" or row.id in waiting:
            continue
        _enqueue(ws, kind_named(row.kind).lane, row.id)
        resumed.append(row.id)
    return tuple(resumed)


def run_job(ws: Workspace, job: str, stopping: Callable[[], bool] = lambda: False) -> None:
    """Run a job here and now, and write into the bank what came of it.

    A job that somebody else claimed, or that was cancelled while it waited, is passed over.

    Raises:
        Stopped: ``stopping`` became true; the job is queued again.
    """
    if not ws.bank.claim_job(job, os.getpid()):
        return
    row = ws.bank.job(job)
    stop = StopToken(lambda: _why(ws, job, stopping))
    try:
        check_arguments(row.kind, row.arguments)
        result = kind_named(row.kind).work(ws, row.arguments, _Teller(ws, row), stop)
        ws.bank.end_job(job, "done", json.loads(json.dumps(as_json(result), allow_nan=False)), None)
    except Stopped as stopped:
        if stopped.why == "ending":
            put_back(ws, job)
            raise
        ws.bank.end_job(job, "cancelled", None, None)
        if row.kind in FORGOTTEN:
            ws.bank.forget_job(job)  # nobody waits for it any more
    except (Exception, SystemExit) as error:  # a library that ends the process is to end the job alone
        # A job's error goes to whoever waits for it, in words; the trace goes to the log.
        log.exception("job %s (%s) failed", job, row.kind)
        end_failed(ws, job, failure_of(error))


def end_failed(ws: Workspace, job: str, failure: Failure) -> None:
    """Write that a job failed: the sentence and the error's code, for whoever waits."""
    ws.bank.end_job(job, "failed", {"code": failure.code}, failure.sentence)


def put_back(ws: Workspace, job: str) -> None:
    """Queue a running job again that is to be broken off, and not for a fault of its own."""
    row = ws.bank.job(job)
    ws.bank.requeue_job(job, {**(row.progress or {}), "resumed": True})
    if row.state == "running":
        _enqueue(ws, kind_named(row.kind).lane, job)


def _why(ws: Workspace, job: str, stopping: Callable[[], bool]) -> Why | None:
    """Return why a running job is to end; a bank that cannot be read now says nothing, and is asked again."""
    if stopping():
        return "ending"
    try:
        return "cancelled" if ws.bank.is_cancelled(job) else None
    except Exception as error:
        log.warning("it is unknown whether the job %s was cancelled: %s", job, sentence_of(error))
        return None


class _Teller:
    """Writes a job's progress, a few times a second at most."""

    def __init__(self, ws: Workspace, row: JobRow) -> None:
        self._ws, self._row = ws, row
        before = row.progress or {}
        self._kept: dict[str, Any] = {key: before[key] for key in ("attempt", "resumed") if key in before}
        self._written, self._stage = 0.0, ""

    def __call__(self, progress: Progress) -> None:
        told: dict[str, Any] = {
            "stage": progress.stage,
            "message": progress.message,
            "done": float(progress.done),
            "total": float(progress.total),
            "seconds_left": progress.seconds_left,
            "detail": json.loads(json.dumps(dict(progress.detail), default=str)),
            **self._kept,
        }
        now = time.monotonic()
        if now - self._written < 1 / WRITES_A_SECOND and progress.stage == self._stage:
            return
        self._written, self._stage = now, progress.stage
        self._ws.bank.update_job(self._row.id, told)


def _enqueue(ws: Workspace, lane: str, job: str) -> None:
    with JobQueue(ws.home, lane) as queue:
        queue.put(job)


def _waiting(ws: Workspace, lane: str) -> tuple[str, ...]:
    with JobQueue(ws.home, lane) as queue:
        return queue.waiting()
