"""The queue of jobs: SQLite under the home, one lane for long work and one for quick work.

Invariant: a message is JSON and holds nothing but a job's id; what the job is stands in the bank. Pickle is
nowhere. A damaged file is put aside and begun anew: the bank knows which jobs wait.
"""

import contextlib
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
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
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_OURS = {"kv", "schedule", "task", "counter"}
log = logging.getLogger(__name__)
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
            raise JobError(
                "the job queue has a message that fedprompt did not write; it is skipped", code="foreign-message"
            )
        return Message(id=str(body["id"]), name=TASK, retries=0, retry_delay=0, args=(str(body["job"]),), kwargs={})


class JobQueue:
    """One lane of the queue. Usable from several processes."""

    def __init__(self, home: Home, lane: str) -> None:
        if lane not in LANES:
            raise JobError(f"unknown lane '{lane}'; the lanes are {' and '.join(LANES)}", code="unknown-lane")
        self._path, self._lane = home.queue, lane
        self.begun_anew = False
        with self._errors():
            if not self._opened():
                self._put_aside()
                self._opened()

    def put(self, job: str) -> None:
        """Add a job at the end of the lane.

        Raises:
            JobError: the queue cannot be written.
        """
        self._whole(lambda: self._task(job))

    def take(self) -> str | None:
        """Return the next job and remove it, or None where the lane is empty.

        Raises:
            JobError: the message is not one of ours; it is removed. Or the queue cannot be read.
        """
        task = self._whole(lambda: self._huey.dequeue())
        return None if task is None else str(task.args[0])

    def waiting(self) -> tuple[str, ...]:
        """Return the jobs that wait, the next one first."""
        found = []
        for data in self._whole(lambda: self._huey.storage.enqueued_items()):
            with contextlib.suppress(JobError):
                found.append(str(self._huey.deserialize_task(data).args[0]))
        return tuple(found)

    def _opened(self) -> bool:
        """Open the file and look at it; False where it is damaged or another program's."""
        _make_private(self._path)
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection:
                tables = {name for (name,) in connection.execute(_TABLES)}
                if tables and tables != _OURS:
                    return False
            self._huey = Huey(
                f"fedprompt-{self._lane}",
                results=False,
                serializer=JobMessages(),
                storage_class=SqliteStorage,
                filename=str(self._path),
                timeout=30,
            )
            self._huey.storage.enqueued_items(1)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            return False
        self._task = self._huey.task(name="run")(_named)
        return True

    def _whole(self, deed: Callable[[], Any]) -> Any:
        """Do a deed; where the file turns out to be damaged, begin another and do it there."""
        with self._errors():
            try:
                return deed()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.close()
            with contextlib.suppress(sqlite3.DatabaseError):
                if self._opened():  # another process has begun it anew
                    return deed()
            self._put_aside()
            self._opened()
            return deed()

    def _put_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        with contextlib.suppress(FileNotFoundError):  # another process may have done so first
            self._path.replace(aside)
        for end in ("-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)
        self.begun_anew = True
        log.warning("the queue of jobs %s was damaged and is recreated; the old one is %s", self._path, aside.name)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            what = "it is a folder" if self._path.is_dir() else str(error)
            raise JobError(
                f"the job queue {self._path} cannot be read or written ({what}); free some disk space, or move "
                "the file away: the bank also lists the jobs",
                code="cannot-read",
            ) from error

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
        raise JobError(
            f"the job queue {path} cannot be opened ({error.strerror}); check the home folder", code="cannot-read"
        ) from error
