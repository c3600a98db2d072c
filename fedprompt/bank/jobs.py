"""Jobs, the one table that changes: a job is queued, then running, then done, failed or cancelled for good.

Each change names the states it starts from in its WHERE, so that two processes can never both make it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select, update

from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.rows import JSON, JobRow, JobState
from fedprompt.bank.schema import jobs
from fedprompt.bank.texts import from_json, from_time, now, to_json
from fedprompt.errors import BankError

__all__ = ["JobShelf"]

ENDS = ("done", "failed", "cancelled")


class JobShelf:
    """The part of the bank that holds jobs."""

    _database: Database

    def add_job(self, job: str, kind: str, arguments: Mapping[str, JSON]) -> None:
        """Add a queued job.

        Raises:
            BankError: there is a job of that id, or the arguments are not JSON.
        """
        time = now()
        row = {
            "id": job,
            "kind": kind,
            "arguments": to_json(arguments, f"the arguments of job '{job}'"),
            "state": "queued",
            "cancelled": 0,
            "created": time,
            "updated": time,
        }
        with self._database.write() as connection:
            added = insert_once(connection, jobs).values(row).returning(jobs.c.number)
            if connection.execute(added).first() is None:
                raise BankError(f"there is already a job '{job}'", code="there-already")

    def claim_job(self, job: str, pid: int) -> bool:
        """Make a queued job this process's own; return whether it was still to be had.

        Raises:
            BankError: there is no such job.
        """
        return self._change(job, ("queued",), {"state": "running", "pid": pid})

    def update_job(self, job: str, progress: Mapping[str, JSON]) -> None:
        """Keep how far a running job is.

        Raises:
            BankError: there is no such job, or the progress is not JSON.
        """
        self._change(job, ("running",), {"progress": to_json(progress, f"the progress of job '{job}'")})

    def requeue_job(self, job: str, progress: Mapping[str, JSON]) -> None:
        """Put a running job back into the queue; one that was asked to end is cancelled instead.

        Raises:
            BankError: there is no such job, or the progress is not JSON.
        """
        text = to_json(progress, f"the progress of job '{job}'")
        with self._database.write() as connection:
            _require(connection.execute(select(jobs.c.id).where(jobs.c.id == job)).first(), job)
            running = update(jobs).where(jobs.c.id == job, jobs.c.state == "running")
            connection.execute(running.where(jobs.c.cancelled == 1).values(state="cancelled", pid=None, updated=now()))
            connection.execute(running.values(state="queued", pid=None, progress=text, updated=now()))

    def end_job(self, job: str, state: JobState, result: Mapping[str, JSON] | None, error: str | None) -> None:
        """End a job; one that ended already stays as it is.

        Args:
            job: its id.
            state: ``done``, ``failed`` or ``cancelled``.
            result: what came of it.
            error: the sentence for whoever waits.

        Raises:
            BankError: there is no such job, or the state is no end.
        """
        if state not in ENDS:
            raise BankError(f"job '{job}' cannot end as '{state}'; a job ends as {', '.join(ENDS)}", code="not-an-end")
        text = None if result is None else to_json(result, f"the result of job '{job}'")
        self._change(job, ("queued", "running"), {"state": state, "result": text, "error": error, "pid": None})

    def cancel_job(self, job: str) -> None:
        """End a queued job, and ask a running one to end.

        Raises:
            BankError: there is no such job.
        """
        if not self._change(job, ("queued",), {"state": "cancelled", "cancelled": 1}):
            self._change(job, ("running",), {"cancelled": 1})

    def forget_job(self, job: str) -> None:
        """Wipe what a job that ended was given and what came of it; that it ran stays known.

        Raises:
            BankError: there is no such job.
        """
        self._change(job, ENDS, {"arguments": "{}", "progress": None, "result": None})

    def is_cancelled(self, job: str) -> bool:
        """Return whether a job was asked to end.

        Raises:
            BankError: there is no such job.
        """
        with self._database.read() as connection:
            found = connection.execute(select(jobs.c.cancelled).where(jobs.c.id == job)).first()
        return bool(_require(found, job).cancelled)

    def jobs(self, limit: int = 50) -> tuple[JobRow, ...]:
        """Return the newest jobs, the newest first."""
        with self._database.read() as connection:
            found = connection.execute(select(jobs).order_by(jobs.c.number.desc()).limit(limit)).all()
        return tuple(_row(row) for row in found)

    def job(self, id: str) -> JobRow:
        """Return one job.

        Raises:
            BankError: there is no such job.
        """
        with self._database.read() as connection:
            return _row(_require(connection.execute(select(jobs).where(jobs.c.id == id)).first(), id))

    def _change(self, job: str, states: tuple[str, ...], values: Mapping[str, Any]) -> bool:
        with self._database.write() as connection:
            _require(connection.execute(select(jobs.c.id).where(jobs.c.id == job)).first(), job)
            changed = update(jobs).where(jobs.c.id == job, jobs.c.state.in_(states))
            return bool(connection.execute(changed.values(**values, updated=now())).rowcount)


def _require(row: "Row[Any] | None", job: str) -> "Row[Any]":
    if row is None:
        raise BankError(f"the bank has no job '{job}'", code="no-such-job")
    return row


def _row(row: "Row[Any]") -> JobRow:
    return JobRow(
        id=row.id,
        kind=row.kind,
        arguments=from_json(row.arguments),
        state=row.state,
        progress=from_json(row.progress),
        result=from_json(row.result),
        error=row.error,
        pid=row.pid,
        created=from_time(row.created),
        updated=from_time(row.updated),
    )
