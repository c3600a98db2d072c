"""Keeps one process of the transport's engine running: starts it, again when it ends, and ends it by its id."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["EngineProcess"]

PATIENCE_SECONDS = 5.0
SLOWEST_SECONDS = 30.0
log = logging.getLogger(__name__)


class EngineProcess:
    """A context manager. The process leads a group of its own, so that its job processes end with it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, out: Path, environment: Mapping[str, str]) -> None:
        self._command, self._cwd, self._out, self._environment = list(command), cwd, out, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._wait, self._next = 1.0, 0.0
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The process's id, None while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def tend(self) -> None:
        """Start the process if it does not run, at most as often as is sensible."""
        if self.pid is not None or time.monotonic() < self._next:
            return
        if self._process is not None:
            log.warning("the engine stopped with code %s and is restarted", self._process.returncode)
            self._end_group()
        self._next, self._wait = time.monotonic() + self._wait, min(SLOWEST_SECONDS, 2 * self._wait)
        self._out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._out, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    def end(self) -> None:
        """End the process and its group, at the latest after a few seconds."""
        if self._process is None:
            return
        if self._process.poll() is None:
            _signal(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                log.info("the engine did not stop in time and is killed")
        self._end_group()
        self._process.wait()
        self._process = None

    def _end_group(self) -> None:
        if self._process is not None:
            _signal(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
