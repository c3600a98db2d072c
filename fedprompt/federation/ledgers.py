"""The sites' ledgers as a hub knows them: a head each, from which whatever a site shows next must go on.

Invariant: a reply is used only once its ledger's head was checked and kept. With a book, heads are kept across runs and
studies, so that a ledger which was deleted or rolled back between two runs is noticed at the next question.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from fedprompt.errors import ReplyUntrue
from fedprompt.federation.transports.transport import Delivered
from fedprompt.trust.chain import follow

__all__ = ["Book", "Ledgers", "Seen"]

HEAD = re.compile(r"[0-9a-f]{64}")
SHOWN = 16


@dataclass(frozen=True)
class Seen:
    """What was last seen of a site's ledger: ``head`` at the time ``at``, and whose it is by its key.

    ``head`` is None once an operator accepted that the ledger began anew.
    """

    site: str
    head: str | None
    identity: str | None
    at: str


class Book(Protocol):
    """Keeps what was seen; it is on disk when a method returns."""

    def seen(self, site: str) -> Seen | None:
        """Return what was last seen of a site's ledger."""
        ...

    def elsewhere(self, site: str, identity: str) -> Seen | None:
        """Return what was last seen of the ledger of this key under another name."""
        ...

    def saw(self, site: str, head: str) -> None:
        """Keep the head that a site showed."""
        ...

    def met(self, site: str, identity: str) -> None:
        """Keep whose ledger it is."""
        ...


class Ledgers:
    """``heads`` is site -> the last head of this run; ``book`` what is known from before."""

    def __init__(self, book: Book | None = None) -> None:
        self.heads: dict[str, str] = {}
        self._book = book

    def known(self, site: str) -> str | None:
        """Return the last head that was seen of a site's ledger."""
        if site in self.heads or self._book is None:
            return self.heads.get(site)
        seen = self._book.seen(site)
        return None if seen is None else seen.head

    def check(self, site: str, known: str | None, delivered: Delivered) -> None:
        """Keep the head that came with a reply.

        Raises:
            ReplyUntrue: it is none, or the ledger does not go on from ``known``; the reply must not be used.
        """
        if not HEAD.fullmatch(delivered.head):
            raise ReplyUntrue(
                f"site '{site}' sent no ledger head with its reply, so the reply was dropped", code="no-head"
            )
        if known is not None and follow(known, delivered.trail) != delivered.head:
            seen = None if self._book is None else self._book.seen(site)
            since = "earlier in this run" if seen is None else f"at {seen.at}"
            raise ReplyUntrue(
                f"site '{site}' showed a ledger that does not continue from the head that this hub saw {since} "
                f"({known[:SHOWN]}...). Entries were removed or changed there, or an old copy was restored. "
                f"Its reply was dropped. Ask its operator for 'fedprompt site ledger --head {known}'. "
                f"{_accept(site)}",
                code="ledger-rewritten",
            )
        if self._book is not None:
            self._book.saw(site, delivered.head)
        self.heads[site] = delivered.head

    def met(self, site: str, identity: str | None) -> str | None:
        """Keep whose ledger it is; return the head that the same key showed under another name, where that is new.

        Raises:
            ReplyUntrue: under this name another key was known.
        """
        if self._book is None or identity is None:
            return None
        seen = self._book.seen(site)
        if seen is not None and seen.identity not in (None, identity):
            raise ReplyUntrue(
                f"site '{site}' now has the key {identity}, but had {seen.identity} at {seen.at}. Its key was "
                f"lost, or another site uses its name. Its reply was dropped. Ask its operator. {_accept(site)}",
                code="another-key",
            )
        new = seen is None or seen.identity is None
        earlier = self._book.elsewhere(site, identity) if new else None
        self._book.met(site, identity)
        return None if earlier is None else earlier.head


def _accept(site: str) -> str:
    return (
        f"If you know that its ledger was restarted, accept that with 'fedprompt hub sites {site} --ledger-restarted'"
    )
