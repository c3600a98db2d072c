"""The default transport: all sites in one process. The bytes are the same as between machines."""

from collections.abc import Callable, Mapping
from typing import Protocol

from fedprompt.errors import FederationError
from fedprompt.federation.transports.transport import Delivered

__all__ = ["LocalTransport"]


class _Outgoing(Protocol):
    @property
    def data(self) -> bytes: ...
    @property
    def head(self) -> str: ...
    @property
    def trail(self) -> tuple[str, ...]: ...


class LocalTransport:
    """``handlers``: site -> what answers a task's bytes, one after the other: they share a model and its cores."""

    concurrent = False

    def __init__(self, handlers: Mapping[str, Callable[[bytes], _Outgoing]]) -> None:
        self._handlers = dict(sorted(handlers.items()))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites, by name."""
        return tuple(self._handlers)

    def ask(self, site: str, task: bytes) -> Delivered:
        """Hand a task to a site and return its reply.

        Raises:
            FederationError: there is no such site.
        """
        if site not in self._handlers:
            raise FederationError(
                f"there is no site '{site}'; there are {', '.join(self._handlers)}", code="unknown-site"
            )
        out = self._handlers[site](task)
        return Delivered(out.data, out.head, out.trail)
