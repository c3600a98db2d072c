"""Calls that run side by side, each in a thread of its own, and come to whoever waits for them.

Invariant: nothing that a thread raises is lost. An ``Exception`` comes with the site that it is about. Anything else
ends the work (Ctrl-C, a stop token) and is raised again in the thread that waits.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from fedprompt.errors import FederationError

__all__ = ["Beside", "Ended"]

T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """A call that is over: what it returned, or the error that it raised."""

    site: str
    found: T | None
    error: Exception | None


class Beside(Generic[T]):
    """Starts calls; ``next`` gives each as it ends."""

    def __init__(self) -> None:
        self._came: SimpleQueue[tuple[str, T | None, BaseException | None]] = SimpleQueue()

    def start(self, site: str, call: Callable[[], T]) -> None:
        """Begin a call.

        Raises:
            FederationError: this machine starts no more threads.
        """

        def work() -> None:
            try:
                found = call()
            except BaseException as error:  # a thread would keep it to itself, and its site would be waited for
                self._came.put((site, None, error))
            else:
                self._came.put((site, found, None))

        try:
            threading.Thread(target=work, name=f"asks {site}", daemon=True).start()
        except RuntimeError as error:
            raise FederationError(
                f"site '{site}' could not be asked: this machine cannot start more threads", code="no-more-threads"
            ) from error

    def next(self, timeout: float | None) -> Ended[T]:
        """Return the call that ended first.

        Raises:
            queue.Empty: none ended in time.
            BaseException: what a call raised that is no ``Exception``.
        """
        site, found, error = self._came.get(timeout=timeout)
        if error is not None and not isinstance(error, Exception):
            raise error
        return Ended(site, found, error)
