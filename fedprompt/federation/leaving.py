"""A transport whose questions end when the operator leaves the asked site out, for steps that ask one site at a time.

Whoever gathers many answers at once takes the orders itself; but a single question may be out for an hour, and nobody
would hear the order that gives the site up. The question goes on in a thread of its own, and its answer is let go.
"""

import threading
from collections.abc import Callable
from queue import Empty

from fedprompt.errors import FederationError
from fedprompt.federation.beside import Beside
from fedprompt.federation.gathering import POLL
from fedprompt.federation.orders import Controls
from fedprompt.federation.transports.transport import Delivered, Transport

__all__ = ["Leaving"]


class Leaving:
    """``transport`` as it is, but for questions from the thread that made this, which takes orders while it waits.

    Args:
        again: tells again where the work is; what it raises ends the question.
    """

    def __init__(self, transport: Transport, controls: Controls, again: Callable[[], None] = lambda: None) -> None:
        self._transport, self._controls, self._again = transport, controls, again
        self._own = threading.get_ident()
        self.concurrent = transport.concurrent

    @property
    def sites(self) -> tuple[str, ...]:
        """The transport's sites."""
        return self._transport.sites

    def ask(self, site: str, task: bytes) -> Delivered:
        """Carry one task and wait for its reply.

        Raises:
            FederationError: the site did not answer, or was left out meanwhile.
        """
        if not self.concurrent or threading.get_ident() != self._own:
            return self._transport.ask(site, task)
        came: Beside[Delivered] = Beside()
        came.start(site, lambda: self._transport.ask(site, task))
        while True:
            try:
                ended = came.next(POLL)
            except Empty:
                self._controls.look(None)
                self._again()
                if (why := self._controls.left_out.get(site)) is not None:
                    raise FederationError(f"site '{site}' was {why}") from None
                continue
            if ended.error is not None:
                raise ended.error
            assert ended.found is not None
            return ended.found
