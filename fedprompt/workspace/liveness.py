"""Which job processes are alive: one small file a process, touched every second by the process itself.

Invariant: a file whose process is gone, or that nobody touched for ``STALE`` seconds, counts for nothing.
"""

import os
import time
from pathlib import Path

from fedprompt.workspace.home import Home

__all__ = ["STALE", "announce", "is_alive", "is_running", "withdraw"]

STALE = 30.0


def announce(home: Home, lane: str, pid: int) -> None:
    """Say that the process ``pid`` serves a lane; to be repeated every second or so."""
    path = _path(home, lane, pid)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)


def withdraw(home: Home, lane: str, pid: int) -> None:
    """Say that the process ``pid`` no longer serves a lane."""
    _path(home, lane, pid).unlink(missing_ok=True)


def is_alive(home: Home, lane: str) -> bool:
    """Return whether some process serves the lane."""
    for path in (home.path / "workers").glob(f"{lane}-*"):
        pid = path.name.removeprefix(f"{lane}-")
        try:
            fresh = abs(time.time() - path.stat().st_mtime) < STALE  # a clock that went back keeps nobody alive
        except OSError:
            continue
        if pid.isdigit() and fresh and is_running(int(pid)):
            return True
        path.unlink(missing_ok=True)
    return False


def is_running(pid: int) -> bool:
    """Return whether a process of this user with this id exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] != "Z"


def _path(home: Home, lane: str, pid: int) -> Path:
    return home.path / "workers" / f"{lane}-{pid}"
