"""Ctrl-C and SIGTERM end a command alike: what it started ends with it, and what is done is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interruptible", "stopping"]

ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM and a closed terminal interrupt the work like Ctrl-C. Child processes are ended too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # A signal that whoever started this process has set aside (nohup) stays so.
    before = {one: signal.getsignal(one) for one in ENDINGS}
    mine = [one for one, handler in before.items() if handler == signal.SIG_DFL]
    for one in mine:
        signal.signal(one, interrupt)
    try:
        yield
    finally:
        for one in mine:
            signal.signal(one, before[one])


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Return an event that is set when the process should end. The old handlers are restored afterwards."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
