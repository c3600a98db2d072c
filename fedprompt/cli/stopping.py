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
    """Have SIGTERM, and a terminal that is closed, interrupt the work as Ctrl-C does; children are ended on the way."""
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
    """Give an event that is set when the process is asked to end; the old handlers are put back afterwards."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
