"""The processes that the app starts, and the way to end them all.

Invariant: each child has its own process group and a log file of its own, is asked to end, and is killed with
its whole group if it has not ended after five seconds. On Linux a child ends even if this process is killed
outright.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.workspace.home import Home
from fedprompt.workspace.jobs.tether import die_with_parent
from fedprompt.workspace.liveness import announce

__all__ = ["Child", "Family"]

PATIENCE_SECONDS = 5.0
log = logging.getLogger(__name__)


@dataclass
class Child:
    """A process to run: its name for people, its log, the lane it serves, how often it ended by itself."""

    name: str
    command: list[str]
    cwd: Path
    log: Path
    lane: str | None = None
    process: subprocess.Popen[bytes] | None = None
    ends: int = 0


@dataclass
class Family:
    """All children of one start."""

    home: Home
    environment: Mapping[str, str]
    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        """Start a child, or start it again, and say that its lane is served."""
        child.log.parent.mkdir(mode=0o700, exist_ok=True)
        with open(child.log, "ab", opener=_private) as out:
            child.process = subprocess.Popen(
                child.command,
                cwd=child.cwd,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # safe: this process has one thread
            )
        if child.lane is not None:
            announce(self.home, child.lane, child.process.pid)
        if child not in self.children:
            self.children.append(child)

    def end(self) -> None:
        """End every child, at the latest after ``PATIENCE_SECONDS``."""
        started = [child.process for child in self.children if child.process is not None]
        for process in started:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in started:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process %d did not stop in time and is killed", process.pid)
            # The group may hold more than the process that led it.
            _signal(process, signal.SIGKILL)
            process.wait()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
