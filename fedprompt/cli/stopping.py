"""Turns Ctrl-C and SIGTERM into an event, so that long-lived commands end what they started."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stopping"]


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
