"""Where a bank lies: an SQLite file or a PostgreSQL database. Each is one file behind this seam.

Invariant of both: a reader sees one state from its first statement to its last; a writer takes the bank's one write
lock before its first statement, so two processes queue up instead of failing at COMMIT, and rows are numbered in the
order in which they were committed.
"""

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import Connection, Engine

from fedprompt.errors import BankError

__all__ = ["Place"]


class Place(Protocol):
    """What the store asks of a database."""

    @property
    def name(self) -> str:
        """How messages name it; never holds a password."""
        ...

    def engine(self) -> Engine:
        """Return an engine; making it touches nothing."""
        ...

    def begin_reading(self, connection: Connection) -> Connection:
        """Make the transaction to come one that sees one state."""
        ...

    def begin_writing(self, connection: Connection) -> Connection:
        """Make the transaction to come one that may write, alone."""
        ...

    def took_lock(self, connection: Connection) -> None:
        """Take the write lock, first thing in a writing transaction, where BEGIN has not taken it."""
        ...

    def damages(self, connection: Connection) -> Iterator[str]:
        """Yield what the database itself says is wrong with it."""
        ...

    def failure(self, error: BaseException | None) -> BankError:
        """Return what went wrong and what to do, for a driver's error."""
        ...
