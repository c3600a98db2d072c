"""Installs the packages of an optional part into fedprompt's own environment, with pip, for the user of this machine.

Invariant: the packages and their versions are those that this installation names; nobody types them. What pip says is
heard line by line, and pip ends with whoever asked for it, or after ten minutes.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import invalidate_caches

from fedprompt.errors import FedPromptError
from fedprompt.extras import packages_of, pip_command
from fedprompt.workspace.acting import acting, needs

__all__ = ["LONGEST_SECONDS", "install_part", "why_not_install"]

LONGEST_SECONDS = 600.0
LONGEST_LINE = 300
PIP = (sys.executable, "-m", "pip")


def why_not_install() -> str | None:
    """Return in a sentence why the packages cannot be installed from here, None where they can."""
    if acting().subject:
        return "Only this machine's own user can install packages. Run the command on the machine itself."
    if sys.prefix == sys.base_prefix:
        return "fedprompt is not in a virtual environment. Run the command in a terminal yourself."
    return None


@needs("federate")
def install_part(
    part: str, hear: Callable[[str], None], *, pip: Sequence[str] = PIP, seconds: float = LONGEST_SECONDS
) -> None:
    """Install a part's packages; ``hear`` is called with each line that pip writes.

    Args:
        part: one of ``fedprompt.extras.PARTS``.
        hear: what it raises ends pip.
        pip: the command that is pip.
        seconds: how long it may take.

    Raises:
        FedPromptError: whoever acts is not the user of this machine, pip fails, or it takes too long.
    """
    if (why := why_not_install()) is not None:
        raise FedPromptError(why, code="not-allowed")
    if not (packages := packages_of(part)):
        raise FedPromptError(f"the requirements of the part '{part}' are unknown", code="package-missing")
    command = [*pip, "install", "--no-input", "--disable-pip-version-check", *packages]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(process)

    clock = threading.Timer(seconds, end)
    clock.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip():
                hear(line.strip()[:LONGEST_LINE])
        code = process.wait()
    finally:
        clock.cancel()
        _end(process)
        process.stdout.close()
    if late.is_set():
        raise FedPromptError(
            f"pip took longer than {seconds:.0f} s and was stopped; run '{pip_command(part)}' in a terminal",
            code="pip-failed",
        )
    if code != 0:
        raise FedPromptError(
            f"pip could not install the packages; see its last lines. To try again: {pip_command(part)}",
            code="pip-failed",
        )
    invalidate_caches()


def _end(process: "subprocess.Popen[str]") -> None:
    """End pip and what it started, where it still runs."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
