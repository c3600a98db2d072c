"""Ends a process, or its whole group, when the one that started it is gone, however that came about.

The parent's process id is looked at. The kernel's own signal would not do: it comes when the *thread* that started a
process ends, and the engine starts its job processes from threads.
"""

import os
import signal
import threading
import time

__all__ = ["end_with"]

LOOK_SECONDS = 0.5


def end_with(starter: int, *, group: bool = False) -> None:
    """End this process at once when its parent is no more the process ``starter``.

    Args:
        starter: its process id; where it is gone already, this process ends now.
        group: end all of the group that this process leads.
    """

    def watch() -> None:
        while os.getppid() == starter:
            time.sleep(LOOK_SECONDS)
        if group:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="tether", daemon=True).start()
