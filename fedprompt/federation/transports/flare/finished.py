"""Folders of jobs that are over: a kit keeps the last few for diagnosis and lets the others go.

A job's process holds a lock in its folder for as long as it lives, and the kernel lets it go however the process ends.
Invariant: nothing but a job's own folder is removed, and none that is held or young. What the site answered stands in
its own folder and ledger, before it is sent; nothing of that is in the engine's.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["KEPT", "clean_finished", "hold_folder"]

KEPT = 3
YOUNG_SECONDS = 120.0  # its process may not have begun
LOCK = "fedprompt.lock"
JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
log = logging.getLogger(__name__)


def hold_folder(arguments: Sequence[str]) -> int | None:
    """Hold the folder of the job that an engine's command line names (``-m KIT -n JOB``) until this process ends.

    Returns:
        The descriptor of the lock, None where there is no such folder.
    """
    try:
        kit, job = (arguments[arguments.index(flag) + 1] for flag in ("-m", "-n"))
        handle = os.open(Path(kit) / job / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except (ValueError, IndexError, OSError):
        return None
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def clean_finished(kit: Path, kept: int = KEPT) -> tuple[str, ...]:
    """Remove the folders of jobs that are over but the last ``kept``; return the jobs whose folders are gone."""
    over: list[tuple[float, Path]] = []
    for folder in kit.iterdir() if kit.exists() else ():
        if JOB.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink() and not _is_held(folder):
            with contextlib.suppress(FileNotFoundError):  # the engine may clear it away too
                over.append((folder.stat().st_mtime, folder))
    gone = []
    for changed, folder in sorted(over, reverse=True)[kept:]:
        if time.time() - changed < YOUNG_SECONDS:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            gone.append(folder.name)
    if gone:
        log.info("removed the folders of %d finished jobs", len(gone))
    return tuple(gone)


def _is_held(folder: Path) -> bool:
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
