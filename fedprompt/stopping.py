"""A stop token (a cancellation token, C++'s ``std::stop_token``): how work learns that it is to end.

Whoever may end work hands it a token, beside the function that tells its progress. Invariant: telling progress never
ends work. The code that works ends itself, where it calls ``check``: between two batches, steps, sites or answers, so
that what was computed is kept, files are closed and threads end.
"""

import time
from collections.abc import Callable
from typing import Literal

__all__ = ["NEVER", "StopToken", "Stopped", "Why"]

LOOK_SECONDS = 0.25
SLICE_SECONDS = 0.1
Why = Literal["cancelled", "paused", "ending"]
Asked = Callable[[], Why | None]


class Stopped(BaseException):
    """Work has ended because it was asked to, and what was computed is kept.

    ``why``: somebody ``cancelled`` it, it was to be ``paused`` here, or its process is ``ending`` and it goes on in the
    next. No ``Exception``, like ``asyncio.CancelledError``, so that no handler for errors on the way takes it for one.
    """

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class StopToken:
    """Says whether work is to end, and why; several threads may share one.

    Args:
        asked: says why the work is to end, None while it is not. It is asked at most every ``every`` seconds, since it
            may read a file or a bank; what it said once counts for good. It must not raise.
        every: 0 asks it each time.
    """

    def __init__(self, asked: Asked | None = None, every: float = LOOK_SECONDS) -> None:
        self._asked, self._every = asked, every
        self._why: Why | None = None
        self._next = -1.0

    @property
    def why(self) -> Why | None:
        """Why the work is to end, None while it is not."""
        if self._why is None and self._asked is not None and (now := time.monotonic()) >= self._next:
            self._next = now + self._every
            self._why = self._asked() or self._why
        return self._why

    def check(self) -> None:
        """End the work here if it is to end.

        Raises:
            Stopped: it is.
        """
        if (why := self.why) is not None:
            raise Stopped(why)

    def sleep(self, seconds: float) -> None:
        """Sleep, and end the work at once if it is to end meanwhile.

        Raises:
            Stopped: it is.
        """
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))
            self.check()

    def or_when(self, asked: Asked) -> "StopToken":
        """Return a token that also says what ``asked`` says; that is asked each time."""
        return StopToken(lambda: asked() or self.why, every=0.0)


NEVER = StopToken()
"""The token of work that nobody stops."""
