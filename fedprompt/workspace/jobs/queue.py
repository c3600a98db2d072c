"""The queue of jobs: SQLite under the home, one lane for long work and one for quick work.

Invariant: a message is JSON and holds nothing but a job's id; what the job is stands in the bank. Pickle is
nowhere.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import Any, Self

from huey import Huey
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from fedprompt.errors import JobError
from fedprompt.workspace.home import Home

__all__ = ["LANES", "JobQueue"]

LANES = ("long", "quick")
TASK = "fedprompt.workspace.jobs.queue.run"
MAX_MESSAGE_BYTES = 4096
_JOB = re.compile(r"[A-Za-z0-9:-]{1,80}")


class JobMessages(Serializer):  # type: ignore[misc]
    """Writes a huey message as ``{"id", "job"}`` and refuses to read anything else."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps({"id": data.id, "job": data.args[0]}).encode()

    def _deserialize(self, data: bytes) -> Message:
        try:
            body: Any = json.loads(bytes(data)[:MAX_MESSAGE_BYTES])
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or set(body) != {"id", "job"} or not _JOB.fullmatch(str(body["job"])):
            raise JobError("the job queue holds a message that fedprompt did not write; it is passed over")
        return Message(id=str(body["id"]), name=TASK, retries=0, retry_delay=0, args=(str(body["job"]),), kwargs={})


class JobQueue:
    """One lane of the queue. Usable from several processes."""

    def __init__(self, home: Home, lane: str) -> None:
        if lane not in LANES:
            raise JobError(f"unknown lane '{lane}'; the lanes are {' and '.join(LANES)}")
        _make_private(home.queue)
        self._huey = Huey(
            f"fedprompt-{lane}",
            results=False,
            serializer=JobMessages(),
            storage_class=SqliteStorage,
            filename=str(home.queue),
            timeout=30,
        )
        self._task = self._huey.task(name="run")(_named)

    def put(self, job: str) -> None:
        """Add a job at the end of the lane."""
        self._task(job)

    def take(self) -> str | None:
        """Return the next job and remove it, or None where the lane is empty.

        Raises:
            JobError: the message is not one of ours; it is removed.
        """
        task = self._huey.dequeue()
        return None if task is None else str(task.args[0])

    def waiting(self) -> tuple[str, ...]:
        """Return the jobs that wait, the next one first."""
        found = []
        for data in self._huey.storage.enqueued_items():
            with contextlib.suppress(JobError):
                found.append(str(self._huey.deserialize_task(data).args[0]))
        return tuple(found)

    def close(self) -> None:
        """Close this thread's connection."""
        self._huey.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _named(job: str) -> str:
    """Return the job's id: what is done with it is up to whoever takes it."""
    return job


_named.__module__ = TASK.rpartition(".")[0]


def _make_private(path: Path) -> None:
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise JobError(f"the job queue {path} cannot be opened ({error.strerror}); check the home folder") from error
