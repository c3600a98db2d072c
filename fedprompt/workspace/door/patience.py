"""How long a server of ours waits for a request, and for how many at once: those who only hold a connection give way.

Invariant: a connection whose request's head has not arrived whole ends after ``HEAD_SECONDS``, however it trickles in;
of those that wait, no more than ``MOST_WAITING`` stay, the oldest goes first. So whoever asks is answered, beside any
number of half-open connections.
"""

import asyncio
from functools import lru_cache

__all__ = ["HEAD_SECONDS", "MOST_WAITING", "patient_protocol"]

HEAD_SECONDS = 10.0
MOST_WAITING = 256


@lru_cache(maxsize=1)
def patient_protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP/1.1 protocol with these limits, as ``uvicorn.Config`` takes it."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        waiting: dict["Patient", None] = {}  # noqa: RUF012 (one for the process: its connections share its files)
        _until: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._heard()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            super().handle_events()
            # Refused, or a websocket by now, or a request that is being answered.
            if self.transport.is_closing() or self.transport.get_protocol() is not self or not self._owes():
                self._heard()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and self._owes():
                self._wait()

        def _owes(self) -> bool:
            """Return whether the client is next: with a head, or with the rest of a body that nobody waits for."""
            if self.conn.their_state is h11.SEND_BODY:
                return bool(self.cycle.response_complete)
            return self.conn.their_state is h11.IDLE

        def _wait(self) -> None:
            self._heard()
            self._until = self.loop.call_later(HEAD_SECONDS, self._give_way)
            self.waiting[self] = None
            if len(self.waiting) > MOST_WAITING:
                next(iter(self.waiting))._give_way()

        def _heard(self) -> None:
            self.waiting.pop(self, None)
            if self._until is not None:
                self._until.cancel()
                self._until = None

        def _give_way(self) -> None:
            self._heard()
            self.transport.abort()

    return Patient
